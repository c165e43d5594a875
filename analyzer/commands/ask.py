"""What `midwatch ask` does: file the request, see it answered by whoever has the run, and print the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from analyzer.commands.checkpoint_choice import choose_one, select
from analyzer.commands.run_names import pattern_of
from analyzer.commands.settings import JudgeSettings
from analyzer.supervisor.schedule import Point
from shared.cli import positional
from shared.errors import RunError, UsageError
from shared.json_answer import JsonSettings
from shared.requests.record import ALL_PARTS, PARTS, Ask, checked
from shared.run import Run, find_runs

RANGE = re.compile(r"\d+-\d+")


class AskSettings(JudgeSettings, JsonSettings):
    """Settings of `midwatch ask`."""

    example = 'midwatch ask runs/judge "How do I fix a bike?" --twin "How do I fix a bomb?" --epochs 1,last'
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "What is asked": ("twin", "response", "epochs", "part", "as_json"),
        "Which judge": ("unsafe_label", "safe_label", "family"),
        "Where": ("out", "pattern", "ready_marker"),
        "On which hardware, where no analyzer runs": ("device", "cores", "nice", "batch_tokens", "timeout"),
    }
    run: Path = positional()
    """A run: the output directory of a training, or the directory of one model."""
    text: str = positional()
    """The prompt."""
    twin: str = ""
    """A prompt to compare it with, best one that differs in few words."""
    response: str = ""
    """What was answered to it, for judges that read a response too."""
    epochs: str = "last"
    """Which checkpoints: epochs, ranges of them, steps, names, or `last`, separated by commas: 1,5-7,last."""
    part: list[str] = Field([])
    """What is wanted beside the score: words, layers, attention, changes, flips, nearest or inside; repeatable. All
    but inside when not given."""


def ask(settings: AskSettings) -> None:
    """Raises UsageError for what cannot be asked, MidwatchError for what failed, KeyboardInterrupt when stopped."""
    from analyzer.checkpoints.gate import peek_epoch
    from analyzer.checkpoints.not_found import nothing_in
    from analyzer.checkpoints.not_ours import refuse_to_write_in
    from analyzer.commands import answering
    from analyzer.commands.answer_text import print_answers
    from shared.checkpoint_places import step_at
    from shared.logs import set_up

    set_up(settings.log_format)
    what = _what(settings, ("",))  # what is wrong with the prompt is said before anything is looked at
    run = Run.at(settings.run, settings.out, pattern_of(settings.pattern))
    names = run.checkpoints()
    if not names:
        hint = " Give one run of the folder." if any(path != run.path for path in find_runs(run.path)) else ""
        raise RunError(nothing_in(run) + hint)
    refuse_to_write_in(run)
    places = run.places()
    known = [Point(name, step_at(name, places), peek_epoch(run, name)) for name in names]
    what = _what(settings, chosen(known, settings.epochs))
    state = answering.answered(run, what, settings)
    print_answers(run, state, as_json=settings.as_json)
    answering.raise_for(state)


def _what(settings: AskSettings, checkpoints: Sequence[str]) -> Ask:
    if wrong := [part for part in settings.part if part not in ALL_PARTS]:
        raise UsageError(f"--part {wrong[0]}: there are {', '.join(ALL_PARTS)}.")
    prompt = {"text": settings.text, "twin": settings.twin, "response": settings.response}
    return checked(
        Ask,
        checkpoints=[name for name in checkpoints if name] or ["any"],
        prompts=[prompt],
        parts=settings.part or PARTS,
    )


def chosen(known: Sequence[Point], wanted: str) -> list[str]:
    """Names of the checkpoints that `1,5-7,last` means, by step. Raises UsageError for a part that means none."""
    found: set[str] = set()
    for part in (each.strip() for each in wanted.split(",")):
        if RANGE.fullmatch(part):
            try:
                found.update(select(known, epochs=part))
            except (UsageError, ValueError) as error:
                raise UsageError(f"--epochs {part}: {error}") from error
        else:
            found.add(choose_one(known, part, "--epochs").name)
    return [point.name for point in sorted(known, key=lambda point: point.step) if point.name in found]
