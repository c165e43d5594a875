"""Evolution over the run as small plots: attribution, representations, sets, transfer, and where alerts came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.figures.run.grid import Curve, Line, Plot, progress_figure
from shared.findings.text import counted
from shared.views import Panel
from shared.views.over_run.run_results import RunResults

if TYPE_CHECKING:
    from shared.findings.alerts import Alert
    from shared.findings.evolution import EvolutionResult, SetChange
    from shared.findings.parts import Interval
    from shared.results import ResultRecord

    Value = Callable[[EvolutionResult], Interval | float | None]

TOGETHER = 3
"""Checkpoints before, up to which alarms test verdicts of both classes together alone: see docs/alerts.md."""
ENOUGH = 9
"""Earlier checkpoints without which nothing but verdicts can raise an alert: eight steps, and the one that stands
out."""


def evolution_run_panel(run: RunResults, records: Sequence[ResultRecord]) -> Panel:
    """`run` as read from `records`."""
    results: dict[int, EvolutionResult] = run.typed.get("evolution", {})
    alerts = _alarms(results)
    marks = sorted({run.x(step, run.epochs[step]) for step, _ in alerts})
    x_title = "epoch" if run.x_is_epoch else "optimizer step"
    count = counted(len(results), "checkpoint")
    subtitle = f"{count} · each is compared with the one before it, and with the first"
    unread = f"\nNot readable, left out: {', '.join(run.unreadable)}." if run.unreadable else ""
    return Panel(
        stem="evolution",
        title="What changed over the run",
        figure=progress_figure(_plots(run), x_title, _headline(run, results), subtitle, marks),
        caption=_CAPTION + unread,
        alt=f"{_headline(run, results)}. {subtitle}. Alarms: {_alert_words(run, alerts)}.",
        rows=_rows(run, results),
        badge=_badge(records),
        claims=bool(alerts),
    )


def _plots(run: RunResults) -> list[Plot]:
    """Left: what the judge looks at and where; right: through which parts."""

    def line(name: str, style: str, value: Value) -> Line:
        return Line(name, run.curve("evolution", value), style)

    def jaccard(name: str) -> Curve:
        return run.curve("evolution", lambda result: _jaccard(getattr(result, name)))

    missing, advanced = "nothing compared yet", "no advanced results of two checkpoints"
    return [
        Plot(
            "attribution (Spearman)",
            [
                line("with the one before", "inside", lambda r: r.drift_to_previous),
                line("with the first", "worst", lambda r: r.drift_to_first),
            ],
            missing,
            limits=(0, 1.02),
        ),
        Plot(
            "CKA, last layer",
            [
                line("with the one before", "inside", lambda r: _last(r.cka_to_previous)),
                line("with the first", "worst", lambda r: _last(r.cka_to_first)),
            ],
            missing,
            limits=(0, 1.03),
        ),
        Plot(
            "Jaccard index",
            [
                Line("neurons", jaccard("neurons_to_previous"), "faithful"),
                Line("edges", jaccard("edges_to_previous"), "shortcut"),
            ],
            advanced,
            limits=(0, 1.02),
        ),
        Plot(
            "transfer (share kept)",
            [
                line("earlier circuit", "inside", lambda r: r.transfer and r.transfer.kept),
                line("own", "judge", lambda r: r.transfer and r.transfer.own),
                line("random", "random", lambda r: _mean(r.transfer.random) if r.transfer else None),
            ],
            advanced,
            limits=(0, 1.05),
        ),
    ]


def _last(values: Sequence[float] | None) -> float | None:
    return values[-1] if values else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _jaccard(change: SetChange | None) -> float | None:
    return change.jaccard if change is not None else None


def _headline(run: RunResults, results: dict[int, EvolutionResult]) -> str:
    raised = [alert for _, alert in _alarms(results)]
    if not results:
        return "What changed: nothing compared yet"
    seen = max(result.seen for result in results.values())
    if not raised and seen <= TOGETHER:
        return (
            "No alarm: all verdicts together got no worse beyond chance (FNR and FPR need "
            f"{TOGETHER + 1} checkpoints before, other numbers {ENOUGH})"
        )
    if not raised and seen < ENOUGH:
        return f"No alarm: no verdicts got worse beyond chance (other numbers need {ENOUGH} checkpoints before)"
    if not raised:
        return "No alarm: no change stands out from the steps before it"
    told = next((alert for alert in reversed(raised) if alert.test == "turned"), raised[-1]).brief
    if len(raised) == 1:
        return told[0].upper() + told[1:]
    return f"{len(raised)} alarms; {told}"


def _alarms(results: dict[int, EvolutionResult]) -> list[tuple[int, Alert]]:
    """By step; notes are none."""
    return [
        (step, alert)
        for step, result in sorted(results.items())
        for alert in result.alerts
        if alert.severity == "alarm"
    ]


def _alert_words(run: RunResults, alerts: Sequence[tuple[int, Any]]) -> str:
    named = [f"{alert.signal.replace('_', ' ')} at {run.label(step)}" for step, alert in alerts[-8:]]
    return ", ".join(named) or "none"


_CAPTION = (
    "What it shows: each checkpoint against the one before it and against the first: rank correlation of the token "
    "attributions, linear CKA of the last layer (unbiased), overlap of the significant neurons with an effect and "
    "of the strongest edges with the checkpoint before, and what the circuit of the checkpoint before keeps here, "
    "beside this judge's own circuit and random ones of its size. Dotted orange lines: checkpoints with an alarm.\n"
    "How to read: 1 is the same. An alarm: verdicts on the same prompts got worse beyond chance (exact McNemar "
    "test, p at most 0.00029; at least 12 groups of prompts must go one way) or turned round, or a number stepped "
    "some 15 times as far as it usually does (at least 8 steps before). At most one run of 30 checkpoints in "
    "twenty raises one by chance. A flag, not a diagnosis. A gap: nothing was compared.\n"
    "Worrying: a circuit that does not transfer; change that grows late in the training; an alarm without a cause "
    "that you know. Other neurons or edges alone are no alarm: parts may swap while the mechanism stays."
)


def _rows(run: RunResults, results: dict[int, EvolutionResult]) -> list[dict[str, Any]]:
    """One row a checkpoint, newest first."""
    return [
        {
            "step": step,
            "epoch": run.epochs[step],
            "spearman_previous": r.drift_to_previous and r.drift_to_previous.value,
            "spearman_first": r.drift_to_first and r.drift_to_first.value,
            "cka_last_previous": _last(r.cka_to_previous),
            "cka_last_first": _last(r.cka_to_first),
            "divergence_layer": r.divergence_layer,
            "neurons_jaccard": _jaccard(r.neurons_to_previous),
            "edges_jaccard": _jaccard(r.edges_to_previous),
            "transfer": r.transfer and r.transfer.kept.value,
            "transfer_own": r.transfer and r.transfer.own,
            "transfer_random": _mean(r.transfer.random) if r.transfer else None,
            "alarms": ", ".join(alert.signal for alert in r.alerts if alert.severity == "alarm"),
            "notes": ", ".join(alert.signal for alert in r.alerts if alert.severity == "note"),
            "verdicts_flipped": r.verdicts and r.verdicts.flipped,
            "verdicts_wrong_now": r.verdicts and r.verdicts.wrong,
            "same": r.same,
        }
        for step, r in sorted(results.items(), reverse=True)
    ]


def _badge(records: Sequence[ResultRecord]) -> str:
    if not records:
        return "no result yet"
    newest = max(records, key=lambda record: record.step)
    n_cka = newest.payload.get("n_cka", "unknown")
    probes = {record.probe_digest[:12] for record in records}
    mixed = " · WARNING: probe sets differ between checkpoints; compare with care" if len(probes) > 1 else ""
    return (
        f"{counted(len(records), 'result')}, newest {newest.checkpoint} ({newest.checkpoint_digest[:12]}) · CKA "
        f"over "
        f"n = {n_cka} prompts · probe set {', '.join(sorted(probes))} · dtype {newest.dtype} · "
        f"seed {newest.seed} · Midwatch {newest.analyzer_version or 'unknown'}{mixed}"
    )
