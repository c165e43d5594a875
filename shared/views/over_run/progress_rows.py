"""The table of a run: its numbers by checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.views.over_run.progress_plots import comprehensiveness
from shared.views.over_run.run_results import RunResults

if TYPE_CHECKING:
    from shared.findings.calibration import CalibrationResult

_TABLE_METRICS = (
    ("train", "loss"),
    *(("val", name) for name in ("loss", "accuracy", "f1", "auc", "fnr", "fpr")),
    ("contrast", "accuracy"),
)


def run_rows(run: RunResults) -> list[dict[str, Any]]:
    """One row a checkpoint, newest first: the numbers of the curves, None where there is none."""
    rows = []
    for step in sorted(run.epochs, reverse=True):
        progress = run.typed.get("progress", {}).get(step)
        tokens = run.typed.get("tokens", {}).get(step)
        compared = run.typed.get("comparison", {}).get(step)
        row: dict[str, Any] = {"step": step, "epoch": run.epochs[step]}
        for split, name in _TABLE_METRICS:
            row[f"{split}_{name}"] = progress and _rounded(progress.metrics.get(split, {}).get(name))
        for name in ("auc", "fnr", "fpr"):
            value = progress and progress.probe.get(name)
            row[f"probe_set_{name}"] = value and _rounded(value.value)
        contrast = progress and progress.contrast_accuracy
        row["probe_set_pairs_right"] = contrast and _rounded(contrast.value)
        told = run.typed.get("calibration", {}).get(step)
        row |= _calibration_cells(told)
        row["probe_auroc_last_layer"] = compared and _rounded(compared.points[-1].auroc.value)
        row["divergence_layer"] = compared and compared.divergence_layer
        faithful = tokens and comprehensiveness(tokens, "integrated_gradients")
        row["comprehensiveness"] = faithful and _rounded(faithful.value)
        row["shortcut_share"] = tokens and _rounded(tokens.shortcut_share)
        row["gap_median"] = tokens and _rounded(tokens.gap_median)
        row["gap_worst"] = tokens and _rounded(tokens.gap_worst)
        rows.append(row)
    return rows


def _calibration_cells(result: CalibrationResult | None) -> dict[str, float | bool | None]:
    point, mass = (result.at(0.01), result.answers) if result is not None else (None, None)
    sharp = point and point.tpr
    cells = {
        "tpr_at_fpr_1": sharp and _rounded(sharp.value),
        "tpr_at_fpr_1_resolved": point and point.resolved,
        "ece": result and result.reliability and _rounded(result.reliability.error.value),
    }
    return cells | ({} if mass is None else {"answer_mass": _rounded(mass.mass["all"].value)})


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
