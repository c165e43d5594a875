"""epoch_{N}_metrics.json: one checkpoint's numbers, flat, for scripts and spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.findings.calibration import CalibrationResult
from shared.findings.comparison import ComparisonResult
from shared.findings.parts import Interval, interval_cells, typed_result
from shared.findings.progress import ProgressResult
from shared.findings.tokens import TokensResult
from shared.records import Notice
from shared.results import ResultRecord

SPLIT_METRICS = ("accuracy", "loss", "f1", "auc", "precision", "recall", "fnr", "fpr")
"""Always there for train_ and val_, as null where nothing was logged."""
IN_METRICS = ("progress", "calibration", "comparison", "tokens")
"""Analyses whose numbers stand in the file, in its order."""


def checkpoint_metrics(records: Mapping[str, ResultRecord], notices: Sequence[Notice]) -> dict[str, Any]:
    """Analysis name -> result, of one checkpoint, as one flat object; what is missing is None.

    `notices` are those that still stand.

    Raises SchemaError when a payload is not what its analysis says.
    """
    record = next(iter(records.values()))
    values: dict[str, Any] = {
        "epoch": record.epoch,
        "step": record.step,
        "checkpoint": record.checkpoint,
        "checkpoint_digest": record.checkpoint_digest,
        "probe_digest": record.probe_digest,
        "analyzer_version": record.analyzer_version,
    }
    values |= {f"{split}_{name}": None for split in ("train", "val") for name in SPLIT_METRICS}
    for name in IN_METRICS:
        if name in records:
            values |= analysis_metrics(records[name])
    values["warnings"] = sorted({warning for each in records.values() for warning in each.warnings})
    values["notices"] = [notice.model_dump(mode="json") for notice in notices]
    return values


def analysis_metrics(record: ResultRecord) -> dict[str, Any]:
    """What the file holds of one of the analyses `IN_METRICS`; nothing of others. Raises SchemaError."""
    if record.analysis == "progress":
        return _progress(typed_result(record, ProgressResult))
    if record.analysis == "calibration":
        return _calibration(typed_result(record, CalibrationResult))
    if record.analysis == "comparison":
        return _comparison(typed_result(record, ComparisonResult))
    return _tokens(typed_result(record, TokensResult)) if record.analysis == "tokens" else {}


def _progress(result: ProgressResult) -> dict[str, Any]:
    logged = {
        f"{split}_{name}": value for split, metrics in result.metrics.items() for name, value in metrics.items()
    }
    probe = {
        cell: v
        for name, value in result.probe.items()
        for cell, v in interval_cells(f"probe_{name}", value).items()
    }
    baselines = {
        f"baseline_{kind}_{name}": value
        for kind, metrics in result.baselines.items()
        for name, value in metrics.items()
    }
    pairs = interval_cells("probe_pairs_right", result.contrast_accuracy)
    confusion = {f"probe_{cell}": count for cell, count in result.confusion.items()}
    return logged | probe | pairs | confusion | baselines | {"probe_leaks": result.leak_count}


def _calibration(result: CalibrationResult) -> dict[str, Any]:
    """Operating points by their rate in percent ("tpr_at_fpr_0.1"), the ECE, and what answers in words hold."""
    values: dict[str, Any] = {}
    for each in result.points:
        if each.kind in ("fpr", "wanted"):
            name = f"fpr_{100 * (each.rate or 0):g}"
            values |= interval_cells(f"tpr_at_{name}", each.tpr) | {f"{name}_resolved": each.resolved}
            values |= interval_cells(f"threshold_at_{name}", each.threshold)
        elif each.kind == "balanced":
            values |= interval_cells("best_threshold", each.threshold)
    values["best_balanced_accuracy_held_out"] = result.balanced_held_out
    told = result.reliability
    values |= interval_cells("ece", told and told.error)
    values |= {"ece_by_chance": told and told.by_chance, "ece_p_value": told and told.p_value}
    values |= interval_cells("overconfidence", told and told.overconfidence)
    for name, mass in result.answers.mass.items() if result.answers else ():
        values |= interval_cells("answer_mass" if name == "all" else f"answer_mass_{name}", mass)
    return values


def _comparison(result: ComparisonResult) -> dict[str, Any]:
    return {
        "layers": result.layers,
        "frozen_boundary": result.frozen_boundary,
        "divergence_layer": result.divergence_layer,
        **interval_cells("probe_auroc_last_layer", result.points[-1].auroc),
        "control_auroc_p95_last_layer": result.points[-1].control_p95,
        **interval_cells("judge_auroc", result.decision_auroc),
    }


def _tokens(result: TokensResult) -> dict[str, Any]:
    scored: dict[str, Interval] = {}
    for each in result.faithfulness:
        scored[f"comprehensiveness_{each.method}"] = each.comprehensiveness
        scored[f"sufficiency_{each.method}"] = each.sufficiency
    faithful = {cell: v for name, value in scored.items() for cell, v in interval_cells(name, value).items()}
    return {
        "attribution_gap_median": result.gap_median,
        "attribution_gap_worst": result.gap_worst,
        "attribution_share_converged": result.share_converged,
        "shortcut_share": result.shortcut_share,
        **faithful,
    }
