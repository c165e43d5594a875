"""What `midwatch evaluate` does: which checkpoint, on which prompts; then says where everything is."""

from __future__ import annotations

from typing import ClassVar

import typer

from analyzer.commands.one_task import carry_out, chosen
from analyzer.commands.settings import ONE_CHECKPOINT, PLACES_AND_HARDWARE, TaskSettings
from analyzer.jobs.tasks import EvaluateTask
from shared.errors import UsageError
from shared.evaluations import EvaluationPlace, data_name
from shared.prompts.source_settings import SourceSettings
from shared.user_paths import expanded


class EvaluateSettings(TaskSettings, SourceSettings):
    """Settings of `midwatch evaluate`."""

    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        **ONE_CHECKPOINT,
        "On which prompts": ("data", *SourceSettings.model_fields, "seed"),
        **PLACES_AND_HARDWARE,
    }
    data: str | None = None
    """Prompts to evaluate on: a .jsonl, .json, .csv, .tsv or .parquet file, a preset, or a data set's name. The
    run's own held-out test split when not given."""
    seed: int = 0
    """Seed of bootstrap intervals."""

    @property
    def reading(self) -> SourceSettings:
        """How the prompts are read."""
        return SourceSettings.model_validate({name: getattr(self, name) for name in SourceSettings.model_fields})


def evaluate(settings: EvaluateSettings) -> None:
    """Raises UsageError for what cannot be read as prompts, MidwatchError for what failed."""
    about = chosen(settings)
    task = _task(settings)
    carry_out(settings, about, task)
    place = EvaluationPlace(about.run, about.point.name, task.name)
    typer.echo(f"{about.run.name}/{about.point.name}: predictions in {place.predictions}")


def _task(settings: EvaluateSettings) -> EvaluateTask:
    if settings.data is None:
        raise UsageError(f"{settings.run} keeps no test split of its own; give labelled prompts with --data FILE.")
    path = expanded(settings.data)
    source = str(path.resolve()) if path.exists() else settings.data
    return EvaluateTask(name=data_name(source), source=source, reading=settings.reading, seed=settings.seed)
