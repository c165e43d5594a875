"""What `midwatch evaluate` does: which checkpoint, on which prompts; then says where everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from analyzer.commands.settings import ONE_CHECKPOINT, PLACES_AND_HARDWARE, TaskSettings
from analyzer.jobs.tasks import EvaluateTask
from shared.errors import UsageError
from shared.evaluations import TEST, EvaluationPlace, data_name
from shared.json_answer import JsonSettings, files_told, print_json
from shared.prompts.load import refuse_missing
from shared.prompts.source_settings import SourceSettings
from shared.user_paths import expanded

if TYPE_CHECKING:
    from analyzer.commands.one_task import Chosen


class EvaluateSettings(TaskSettings, SourceSettings, JsonSettings):
    """Settings of `midwatch evaluate`."""

    example = "midwatch evaluate runs/judge --checkpoint best --data prompts.jsonl"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        **ONE_CHECKPOINT,
        "On which prompts": ("data", *SourceSettings.model_fields),
        "What is told": ("mistakes", "seed", "as_json"),
        **PLACES_AND_HARDWARE,
    }
    data: str | None = None
    """Prompts to evaluate on: a .jsonl, .json, .csv, .tsv or .parquet file, a preset, or a data set's name; of
    prompts without labels there are predictions only. The run's own held-out test split when not given."""
    mistakes: int = Field(6, ge=0)
    """Wrong verdicts of each kind, missed and refused, that are shown with what each word did to them."""
    seed: int = Field(0, ge=0)
    """Seed of bootstrap intervals."""

    @property
    def reading(self) -> SourceSettings:
        """How the prompts are read."""
        return SourceSettings.model_validate({name: getattr(self, name) for name in SourceSettings.model_fields})


def evaluate(settings: EvaluateSettings) -> None:
    """Raises UsageError for what cannot be read as prompts, MidwatchError for what failed."""
    from analyzer.commands.evaluation_table import show  # what the other commands' --help need not load
    from analyzer.commands.one_task import carry_out, chosen

    about = chosen(settings)
    task = _task(settings, about)
    carry_out(settings, about, task)
    place = EvaluationPlace(about.run, about.point.name, task.name)
    found = place.read()
    if settings.as_json:
        files = files_told([place.page, place.record, place.predictions])
        return print_json("evaluate", about.run.path, {"evaluation": found.model_dump(mode="json"), "files": files})
    show(place, found)
    return None


def _task(settings: EvaluateSettings, about: Chosen) -> EvaluateTask:
    told = {"chosen": about.why, "mistakes": settings.mistakes, "seed": settings.seed}
    if settings.data is None:
        if not about.run.test.is_file():
            raise UsageError(
                f"{about.run.name} keeps no test split of its own ({about.run.test.name}); give prompts with "
                "--data FILE."
            )
        return EvaluateTask(name=TEST, source=str(about.run.test), **told)
    path = expanded(settings.data)
    source = str(path.resolve()) if path.exists() else settings.data
    refuse_missing(settings.data)  # all else is said by the worker, which reads it
    return EvaluateTask(name=data_name(source), source=source, reading=settings.reading, **told)
