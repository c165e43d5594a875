"""What `analyze --null` does: an untrained copy of the judge through the same suite, and what it would claim.

The copy is a run of its own in our folder of the run (`Run.null`): its results and pages are never among the run's.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.checkpoints.base_model import bases_of, home_of
from analyzer.checkpoints.soundness import validate
from analyzer.supervisor.run_description import describe, run_record
from analyzer.supervisor.schedule import Point
from shared.checkpoint_names import step_of
from shared.errors import MidwatchError
from shared.files import write_record
from shared.findings.text import counted
from shared.own_folders import make_directory, remove_directory
from shared.results import ResultStore
from shared.run import Run
from shared.views import Headline, View, headlines

NOT_COMPUTED = "not computed: the judge or the probe set lacks what it needs"


class Said(NamedTuple):
    """What one analysis of the untrained copy says first."""

    analysis: str
    text: str
    claims: bool


def prepare(run: Run, point: Point, seed: int, safe: str | None, unsafe: str | None) -> Run:
    """A run in our own folder with one checkpoint: an untrained copy of the one at `point`, the same probes.

    Raises CheckpointRejected or JudgeError where no such copy can be made, UsageError where the labels are unknown.
    """
    from analyzer.model.untrained import save_untrained  # torch

    source, place = run.directory_of(point.name), run.null / f"untrained-{seed}"
    record = run_record(run) or describe(source, run, safe, unsafe)[0]
    bases = bases_of(run, record)
    validate(source, bases=bases)
    remove_directory(place)
    make_directory(place)
    write_record(place / "run.json", record.model_copy(update={"frozen_layers": None, "baselines": {}}))
    if run.probes.is_file():
        shutil.copyfile(run.probes, place / "probes.jsonl")
    name, judge, home = copy_name(point), record.judge, home_of(source, bases)
    save_untrained(source, home, place / name, judge.kind, seed, step_of(name) or 0, point.epoch, judge.classes)
    return Run.at(place)


def copy_name(point: Point) -> str:
    """What the untrained copy of a checkpoint is called: a name that says its step."""
    return point.name if step_of(point.name) is not None else "checkpoint-0"


def what_it_says(run: Run, checkpoint: str, views: Sequence[View]) -> list[Said]:
    """Of each analysis every headline that claims something, else its first one. Raises SchemaError."""
    found = []
    for view in views:
        record = ResultStore(run.results).newest(checkpoint, view.name)
        said = [Headline("", NOT_COMPUTED, False)] if record is None else headlines(view, record)
        claiming = [line for line in said if line.claims]
        found += [Said(view.name, line.text, line.claims) for line in claiming or said[:1]]
    return found


def report(run: Run, name: str, seed: int, said: Sequence[Said], pages: Path) -> None:
    """The table. Raises MidwatchError that names the analyses which claim something."""
    typer.echo(
        f"What an untrained copy of {name} (its config and tokenizer, fresh weights, seed {seed}) would have been "
        f"said to do, on the probes of {run.name}; pages in {pages}"
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("analysis", "claim", "headline"):
        table.add_column(heading, overflow="fold")
    for line in said:
        claim = "CLAIMS" if line.claims else "-" if line.text == NOT_COMPUTED else "claims nothing"
        table.add_row(line.analysis, claim, Text(line.text))
    Console().print(table)
    claiming = list(dict.fromkeys(line.analysis for line in said if line.claims))
    count = len({line.analysis for line in said if line.text != NOT_COMPUTED})
    analyses = counted(count, "analysis", "analyses")
    verb = "claims" if len(claiming) == 1 else "claim"
    if claiming:
        raise MidwatchError(
            f"{len(claiming)} of {analyses} {verb} something of a judge that learned nothing: "
            f"{', '.join(claiming)}. On these probes do not believe such a sentence of {run.name} either; give "
            "more prompts with --probes."
        )
    typer.echo(f"None of {analyses} claims anything of a judge that learned nothing.")
