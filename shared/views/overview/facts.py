"""What an overview knows of one checkpoint: the numbers of its row, each from one result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel

from shared.errors import SchemaError
from shared.findings.calibration import CalibrationResult
from shared.findings.comparison import ComparisonResult
from shared.findings.evaluation import Evaluation
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import Interval, typed_result
from shared.findings.progress import ProgressResult

if TYPE_CHECKING:
    from shared.findings.claims import ToExplain
    from shared.results import ResultRecord

Model = TypeVar("Model", bound=BaseModel)
READS = ("progress", "calibration", "comparison", "tokens", "evolution")
"""Analyses whose results an overview reads."""


class SetRates(NamedTuple):
    """How the checkpoint judges another named set of prompts, as `midwatch evaluate` measured it."""

    fnr: Interval | None
    fpr: Interval | None
    prompts: int
    """Labelled prompts of the set."""


class Verdicts(NamedTuple):
    """The judge's scores of the probe set."""

    scores: np.ndarray
    """(n,) nats, NaN where a prompt was left out; above 0 is unsafe."""
    unsafe: np.ndarray
    """(n,) boolean, by true label."""


@dataclass(frozen=True, eq=False)
class CheckpointFacts:
    """One checkpoint; None for what is missing, undefined or unreadable. Rates are of the probe set, 0 to 1."""

    name: str
    step: int
    epoch: float | None
    label: str
    """ "epoch 3" """
    probe_digest: str = ""
    """Of the probe set that it was judged on; empty without a result of `progress`."""
    fnr: Interval | None = None
    fpr: Interval | None = None
    auc: Interval | None = None
    unsafe: int = 0
    """Prompts of each label in the probe set that were judged."""
    safe: int = 0
    pairs: Interval | None = None
    """Share of the contrast pairs with both twins right."""
    val_loss: float | None = None
    """As logged at or before the checkpoint, nats."""
    ece: Interval | None = None
    ece_off: bool = False
    """Whether a calibrated judge hardly gets such an ECE."""
    compared: bool = False
    """Whether it is known if there is a divergence layer."""
    divergence_layer: int | None = None
    shortcut_share: float | None = None
    gap: float | None = None
    """Median completeness gap of the attributions, a share."""
    alarms: tuple[str, ...] = ()
    """What each alarm says, in brief."""
    separation: ToExplain | None = None
    tells: bool = False
    """Whether unsafe prompts score higher than safe ones by more than chance, in mean and in rank."""
    verdicts: Verdicts | None = None
    sets: Mapping[str, SetRates] = field(default_factory=dict)
    """Name of another set of prompts -> rates on it."""
    unreadable: tuple[str, ...] = ()
    """Analyses whose result is there and cannot be read."""

    @property
    def known(self) -> bool:
        """Whether there is any number of it."""
        return self.judged or self.compared or self.ece is not None or self.gap is not None or bool(self.sets)

    @property
    def judged(self) -> bool:
        """Whether its verdicts on the probe set are known."""
        return bool(self.probe_digest)


def facts_of(
    bare: CheckpointFacts,
    records: Mapping[str, ResultRecord],
    tensors: Mapping[str, np.ndarray],
    evaluations: Mapping[str, Evaluation] | None = None,
) -> CheckpointFacts:
    """`bare` (name, step, epoch, label) filled from the newest results by analysis.

    `tensors` are those of `progress` ("scores", "labels"), empty without; `evaluations` are by the name of their
    prompts. A payload that cannot be read leaves its numbers out and is named in `unreadable`.
    """
    found: dict[str, object] = dict(vars(bare))
    unreadable: list[str] = []
    for name, model, numbers in _NUMBERS:
        try:
            result = _typed(records, name, model)
        except SchemaError:
            unreadable.append(name)
            continue
        found |= numbers(result) if result is not None else {}
    if "progress" in records and "progress" not in unreadable:
        found |= {"probe_digest": records["progress"].probe_digest, "verdicts": _verdicts(tensors)}
    if "tokens" in records:  # two numbers of a large result: its summary has them
        summary = records["tokens"].summary
        found |= {"shortcut_share": summary.get("shortcut_share"), "gap": summary.get("gap_median")}
    found |= {"sets": _sets(evaluations or {}), "unreadable": (*bare.unreadable, *unreadable)}
    return CheckpointFacts(**found)  # type: ignore[arg-type]


def with_sets(facts: CheckpointFacts, evaluations: Mapping[str, Evaluation]) -> CheckpointFacts:
    """The same with the rates on other named prompts; `evaluations` are by the name of their prompts."""
    return replace(facts, sets=_sets(evaluations))


def _typed(records: Mapping[str, ResultRecord], name: str, model: type[Model]) -> Model | None:
    return typed_result(records[name], model) if name in records else None


def _progress(result: ProgressResult) -> dict[str, object]:
    counts = result.confusion
    rates = {name: result.probe.get(name) for name in ("fnr", "fpr", "auc")}
    return {
        **rates,
        "unsafe": counts.get("true_positive", 0) + counts.get("false_negative", 0),
        "safe": counts.get("true_negative", 0) + counts.get("false_positive", 0),
        "pairs": result.contrast_accuracy,
        "val_loss": result.metrics.get("val", {}).get("loss"),
        "separation": result.separation,
        "tells": result.tells_classes_apart and not result.separation.reversed,
    }


def _calibration(result: CalibrationResult) -> dict[str, object]:
    told = result.reliability  # none where the head states no probability
    return {} if told is None else {"ece": told.error, "ece_off": told.off}


def _comparison(result: ComparisonResult) -> dict[str, object]:
    return {"compared": True, "divergence_layer": result.divergence_layer}


def _evolution(result: EvolutionResult) -> dict[str, object]:
    return {"alarms": tuple(alert.brief for alert in result.alerts if alert.severity == "alarm")}


_NUMBERS: tuple[tuple[str, type[BaseModel], Callable[[Any], dict[str, object]]], ...] = (
    ("progress", ProgressResult, _progress),
    ("calibration", CalibrationResult, _calibration),
    ("comparison", ComparisonResult, _comparison),
    ("evolution", EvolutionResult, _evolution),
)


def _verdicts(tensors: Mapping[str, np.ndarray]) -> Verdicts | None:
    if not {"scores", "labels"} <= tensors.keys() or len(tensors["scores"]) != len(tensors["labels"]):
        return None
    return Verdicts(tensors["scores"].astype(float), tensors["labels"] == 1)


def _sets(evaluations: Mapping[str, Evaluation]) -> dict[str, SetRates]:
    return {
        name: SetRates(found.verdicts.rates.get("fnr"), found.verdicts.rates.get("fpr"), found.data.labelled)
        for name, found in sorted(evaluations.items())
        if found.verdicts is not None
    }
