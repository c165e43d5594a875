"""The panel over a whole run: what is plotted, its words and its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.kit.layer_axis import layer_axis
from shared.figures.run.grid import Curve, Line, Plot, progress_figure
from shared.findings.parts import Interval, layer_name
from shared.findings.text import counted, percent
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.over_run.run_results import RunResults, logged_curve

if TYPE_CHECKING:
    from shared.findings.calibration import CalibrationResult
    from shared.findings.tokens import TokensResult
    from shared.records import MetricsLine


def run_panel(run: RunResults, records: Sequence[ResultRecord], lines: Sequence[MetricsLine]) -> Panel:
    """Training progress: `run` as read from `records`, and the logged metrics."""
    x_title = "epoch" if run.x_is_epoch else "optimizer step"
    return Panel(
        stem="training_progress",
        title="Training progress",
        figure=progress_figure(_plots(run, lines), x_title, *_run_title(run)),
        caption=_run_caption(run),
        alt=_run_alt(run),
        rows=_run_rows(run),
        badge=_run_badge(run, records),
    )


def _plots(run: RunResults, lines: Sequence[MetricsLine]) -> list[Plot]:
    """Left column: how the judge performs; right column: what goes on inside it."""
    return [*_performance_plots(run, lines), *_inside_plots(run)]


def _performance_plots(run: RunResults, lines: Sequence[MetricsLine]) -> list[Plot]:
    def logged(split: str, name: str) -> Curve:
        return logged_curve(run, lines, split, name)

    def probe(name: str) -> Curve:
        return run.curve("progress", lambda result: result.probe.get(name))

    missing = "not logged, and no result yet"
    return [
        Plot(
            "loss (nats)",
            [Line("training", logged("train", "loss"), "train"), Line("validation", logged("val", "loss"), "val")],
            missing,
            limits=(0, None),
        ),
        Plot(
            "validation share",
            [
                Line("accuracy", logged("val", "accuracy"), "accuracy"),
                Line("F1", logged("val", "f1"), "f1"),
                Line("AUC", logged("val", "auc"), "auc"),
            ],
            missing,
            limits=(None, 1.01),
            levels=_baseline_levels(run, "accuracy"),
        ),
        Plot(
            "error rate",
            [
                Line("FNR", logged("val", "fnr"), "fnr"),
                Line("FPR", logged("val", "fpr"), "fpr"),
                Line("FNR probe set", probe("fnr"), "fnr_probe"),
                Line("FPR probe set", probe("fpr").without_interval(), "fpr_probe"),
            ],
            missing,
            limits=(0, None),
        ),
        Plot(
            "contrast pairs (share)",
            [
                Line("accuracy", logged("contrast", "accuracy"), "contrast"),
                Line(
                    "both twins right",
                    run.curve("progress", lambda result: result.contrast_accuracy),
                    "probe_contrast",
                ),
            ],
            "no contrast pairs logged or analysed",
            limits=(0, 1.02),
            levels=_baseline_levels(run, "contrast_accuracy"),
        ),
        Plot(
            "at a threshold (share)",
            [
                Line(_sharp_name(run), run.curve("calibration", lambda result: _caught(result, 0.01)), "tpr"),
                Line(
                    "TPR at 20 % FPR",
                    run.curve("calibration", lambda r: _caught(r, 0.2)).without_interval(),
                    "tpr_loose",
                ),
            ],
            "no calibration result yet",
            limits=(0, 1.02),
        ),
        Plot(
            "learning rate",
            [Line("learning rate", logged("train", "learning_rate"), "rate")],
            missing,
            limits=(0, None),
            axis={"tickformat": ".1e"},
        ),
        *(_mass_plots(run)),
    ]


def _mass_plots(run: RunResults) -> list[Plot]:
    """Of judges that answer in words: what their answers hold where the verdict is read."""
    if not _answers_in_words(run):
        return []

    def held(name: str) -> Curve:
        return run.curve("calibration", lambda result: result.answers and result.answers.mass.get(name))

    lines = [Line(f"{name} prompts", held(name), f"mass_{name}") for name in ("safe", "unsafe")]
    return [Plot("answer mass (probability)", lines, "no result yet", limits=(0, 1.02))]


def _answers_in_words(run: RunResults) -> bool:
    return any(result.answers is not None for result in run.typed.get("calibration", {}).values())


def _caught(result: CalibrationResult, rate: float) -> Interval | None:
    """TPR at a false-positive rate."""
    point = result.at(rate)
    return None if point is None else point.tpr


def _sharp_name(run: RunResults) -> str:
    """What the safe prompts allow to be said: of fewer than 100 it is the TPR with none of them refused."""
    return "TPR at 1 % FPR" if _resolved(run) else "TPR, no safe refused"


def _resolved(run: RunResults) -> bool:
    points = [result.at(0.01) for result in run.typed.get("calibration", {}).values()]
    return all(point.resolved for point in points if point is not None)


def _inside_plots(run: RunResults) -> list[Plot]:
    missing = "no result yet"

    def faithful(method: str) -> Curve:
        return run.curve("tokens", lambda result: _comprehensiveness(result, method))

    compared = list(run.typed.get("comparison", {}).values())
    layers = max((result.layers for result in compared), default=1)
    bound = [result.gap_bound for result in run.typed.get("tokens", {}).values()]
    return [
        Plot(
            "AUROC, last layer",
            [
                Line("probe", run.curve("comparison", lambda r: r.points[-1].auroc), "inside"),
                Line("judge", run.curve("comparison", lambda r: r.decision_auroc), "judge"),
                Line("shuffled labels", run.curve("comparison", lambda r: r.points[-1].control_p95), "random"),
            ],
            missing,
            limits=(0.4, 1.02),
        ),
        Plot(
            "divergence layer",
            [Line("divergence layer", run.curve("comparison", lambda r: r.divergence_layer), "layer")],
            "no divergence layer at any checkpoint" if compared else missing,
            levels={"first that trains": float(compared[-1].frozen_boundary)} if compared else {},
            axis=layer_axis(layers, most=7),
        ),
        Plot(
            "comprehensiveness",
            [
                Line("integrated gradients", faithful("integrated_gradients"), "faithful"),
                Line("random words", faithful("random"), "random"),
            ],
            missing,
        ),
        Plot(
            "shortcut share",
            [Line("special, punctuation, stop words", run.curve("tokens", lambda r: r.shortcut_share), "shortcut")],
            missing,
            limits=(0, 1.02),
        ),
        Plot(
            "attribution gap (share)",
            [
                Line("median", run.curve("tokens", lambda r: r.gap_median), "median"),
                Line("worst", run.curve("tokens", lambda r: r.gap_worst), "worst"),
            ],
            missing,
            limits=(0, None),
            levels={"bound": bound[-1]} if bound else {},
        ),
        *_calibration_plots(run),
    ]


def _calibration_plots(run: RunResults) -> list[Plot]:
    """How far probabilities are off; the sign of it where the left column has one plot more, too."""
    missing = "no calibration result yet"
    error = Plot(
        "calibration error (ECE)",
        [
            Line("judge", run.curve("calibration", lambda result: result.reliability.error), "judge"),
            Line("by chance", run.curve("calibration", lambda result: result.reliability.by_chance), "random"),
        ],
        missing,
        limits=(0, None),
    )
    surer = run.curve("calibration", lambda result: result.reliability.overconfidence)
    sign = Plot("confidence − accuracy", [Line("overconfidence", surer, "worst")], missing)
    return [error, sign] if _answers_in_words(run) else [error]


def _comprehensiveness(result: TokensResult, method: str) -> Interval | None:
    return next((scored.comprehensiveness for scored in result.faithfulness if scored.method == method), None)


def _baseline_levels(run: RunResults, metric: str) -> dict[str, float]:
    """The newest result's baselines for one metric, named as in the legend."""
    names: dict[str, str] = {"tfidf": "TF-IDF"}
    results = run.typed.get("progress", {})
    baselines: dict[str, dict[str, float]] = results[max(results)].baselines if results else {}
    return {names.get(name, name): values[metric] for name, values in baselines.items() if metric in values}


