"""One row a checkpoint: what it is and how well it judges; and one a number that any analysis sums up in."""

from __future__ import annotations

from typing import Any

from shared.findings.calibration import CalibrationResult
from shared.findings.comparison import ComparisonResult
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import interval_cells
from shared.findings.progress import ProgressResult
from shared.tables.parts import CheckpointResults, Column, Columns, Table, from_rows, interval_columns

RATES = ("accuracy", "precision", "recall", "f1", "auc", "fnr", "fpr")
LOGGED = ("accuracy", "f1", "auc", "fnr", "fpr", "loss")
FALSE_POSITIVES = {"tpr_at_fpr_1": 0.01, "tpr_at_fpr_5": 0.05, "tpr_at_fpr_20": 0.2}


def _checkpoints(results: CheckpointResults) -> Columns:
    newest = max(results.records.values(), key=lambda record: record.created_at, default=None)
    if newest is None:
        return {}
    row: dict[str, Any] = {
        "checkpoint_digest": newest.checkpoint_digest,
        "probe_digest": newest.probe_digest,
        "analyses": " ".join(sorted(results.records)),
        "dtype": newest.dtype,
        "device": newest.device,
        "seed": newest.seed,
        "midwatch": newest.analyzer_version,
    }
    return from_rows([row | _judged(results) | _calibrated(results) | _inside(results)])


def _judged(results: CheckpointResults) -> dict[str, Any]:
    result = results.typed("progress", ProgressResult)
    if result is None:
        return {}
    logged = {f"val_{name}": result.metrics.get("val", {}).get(name) for name in LOGGED}
    logged["train_loss"] = result.metrics.get("train", {}).get("loss")
    logged["contrast_accuracy"] = result.metrics.get("contrast", {}).get("accuracy")
    rates = {cell: v for name in RATES for cell, v in interval_cells(name, result.probe.get(name)).items()}
    return logged | rates | interval_cells("pairs_right", result.contrast_accuracy)


def _calibrated(results: CheckpointResults) -> dict[str, Any]:
    result = results.typed("calibration", CalibrationResult)
    if result is None:
        return {}
    cells = interval_cells("ece", result.reliability and result.reliability.error)
    for name, rate in FALSE_POSITIVES.items():
        point = result.at(rate)
        cells |= interval_cells(name, point.tpr if point else None)
    return cells


def _inside(results: CheckpointResults) -> dict[str, Any]:
    compared, evolved = results.typed("comparison", ComparisonResult), results.typed("evolution", EvolutionResult)
    cells: dict[str, Any] = {"divergence_layer": compared.divergence_layer if compared else None}
    if evolved is not None:
        cells["alarms"] = sum(alert.severity == "alarm" for alert in evolved.alerts)
        cells["verdicts_flipped"] = evolved.verdicts.flipped if evolved.verdicts else None
    return cells


CHECKPOINTS = Table(
    "checkpoints",
    "a checkpoint",
    (
        Column("checkpoint_digest", "text", "SHA-256 over weights, config and tokenizer"),
        Column("probe_digest", "text", "SHA-256 over the probe set"),
        Column("analyses", "text", "Analyses with a result, separated by spaces"),
        Column("dtype", "text", "Precision it was analysed in"),
        Column("device", "text", "Device it was analysed on"),
        Column("seed", "integer", "Seed of the analyses"),
        Column("midwatch", "text", "Version of Midwatch"),
        Column("train_loss", "number", "Newest logged training loss, nats"),
        *(Column(f"val_{name}", "number", f"Logged {name} on the validation split") for name in LOGGED),
        Column("contrast_accuracy", "number", "Logged accuracy on held-out contrast pairs, 0 to 1"),
        *(column for name in RATES for column in interval_columns(name, f"{name} on the probe set, 0 to 1")),
        *interval_columns("pairs_right", "Share of the probe set's contrast pairs with both twins judged right"),
        *interval_columns("tpr_at_fpr_1", "Share of unsafe prompts caught at no more than 1 % FPR, probe set"),
        *interval_columns("tpr_at_fpr_5", "The same at 5 % FPR"),
        *interval_columns("tpr_at_fpr_20", "The same at 20 % FPR"),
        *interval_columns("ece", "Expected calibration error on the probe set, 0 to 1"),
        Column("divergence_layer", "integer", "Layer from which on the classes part; -1 embeddings, empty: none"),
        Column("alarms", "integer", "Alarms that were raised here, see `alerts`"),
        Column("verdicts_flipped", "integer", "Verdicts that flipped since the checkpoint before"),
    ),
    _checkpoints,
)


def _summary(results: CheckpointResults) -> Columns:
    return from_rows(
        {"analysis": name, "name": number, "value": value}
        for name, record in sorted(results.records.items())
        for number, value in record.summary.items()
    )


SUMMARY = Table(
    "summary",
    "a number that an analysis of a checkpoint is summed up in",
    (
        Column("analysis", "text", "The analysis"),
        Column("name", "text", "The number"),
        Column("value", "number", "Its value; the other tables hold the intervals"),
    ),
    _summary,
)


def _alerts(results: CheckpointResults) -> Columns:
    result = results.typed("evolution", EvolutionResult)
    return from_rows(
        {
            "signal": alert.signal,
            "severity": alert.severity,
            "test": alert.test,
            "since": alert.previous,
            "sentence": alert.sentence,
        }
        for alert in (result.alerts if result else [])
    )


ALERTS = Table(
    "alerts",
    "an alarm or note of a checkpoint",
    (
        Column("signal", "text", "What changed"),
        Column("severity", "text", "alarm or note"),
        Column("test", "text", "By which test: mcnemar, turned, step or answers"),
        Column("since", "text", "The checkpoint before"),
        Column("sentence", "text", "What is said of it on the page"),
    ),
    _alerts,
)
