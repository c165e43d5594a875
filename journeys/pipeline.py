"""The pipeline, top to bottom: plan the stages, run them, say what came out, fail when one of them did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from journeys.children import Child, start, stopping_children
from journeys.pipeline_screen import pipeline_screen
from journeys.places import Places
from journeys.plan import Plan
from journeys.rounds import compare_rounds
from journeys.settings import PipelineSettings
from journeys.stage import State
from journeys.stage_record import RecordFile
from journeys.stage_runner import Shown, StageRunner
from shared.errors import MidwatchError
from shared.user_paths import expanded, make_output


def run_pipeline(settings: PipelineSettings) -> None:
    """Raises UsageError for what the user can change, MidwatchError when a stage failed or could not be run."""
    started = time.monotonic()
    places = Places(expanded(settings.output_dir).absolute())
    plan = Plan(settings, places)
    make_output(places.root)
    if not plan.trains_nothing:
        places.judge.path.mkdir(exist_ok=True)  # the analyzer waits in it for the training's first file
    record = RecordFile(places.root / "pipeline.json")
    plan.write_sections()
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    with pipeline_screen(console) as show, stopping_children() as children:
        runner = StageRunner(plan.stages(), record, places.root / "logs", _start, children, show)
        rows = runner.run()
    show_tails(console, rows)
    for sentence in compare_rounds(places, settings.rounds):
        console.print(sentence)
    if places.report.is_file():
        console.print(f"Report: {places.report}")
    if places.judge.begun:
        console.print(f"Look at it: midwatch dashboard {places.root}")
    console.print(f"{time.monotonic() - started:.0f} s.")
    refuse_failures(rows)


def show_tails(console: Console, rows: Sequence[Shown]) -> None:
    """The end of what each failed stage said, where that is more than the sentence told of it anyway."""
    for row in rows:
        if row.state is State.FAILED and [
            line for line in row.tail if line.removeprefix("midwatch: ") not in row.cause
        ]:
            console.print(f"The last lines of {row.stage.name}:")
            for line in row.tail:
                console.print(f"  {line}")


def refuse_failures(rows: Sequence[Shown]) -> None:
    """Raise MidwatchError, naming what failed, why, and what could not be run because of it."""
    failed = [f"{row.stage.name} ({row.cause})" for row in rows if row.state is State.FAILED]
    missed = [f"{row.stage.name} ({row.cause})" for row in rows if row.state is State.MISSED]
    said = [f"Failed: {'; '.join(failed)}."] if failed else []
    said += [f"Left out: {'; '.join(missed)}."] if missed else []
    if said:
        raise MidwatchError(f"{' '.join(said)} The same command goes on from there.")


def _start(words: Sequence[str], log: Path, cores: Sequence[int]) -> Child:
    """A stage's command where the user stands: a config file's relative paths are meant from there."""
    threads = ["--cores", str(len(cores))] if cores and words[0] in ("train", "watch") else []
    return start([*words, *threads], log, cores, Path.cwd())
