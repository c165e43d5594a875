"""Where an evaluation lies in a run, and its files: written in one step each, read by pages and dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.checkpoint_names import slug
from shared.csv_text import Cell, csv_bytes
from shared.files import read_record, write_bytes_atomic, write_record
from shared.findings.evaluation import Evaluation
from shared.own_folders import list_directory
from shared.run import Run

TEST = "test"
"""Name of the run's own held-out test split among the data of its evaluations."""
COLUMNS = (
    "prompt", "response", "label", "predicted", "correct", "score", "probability", "category", "language", "style",
    "source", "group", "pair",
)  # fmt: skip
"""Of predictions.csv."""


@dataclass(frozen=True)
class EvaluationPlace:
    """One checkpoint's evaluation on one set of prompts."""

    run: Run
    checkpoint: str
    data: str
    """What the prompts are called: a plain name, see `data_name`."""

    @property
    def folder(self) -> Path:
        return self.run.evaluations / self.checkpoint / self.data

    @property
    def record(self) -> Path:
        return self.folder / "evaluation.json"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.csv"

    @property
    def page(self) -> Path:
        of_data = "" if self.data == TEST else f"_{self.data}"
        return self.run.visualizations / f"evaluation_{slug(self.checkpoint)}{of_data}.html"

    def write(self, found: Evaluation) -> None:
        """Replace evaluation.json. Raises OSError."""
        write_record(self.record, found)

    def read(self) -> Evaluation:
        """Raises FileNotFoundError, or SchemaError with the reason."""
        return read_record(self.record, Evaluation)

    def write_predictions(self, rows: Iterable[Mapping[str, Cell]]) -> None:
        """Replace predictions.csv; rows have some of `COLUMNS`. Raises OSError."""
        write_bytes_atomic(self.predictions, csv_bytes(COLUMNS, rows))


def all_evaluations(run: Run) -> list[EvaluationPlace]:
    """Every evaluation that a run has, by checkpoint's name and data; none of them is read."""
    return [
        EvaluationPlace(run, checkpoint, data)
        for checkpoint in list_directory(run.evaluations)
        for data in list_directory(run.evaluations / checkpoint)
        if EvaluationPlace(run, checkpoint, data).record.is_file()
    ]


def data_name(source: str) -> str:
    """What prompts of a file, preset or data set are called; never as the run's own test split."""
    name = slug(Path(source).stem)
    return f"{name}_data" if name == TEST else name
