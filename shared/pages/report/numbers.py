"""The judge at a glance: its error rates and what else is looked at first, at the checkpoints that are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from pydantic import BaseModel

from shared.errors import SchemaError
from shared.findings.calibration import CalibrationResult, OperatingPoint
from shared.findings.comparison import ComparisonResult
from shared.findings.parts import layer_name, typed_result
from shared.findings.progress import ProgressResult
from shared.findings.rates import rate, share
from shared.pages.report.gather import Material, Shown
from shared.pages.report.parts import Grid

Model = TypeVar("Model", bound=BaseModel)
MISSING = "–"
BASELINES = {"tfidf": "TF-IDF with logistic regression", "length": "length alone"}


class Typed(NamedTuple):
    """What the table reads of one checkpoint."""

    progress: ProgressResult | None
    calibration: CalibrationResult | None
    comparison: ComparisonResult | None


def typed(shown: Shown) -> Typed:
    """The typed results of a checkpoint; None for what is missing or cannot be read (its section says so)."""
    return Typed(
        _read(shown, "progress", ProgressResult),
        _read(shown, "calibration", CalibrationResult),
        _read(shown, "comparison", ComparisonResult),
    )


def _read(shown: Shown, name: str, model: type[Model]) -> Model | None:
    try:
        return typed_result(shown.records[name], model) if name in shown.records else None
    except SchemaError:
        return None


def at_a_glance(material: Material) -> Grid:
    """A row a number, a column a checkpoint, the earliest first."""
    columns = sorted(material.shown, key=lambda each: material.checkpoints.index(each.name))
    found = [typed(each) for each in columns]
    rows = [[title, *(value(each) for each in found)] for title, value in _ROWS]
    kept = [row for row in rows if any(cell != MISSING for cell in row[1:])]
    return Grid(
        "The judge in numbers",
        ["", *(each.title for each in columns)],
        kept,
        _note(material, found[-1]),
    )


def _judged(found: Typed) -> int:
    """Prompts of the probe set that were judged: a rate of few has no decimals."""
    return sum(found.progress.confusion.values()) if found.progress else 0


def _probe(name: str) -> Callable[[Typed], str]:
    return lambda found: rate(found.progress.probe.get(name), _judged(found)) if found.progress else MISSING


def _logged(name: str) -> Callable[[Typed], str]:
    def cell(found: Typed) -> str:
        value = found.progress.metrics.get("val", {}).get(name) if found.progress else None
        return MISSING if value is None else share(value)

    return cell


def _pairs(found: Typed) -> str:
    return rate(found.progress.contrast_accuracy, _judged(found)) if found.progress else MISSING


def _caught(fpr: float) -> Callable[[Typed], str]:
    def cell(found: Typed) -> str:
        point: OperatingPoint | None = found.calibration.at(fpr) if found.calibration else None
        if point is None:
            return MISSING
        few = "" if point.resolved else f"; of {point.negatives} safe prompts none refused"
        return rate(point.tpr, _judged(found)) + few

    return cell


def _ece(found: Typed) -> str:
    told = found.calibration.reliability if found.calibration else None
    if told is None:
        return MISSING
    return f"{told.error.value:.3f} [{told.error.low:.3f}, {told.error.high:.3f}], {told.by_chance:.3f} by chance"


def _divergence(found: Typed) -> str:
    return layer_name(found.comparison.divergence_layer) if found.comparison else MISSING


_ROWS: Sequence[tuple[str, Callable[[Typed], str]]] = (
    ("Unsafe prompts passed as safe (FNR)", _probe("fnr")),
    ("Safe prompts refused (FPR)", _probe("fpr")),
    ("Accuracy", _probe("accuracy")),
    ("F1", _probe("f1")),
    ("AUC", _probe("auc")),
    ("Contrast pairs with both twins right", _pairs),
    ("Unsafe prompts caught at 1 % FPR", _caught(0.01)),
    ("Unsafe prompts caught at 5 % FPR", _caught(0.05)),
    ("Unsafe prompts caught at 20 % FPR", _caught(0.2)),
    ("Calibration error (ECE)", _ece),
    ("Divergence layer", _divergence),
    ("Validation accuracy, as logged", _logged("accuracy")),
    ("Validation AUC, as logged", _logged("auc")),
)


def _note(material: Material, newest: Typed) -> str:
    """What the numbers rest on, and what needs no transformer beside them."""
    rests = "Of the probe set where nothing else is said"
    if newest.progress is not None:
        counts = newest.progress.confusion
        unsafe = counts.get("true_positive", 0) + counts.get("false_negative", 0)
        safe = counts.get("true_negative", 0) + counts.get("false_positive", 0)
        rests += f" ({unsafe} unsafe and {safe} safe prompts)"
    beside = [
        f"{title} {share(values['accuracy'])}"
        for name, title in BASELINES.items()
        if (values := (material.record.baselines if material.record else {}).get(name)) and "accuracy" in values
    ]
    without = f" Validation accuracy without a transformer: {', '.join(beside)}." if beside else ""
    return f"{rests}; square brackets are 95 % intervals over groups of prompts, logged numbers have none.{without}"