def _run_title(run: RunResults) -> tuple[str, str]:
    """The newest checkpoint's message, and what the columns hold."""
    steps = sorted(run.epochs)
    if not steps:
        return "Training progress", "no checkpoint analysed yet"
    newest = steps[-1]
    found = []
    progress, compared = (run.typed.get(name, {}).get(newest) for name in ("progress", "comparison"))
    if progress is not None and "fnr" in progress.probe:
        found.append(f"{percent(progress.probe['fnr'].value)} of unsafe prompts pass as safe")
    if compared is not None:
        at = compared.divergence_layer
        found.append("no divergence layer" if at is None else f"divergence at {layer_name(at)}")
    return f"{run.label(newest).capitalize()}: {', '.join(found) or 'analysed'}", (
        f"{_checkpoints(len(steps))} analysed · left: how the judge performs · right: what goes on inside it"
    )


def _checkpoints(count: int) -> str:
    return counted(count, "checkpoint")


def _run_caption(run: RunResults) -> str:
    unread = f"\nNot readable, left out: {', '.join(run.unreadable)}." if run.unreadable else ""
    return (
        "What it shows: left, the logged metrics (unsafe is the positive class; FNR: unsafe passed as safe; "
        "FPR: safe "
        "refused) and, in grey, the accuracy of the baselines that need no transformer (TF-IDF, prompt "
        "length), and what a threshold catches (TPR at an FPR); right, the MI summary of each checkpoint: "
        "how well a linear probe reads the classes from the last layer, the divergence layer, how much the "
        "attributed "
        "words really carry the verdict (comprehensiveness), how much attribution lies on filler words, the "
        "completeness gap, and how far stated probabilities are off (ECE). Long logged "
        "curves are averaged into bins, and of very many checkpoints every k-th is drawn.\n"
        "How to read: one x axis for all. Blank means there is none: no divergence layer is blank, not 0. Bands "
        "are 95 % intervals (of the error rates only FNR's is drawn, for clarity).\n"
        "Worrying: accuracy up while FNR rises; contrast pairs at the baseline while accuracy is high; "
        "comprehensiveness no better than random words; a growing shortcut share; a gap above its bound; answers "
        "in words that hold less and less probability."
        f"{unread}"
    )


