"""What `midwatch attack` does: which checkpoint, from which prompts, how long; then a table of what was found."""

from __future__ import annotations

from typing import ClassVar, Literal

import typer
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer.attack.room import require_pyribs
from analyzer.commands.settings import ONE_CHECKPOINT, PLACES_AND_HARDWARE, TaskSettings
from analyzer.jobs.tasks import AttackTask
from shared.attacks import AttackPlace
from shared.findings.attack import AttackArchive, Direction
from shared.findings.attack_sentences import depth, headline, over_checkpoints, share, strongest
from shared.prompts.load import refuse_missing
from shared.prompts.source_settings import SourceSettings
from shared.records import Label
from shared.user_paths import expanded

BOTH: tuple[Label, ...] = ("unsafe", "safe")


class AttackSettings(TaskSettings, SourceSettings):
    """Settings of `midwatch attack`."""

    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        **ONE_CHECKPOINT,
        "From which prompts": ("data", "fresh", *SourceSettings.model_fields),
        "The search": ("budget", "direction", "seed", "transfer", "force"),
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
    about = chosen(settings)
    task = AttackTask(
        source=_source(settings.data),
        fresh=_source(settings.fresh),
        reading=settings.reading,
        labels=BOTH if settings.direction == "both" else (settings.direction,),
        budget=settings.budget,
        seed=settings.seed,
        transfer=settings.transfer,
        force=settings.force,
    )
    carry_out(settings, about, task, others=settings.transfer)
    place = AttackPlace(about.run, about.point.name)
    summarise(place.read_archive(), place)


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
    for sentence in filter(None, (depth(archive), over_checkpoints(archive), *archive.notes)):
        console.print(Text(sentence))
    for path in (place.page, place.attacks, place.additions, place.fresh):
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


def _source(given: str | None) -> str | None:
    """A path made whole, since the worker is elsewhere; anything else as it is. Raises UsageError for none."""
    if given is None:
        return None
    refuse_missing(given)
    path = expanded(given)
    return str(path.resolve()) if path.exists() else given
