"""What is plotted over a run: one small plot a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.figures.kit.layer_axis import layer_axis
from shared.figures.run.grid import Curve, Line, Plot
from shared.findings.rates import PERCENT
from shared.views.over_run.run_results import RunResults, logged_curve

if TYPE_CHECKING:
    from shared.findings.calibration import CalibrationResult
    from shared.findings.parts import Interval
    from shared.findings.tokens import TokensResult
    from shared.records import MetricsLine

_UNLOGGED, _NO_RESULT = "not logged, and no result yet", "no result yet"
_RATES = {"tickformat": PERCENT}


def progress_plots(run: RunResults, lines: Sequence[MetricsLine]) -> list[Plot]:
    """Left column: how the judge performs; right column: what goes on inside it."""
    return [*_performance_plots(run, lines), *_inside_plots(run)]


def _performance_plots(run: RunResults, lines: Sequence[MetricsLine]) -> list[Plot]:
    return [
        _losses(run, lines),
        _validation(run, lines),
        _error_rates(run, lines),
        _pairs(run, lines),
        _at_a_threshold(run),
        _learning_rate(run, lines),
        *_mass_plots(run),
    ]


def _losses(run: RunResults, lines: Sequence[MetricsLine]) -> Plot:
    training, validation = (logged_curve(run, lines, split, "loss") for split in ("train", "val"))
    curves = [Line("training", training, "train"), Line("validation", validation, "val")]
    return Plot("loss (nats)", curves, _UNLOGGED, limits=(0, None))


def _validation(run: RunResults, lines: Sequence[MetricsLine]) -> Plot:
    names = {"accuracy": "accuracy", "F1": "f1", "AUC": "auc"}
    curves = [Line(title, logged_curve(run, lines, "val", name), name) for title, name in names.items()]
    levels = _baseline_levels(run, "accuracy")
    return Plot("validation share", curves, _UNLOGGED, limits=(None, 1.01), levels=levels)


def _error_rates(run: RunResults, lines: Sequence[MetricsLine]) -> Plot:
    def probe(name: str) -> Curve:
        return run.curve("progress", lambda result: result.probe.get(name))

    curves = [
        Line("FNR", logged_curve(run, lines, "val", "fnr"), "fnr"),
        Line("FPR", logged_curve(run, lines, "val", "fpr"), "fpr"),
        Line("FNR probe set", probe("fnr"), "fnr_probe"),
        Line("FPR probe set", probe("fpr").without_interval(), "fpr_probe"),
    ]
    return Plot("error rate", curves, _UNLOGGED, limits=(0, None), axis=_RATES)


def _pairs(run: RunResults, lines: Sequence[MetricsLine]) -> Plot:
    both = run.curve("progress", lambda result: result.contrast_accuracy)
    curves = [
        Line("accuracy", logged_curve(run, lines, "contrast", "accuracy"), "contrast"),
        Line("both twins right", both, "probe_contrast"),
    ]
    missing, levels = "no contrast pairs logged or analysed", _baseline_levels(run, "contrast_accuracy")
    return Plot("contrast pairs", curves, missing, limits=(0, 1.02), levels=levels, axis=_RATES)


def _at_a_threshold(run: RunResults) -> Plot:
    sharp = run.curve("calibration", lambda result: _caught(result, 0.01))
    loose = run.curve("calibration", lambda result: _caught(result, 0.2)).without_interval()
    curves = [Line(_sharp_name(run), sharp, "tpr"), Line("TPR at 20 % FPR", loose, "tpr_loose")]
    return Plot("at a threshold", curves, "no calibration result yet", limits=(0, 1.02), axis=_RATES)


def _learning_rate(run: RunResults, lines: Sequence[MetricsLine]) -> Plot:
    curve = Line("learning rate", logged_curve(run, lines, "train", "learning_rate"), "rate")
    return Plot("learning rate", [curve], _UNLOGGED, limits=(0, None), axis={"tickformat": ".1e"})


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
    return [
        _last_layer(run),
        _divergence(run),
        _faithfulness(run),
        _shortcuts(run),
        _gap(run),
        *_calibration_plots(run),
    ]


def _last_layer(run: RunResults) -> Plot:
    curves = [
        Line("probe", run.curve("comparison", lambda r: r.points[-1].auroc), "inside"),
        Line("judge", run.curve("comparison", lambda r: r.decision_auroc), "judge"),
        Line("shuffled labels", run.curve("comparison", lambda r: r.points[-1].control_p95), "random"),
    ]
    return Plot("AUROC, last layer", curves, _NO_RESULT, limits=(0.4, 1.02))


def _divergence(run: RunResults) -> Plot:
    compared = list(run.typed.get("comparison", {}).values())
    curve = Line("divergence layer", run.curve("comparison", lambda r: r.divergence_layer), "layer")
    return Plot(
        "divergence layer",
        [curve],
        "no divergence layer at any checkpoint" if compared else _NO_RESULT,
        levels={"first that trains": float(compared[-1].frozen_boundary)} if compared else {},
        axis=layer_axis(max((result.layers for result in compared), default=1), most=7),
    )


def _faithfulness(run: RunResults) -> Plot:
    def faithful(method: str) -> Curve:
        return run.curve("tokens", lambda result: comprehensiveness(result, method))

    curves = [
        Line("integrated gradients", faithful("integrated_gradients"), "faithful"),
        Line("random words", faithful("random"), "random"),
    ]
    return Plot("comprehensiveness", curves, _NO_RESULT)


def _shortcuts(run: RunResults) -> Plot:
    share = run.curve("tokens", lambda r: r.shortcut_share)
    curve = Line("special, punctuation, stop words", share, "shortcut")
    return Plot("shortcut share", [curve], _NO_RESULT, limits=(0, 1.02))


def _gap(run: RunResults) -> Plot:
    bound = [result.gap_bound for result in run.typed.get("tokens", {}).values()]
    curves = [
        Line("median", run.curve("tokens", lambda r: r.gap_median), "median"),
        Line("worst", run.curve("tokens", lambda r: r.gap_worst), "worst"),
    ]
    levels = {"bound": bound[-1]} if bound else {}
    return Plot("attribution gap (share)", curves, _NO_RESULT, limits=(0, None), levels=levels)


def _calibration_plots(run: RunResults) -> list[Plot]:
    """How far probabilities are off; the sign of it where the left column has one plot more, too."""
    results = run.typed.get("calibration", {}).values()
    stated = any(result.reliability is not None for result in results) or not results
    missing = "no calibration result yet" if stated else "its head states no probability"
    error = Plot(
        "calibration error (ECE)",
        [
            Line("judge", run.curve("calibration", _of_reliability("error")), "judge"),
            Line("by chance", run.curve("calibration", _of_reliability("by_chance")), "random"),
        ],
        missing,
        limits=(0, None),
    )
    surer = run.curve("calibration", _of_reliability("overconfidence"))
    sign = Plot("confidence − accuracy", [Line("overconfidence", surer, "worst")], missing)
    return [error, sign] if _answers_in_words(run) else [error]


def _of_reliability(name: str) -> Callable[[CalibrationResult], Interval | float | None]:
    """A field of it; None of a judge that states no probability."""
    return lambda result: None if result.reliability is None else getattr(result.reliability, name)


def comprehensiveness(result: TokensResult, method: str) -> Interval | None:
    """How much of the score goes with a method's words, with its interval; None where it was not tried."""
    return next((scored.comprehensiveness for scored in result.faithfulness if scored.method == method), None)


def _baseline_levels(run: RunResults, metric: str) -> dict[str, float]:
    """The newest result's baselines for one metric, named as in the legend."""
    names: dict[str, str] = {"tfidf": "TF-IDF"}
    results = run.typed.get("progress", {})
    baselines: dict[str, dict[str, float]] = results[max(results)].baselines if results else {}
    return {names.get(name, name): values[metric] for name, values in baselines.items() if metric in values}