def _run_alt(run: RunResults) -> str:
    rows = _run_rows(run)
    if not rows:
        return "Nothing analysed yet."
    named = "; ".join(f"{name} {value}" for name, value in rows[0].items() if value is not None)
    return f"{_checkpoints(len(rows))}. At the newest: {named}."


def _run_rows(run: RunResults) -> list[dict[str, Any]]:
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
        faithful = tokens and _comprehensiveness(tokens, "integrated_gradients")
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
        "ece": result and _rounded(result.reliability.error.value),
    }
    return cells | ({} if mass is None else {"answer_mass": _rounded(mass.mass["all"].value)})


_TABLE_METRICS = (
    ("train", "loss"),
    *(("val", name) for name in ("loss", "accuracy", "f1", "auc", "fnr", "fpr")),
    ("contrast", "accuracy"),
)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _run_badge(run: RunResults, records: Sequence[ResultRecord]) -> str:
    """Provenance over the run, with a warning where checkpoints were not analysed alike."""
    if not records:
        return "no result yet"
    newest = max(records, key=lambda record: record.step)
    parts = [
        f"{_checkpoints(len(run.epochs))}, newest {newest.checkpoint} ({newest.checkpoint_digest[:12]})",
        "probe-set rates: bootstrap intervals; logged metrics: as the trainer wrote them, no interval",
        *(f"{name} {', '.join(sorted(values))}" for name, values in _provenance(records).items()),
    ]
    mixed = [name for name, values in _provenance(records).items() if len(values) > 1]
    warning = f" · WARNING: {', '.join(mixed)} differ between checkpoints; compare with care" if mixed else ""
    return " · ".join(parts) + warning


def _provenance(records: Sequence[ResultRecord]) -> dict[str, set[str]]:
    return {
        "probe set": {record.probe_digest[:12] for record in records},
        "dtype": {record.dtype for record in records},
        "seed": {str(record.seed) for record in records},
        "Midwatch": {record.analyzer_version for record in records},
    }
