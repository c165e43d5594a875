"""Training progress: the judge's metrics at this checkpoint, on the run's own splits and on the probe set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.verdicts import verdicts_figure
from shared.findings.badge import badge
from shared.findings.calibration import CalibrationResult
from shared.findings.claims import SEPARATION, nothing_to_explain, power
from shared.findings.confounds import Confound, goes_with, only_with_labels
from shared.findings.parts import Interval, interval_cells, typed_result
from shared.findings.progress import CHANCE_AUC, ProgressResult
from shared.findings.text import counted, escape, percent
from shared.views import Panel, View, register
from shared.views.over_run.run_results import read_results
from shared.views.over_run.training_progress import run_panel

if TYPE_CHECKING:
    from shared.records import MetricsLine
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One small figure: the judge's rates on the probe set at this checkpoint, over all and by group."""
    result = typed_result(record, ProgressResult)
    return [
        Panel(
            stem="metrics",
            title=f"Probe-set verdicts, {record.label}",
            figure=verdicts_figure(
                result, escape(_headline(result)), escape(_below(result)), [escape(flag) for flag in _flags(result)]
            ),
            caption=_caption(result),
            alt=_verdicts_alt(result),
            rows=_verdict_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _headline(result: ProgressResult) -> str:
    """What the page says first: whether the classes are told apart, by what, and how many are missed."""
    auc = result.probe.get("auc")
    if auc is None:
        return "Nothing can be claimed: the probe set has prompts of one class only"
    nothing = nothing_to_explain(result.separation, SEPARATION)
    if nothing is not None:
        return nothing
    if not result.tells_classes_apart:
        return f"Nothing to explain: AUC {_with_interval(auc)} includes {CHANCE_AUC}"
    if auc.high < CHANCE_AUC:
        return f"INVERTED: unsafe prompts score lower than safe ones, AUC {_with_interval(auc)}"
    return "; ".join(goes_with(each) for each in result.called[:1]) or _rates(result)


def _rates(result: ProgressResult) -> str:
    missed, refused = result.probe.get("fnr"), result.probe.get("fpr")
    if missed is None or refused is None:
        return "Verdicts on the probe set"
    return (
        f"{percent(missed.value)} of unsafe prompts passed as safe, {percent(refused.value)} of safe ones refused"
    )


def _with_interval(value: Interval) -> str:
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def _below(result: ProgressResult) -> str:
    """The line below the headline: what it rests on, and the counts."""
    counts = " · ".join(f"{name.replace('_', ' ')} {count}" for name, count in result.confusion.items())
    rates = "" if _headline(result) == _rates(result) else f"{_rates(result)} · "
    return f"{power(result.separation)} · {rates}{counts}"


def _flags(result: ProgressResult) -> list[str]:
    """The confounds that the judge is said to go by."""
    return [f"{goes_with(each)}. Read every other page with that in mind." for each in result.called]


def _caption(result: ProgressResult) -> str:
    """With what the score goes with, as far as that is no headline."""
    follows = [each for each in result.confounds if each.follows and each not in result.called]
    said = "".join(f"\n{only_with_labels(each)}" for each in follows)
    return _VERDICTS_CAPTION + said


_VERDICTS_CAPTION = (
    "What it shows: left, the judge's metrics on the held-out probe set (unsafe is the positive class) and, on the "
    "validation split, those of the baselines that need no transformer; right, the share judged unsafe in each "
    "group of prompts. Bars are 95 % intervals. The table also has what else the score goes with: length, number "
    "of sentences, the place of a word, over all prompts and after matching.\n"
    "How to read: the rates on the left should clear the baselines by more than the interval; on the right, unsafe "
    "groups belong at 1 and safe groups at 0.\n"
    "Worrying: a false-negative rate that does not fall; few contrast pairs with both twins right; one group "
    "judged against its label; a score that goes with length."
)


def _verdicts_alt(result: ProgressResult) -> str:
    rates = ", ".join(f"{name} {value.value:.3f}" for name, value in result.probe.items())
    contrast = ""
    if result.contrast_accuracy is not None:
        contrast = f" Both twins right in {percent(result.contrast_accuracy.value)} of the contrast pairs."
    found = f"{_headline(result)}. {_below(result)}."
    return f"{found} On the probe set: {rates or 'no metrics'}.{contrast}"


def _facts(result: ProgressResult) -> list[str]:
    leaks = "leaks not checked: the run does not say what it trained on"
    if result.leak_count is not None:
        leaks = f"{counted(result.leak_count, 'probe prompt')} found in the training data"
    return [
        f"n = {counted(sum(result.confusion.values()), 'probe prompt')}",
        "95 % intervals: over groups of prompts (metrics, correlations), Wilson (groups and pairs)",
        leaks,
    ]


def _verdict_rows(result: ProgressResult) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"what": name, "label": "", "count": None} | interval_cells("value", value)
        for name, value in (result.probe | _contrast(result)).items()
    ]
    rows += [
        {"what": f"flagged: {group.group}", "label": group.label, "count": group.count}
        | interval_cells("value", group.flagged)
        for group in result.groups
    ]
    return rows + [row for each in result.confounds for row in _confound_rows(each)]


def _confound_rows(found: Confound) -> list[dict[str, Any]]:
    """A property's Spearman with the score: of all prompts, within a label, between twins; and changed alone."""
    measured = {
        "Spearman of score and": found.spearman,
        "the same within a label:": found.within_labels,
        "the same of twins' differences:": found.within_pairs,
        f"nats, {found.moved_how}:" if found.moved else "nats, changed alone:": found.moved,
    }
    return [
        {"what": f"{name} {found.what}", "label": "", "count": found.prompts} | interval_cells("value", value)
        for name, value in measured.items()
        if value is not None
    ]


def _contrast(result: ProgressResult) -> dict[str, Interval]:
    return {} if result.contrast_accuracy is None else {"contrast_accuracy": result.contrast_accuracy}


def run_panels(records: Sequence[ResultRecord], metrics_lines: Sequence[MetricsLine]) -> list[Panel]:
    """One figure over the whole run: metrics, and the MI summary numbers on the same axis."""
    known = {"progress": ProgressResult, "calibration": CalibrationResult}
    return [run_panel(read_results(records, metrics_lines, known), records, metrics_lines)]


register(
    View(
        name="progress",
        title="Training progress",
        suite="basic",
        order=40,
        result=ProgressResult,
        panels=panels,
        run_panels=run_panels,
        run_reads=frozenset({"tokens", "comparison", "progress", "calibration"}),
    )
)
