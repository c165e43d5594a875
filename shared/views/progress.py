"""Training progress: the judge's metrics at this checkpoint, on the run's own splits and on the probe set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.verdicts import verdicts_figure
from shared.findings.badge import badge
from shared.findings.parts import Interval, interval_cells, typed_result
from shared.findings.progress import ProgressResult
from shared.findings.text import percent
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
            figure=verdicts_figure(result, _verdicts_title(result), _confusion_text(result)),
            caption=_VERDICTS_CAPTION,
            alt=_verdicts_alt(result),
            rows=_verdict_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _verdicts_title(result: ProgressResult) -> str:
    missed, refused = result.probe.get("fnr"), result.probe.get("fpr")
    if missed is None or refused is None:
        return "Verdicts on the probe set"
    return (
        f"{percent(missed.value)} of unsafe prompts passed as safe, {percent(refused.value)} of safe ones refused"
    )


def _confusion_text(result: ProgressResult) -> str:
    return " · ".join(f"{name.replace('_', ' ')} {count}" for name, count in result.confusion.items())


_VERDICTS_CAPTION = (
    "What it shows: left, the judge's metrics on the held-out probe set (unsafe is the positive class) and, on the "
    "validation split, those of the baselines that need no transformer; right, the share judged unsafe in each "
    "group of prompts. Bars are 95 % intervals.\n"
    "How to read: the rates on the left should clear the baselines by more than the interval; on the right, unsafe "
    "groups belong at 1 and safe groups at 0.\n"
    "Worrying: a false-negative rate that does not fall; few contrast pairs with both twins right; one group "
    "judged against its label."
)


def _verdicts_alt(result: ProgressResult) -> str:
    rates = ", ".join(f"{name} {value.value:.3f}" for name, value in result.probe.items())
    contrast = ""
    if result.contrast_accuracy is not None:
        contrast = f" Both twins right in {percent(result.contrast_accuracy.value)} of the contrast pairs."
    return f"On the probe set: {rates or 'no metrics'}.{contrast} {_confusion_text(result)}."


def _facts(result: ProgressResult) -> list[str]:
    leaks = "leaks not checked: the run does not say what it trained on"
    if result.leak_count is not None:
        leaks = f"{result.leak_count} probe prompts found in the training data"
    return [
        f"n = {sum(result.confusion.values())} probe prompts",
        "95 % intervals: over groups of prompts (metrics), Wilson (groups and pairs)",
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
    return rows


def _contrast(result: ProgressResult) -> dict[str, Interval]:
    return {} if result.contrast_accuracy is None else {"contrast_accuracy": result.contrast_accuracy}


def run_panels(records: Sequence[ResultRecord], metrics_lines: Sequence[MetricsLine]) -> list[Panel]:
    """One figure over the whole run: metrics, and the MI summary numbers on the same axis."""
    return [run_panel(read_results(records, metrics_lines, {"progress": ProgressResult}), records, metrics_lines)]


register(
    View(
        name="progress",
        title="Training progress",
        suite="basic",
        order=40,
        result=ProgressResult,
        panels=panels,
        run_panels=run_panels,
        run_reads=frozenset({"tokens", "comparison", "progress"}),
    )
)
