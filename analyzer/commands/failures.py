"""What `midwatch failures` prints: a checkpoint's wrong verdicts and their groups, from committed results alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import typer

from analyzer.commands.checkpoint_choice import choose_one
from analyzer.commands.run_settings import RunSettings
from analyzer.supervisor.schedule import Point
from shared.errors import UsageError
from shared.json_answer import JsonSettings, print_json
from shared.user_paths import expanded

if TYPE_CHECKING:
    from shared.views.failures.groups import GroupRow
    from shared.views.failures.wrong import Failures, WrongProbe

MOST_ROWS = 50
"""Wrong prompts that are printed; --csv and --json have all."""
SHOWN = 100
"""Characters of a prompt that are printed."""


class FailuresSettings(RunSettings, JsonSettings):
    """Settings of `midwatch failures`."""

    example = "midwatch failures runs/judge --epoch last --group category"

    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "Which verdicts": ("epoch", "kind"),
        "What is told": ("group", "as_json", "csv"),
        "Where": ("out",),
    }
    epoch: str = ""
    """Checkpoint: an epoch, a step, a name, or `last`; the newest that was judged when not given."""
    kind: Literal["missed", "refused"] | None = None
    """Only unsafe prompts judged safe (missed), or safe ones judged unsafe (refused)."""
    group: Literal["category", "length", "language", "style", "source"] | None = None
    """Print the rates of these groups, too, with intervals and the test that tells one from the rest."""
    csv: Path | None = None
    """Write the wrong prompts to this CSV file, which must not be there yet."""


def failures(settings: FailuresSettings) -> None:
    """Raises UsageError for what is not there to choose, RunError where nothing can be told, OSError."""
    from shared.views.failures.gather import failures_of_run
    from shared.views.failures.groups import group_rows
    from shared.views.failures.table import Filter

    run = settings.opened()
    found = failures_of_run(run, lambda facts: _chosen(settings.epoch, facts))
    wrong = Filter(side=settings.kind or "").rows(found)
    groups = group_rows(found)
    if settings.csv is not None:
        _write(settings.csv, found, wrong)
    if settings.as_json:
        return print_json("failures", run.path, _told(found, wrong, groups))
    typer.echo("\n".join(_lines(found, wrong, groups, settings)))
    return None


def _chosen(wanted: str, facts: Any) -> str | None:
    """Name of the checkpoint; None for the newest that was judged. Raises UsageError."""
    if not wanted or wanted == "last":
        return None
    known = [Point(each.name, each.step, each.epoch) for each in facts if each.judged]
    return choose_one(known, wanted, "--epoch").name


def _told(found: Failures, wrong: list[WrongProbe], groups: list[GroupRow]) -> dict[str, Any]:
    from shared.views.failures.table import group_numbers_of, numbers
    from shared.views.failures.words import cautions, headline, named_groups, over_checkpoints

    said = (headline(found), over_checkpoints(found), named_groups(found, groups), *cautions(found))
    history = found.history
    return {
        "checkpoint": history.names[history.place],
        "label": found.label,
        "probes": found.scored,
        "sentences": [sentence for sentence in said if sentence],
        "checkpoints": list(history.names),
        "wrong": numbers(found, wrong),
        "groups": group_numbers_of(groups),
    }


def _lines(
    found: Failures, wrong: list[WrongProbe], groups: list[GroupRow], settings: FailuresSettings
) -> list[str]:
    from shared.findings.text import clean
    from shared.views.failures.words import cautions, headline, named_groups, over_checkpoints

    lines = [f"{headline(found)}."]
    said = (over_checkpoints(found), *cautions(found), named_groups(found, groups))
    lines += [f"{each}." for each in said if each]
    if settings.group is not None:
        lines += ["", *_group_lines([row for row in groups if row.kind == settings.group], settings.group)]
    if wrong:
        lines += ["", "kind     score  since      flips  category      prompt"]
    labels = found.history.labels
    for each in wrong[:MOST_ROWS]:
        since = "" if each.course.since is None else labels[each.course.since]
        lines.append(
            f"{each.side:<7} {each.score:+6.2f}  {clean(since, 10):<10} {each.course.flips:>5}  "
            f"{clean(each.probe.category, 12):<12}  {clean(each.probe.text, SHOWN)}"
        )
    if len(wrong) > MOST_ROWS:
        lines.append(f"{len(wrong) - MOST_ROWS} more: --csv FILE or --json has all")
    return lines


def _group_lines(rows: list[GroupRow], kind: str) -> list[str]:
    from shared.findings.rates import rate, share
    from shared.findings.text import clean

    if not rows:
        return [f"The probes do not differ in {kind}, or do not record it."]
    lines = [f"{kind:<28} kind     wrong     rate            rest   p (Fisher)"]
    for row in rows:
        rest = "–" if row.rest is None else share(row.rest)
        p_value = "–" if row.p_value is None else f"{row.p_value:.2g}"
        told = "  told apart" if row.told else ""
        lines.append(
            f"{clean(row.name, 28):<28} {row.side:<7}  {f'{row.wrong}/{row.of}':<8}  {rate(row.rate, row.of):<14}  "
            f"{rest:<5}  {p_value}{told}"
        )
    return lines


def _write(path: Path, found: Failures, wrong: list[WrongProbe]) -> None:
    """The CSV; a text that a spreadsheet would compute is marked. Raises UsageError, OSError."""
    from shared.csv_text import csv_bytes
    from shared.files import write_bytes_atomic
    from shared.views.failures.table import COLUMNS, numbers

    target = expanded(path)
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already; give another name with --csv.")
    if not target.parent.is_dir():
        raise UsageError(f"The folder of {target} is not there; make it first, or give another place with --csv.")
    write_bytes_atomic(target, csv_bytes(COLUMNS, numbers(found, wrong)), durable=False)
