"""What changed: this checkpoint against the one before it and against the first of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.evolution.checkpoint import evolution_figure
from shared.figures.evolution.words import (
    against_words,
    alert_flags,
    change_finding,
    change_words,
    edges_word,
    interval_words,
)
from shared.findings.badge import badge
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import layer_names, typed_result
from shared.findings.text import counted, escape
from shared.views import Panel, View, register
from shared.views.over_run.evolution import evolution_run_panel
from shared.views.over_run.run_results import read_results

if TYPE_CHECKING:
    from shared.records import MetricsLine
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One figure: representations, attributions, neurons and edges, transfer, with the alerts above."""
    result = typed_result(record, EvolutionResult)
    finding = change_finding(result)
    lines = [escape(line, None) for line in (change_words(result), against_words(result)) if line]
    return [
        Panel(
            stem="evolution",
            title=f"What changed, {record.label}",
            figure=evolution_figure(result, escape(finding), "<br>".join(lines), alert_flags(result)),
            caption=_caption(result),
            alt=_alt(result, finding),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
            claims=result.claimable,
        )
    ]


_CHECK = {"pass": "passed", "fail": "FAILED", "not_possible": "not possible"}


def _caption(result: EvolutionResult) -> str:
    more = f"\nFrozen check: {_CHECK[result.frozen_check]}. {result.frozen_check_detail}"
    more += "".join(f"\n{alert.severity.capitalize()}: {alert.sentence}" for alert in result.alerts)
    more += "".join(f"\nNote: {note}" for note in result.notes)
    return (
        "What it shows: this checkpoint against the one before it and against the first analysed one. Top left, "
        "how alike the pooled representations of the probe prompts are after each layer (linear CKA, unbiased; "
        "grey: frozen). Top right, for each prompt the rank correlation of its token attributions. Bottom left, "
        "which significant neurons with an effect by attribution were kept, born and lost, and which of the "
        "strongest edges, where a circuit can be claimed at both checkpoints. Bottom right, the share of the "
        "separation, m(C) / m(full), that the earlier checkpoint's circuit keeps in this judge, beside this one's "
        "own circuit of as many edges and random ones: 0 is gone, below 0 reversed. In-sample: these prompts were "
        "among those that both circuits were chosen on, there and here, so both flatter themselves.\n"
        "How to read: 1 is the same. Frozen layers stay at 1. Neurons and edges may be others while the mechanism "
        "stays: ask whether the earlier circuit still works here. What changed most is named only where unsafe and "
        "safe prompts moved apart beyond chance, or verdicts flipped one way beyond chance. An alarm: verdicts on "
        "the same prompts that got worse beyond chance (exact test; at least 12 groups of prompts must go one way)"
        ", or a step far outside the number's own steps before; a note: such a step, less far. Both are flags, no "
        "diagnosis. What is missing is named, never drawn as 0.\n"
        "Worrying: an earlier circuit that keeps no more than random ones; layers or attributions that still move "
        f"late in the training; frozen layers below 1, or a failed frozen check.{more}"
    )


def _alt(result: EvolutionResult, finding: str) -> str:
    if result.previous is None:
        return f"{finding}: this is the first analysed checkpoint, there is nothing before it."
    parts = [finding, *filter(None, [change_words(result)]), against_words(result)]
    for name, interval in (("previous", result.drift_to_previous), ("first", result.drift_to_first)):
        if interval is not None:
            parts.append(
                f"Mean attribution correlation with the {name} checkpoint {interval.value:.2f} "
                f"[{interval.low:.2f}, {interval.high:.2f}]"
            )
    for name, change in (
        ("Neurons", result.neurons_to_previous),
        (f"Strongest {edges_word(result)}", result.edges_to_previous),
    ):
        if change is not None:
            parts.append(
                f"{name} since the previous: {change.kept} kept, {change.now - change.kept} born, "
                f"{change.before - change.kept} lost"
            )
    parts.append(f"Frozen check {_CHECK[result.frozen_check]}")
    parts += [f"{alert.severity.capitalize()}: {alert.sentence}" for alert in result.alerts]
    return ". ".join(part.rstrip(".") for part in parts) + "."


def _facts(result: EvolutionResult) -> list[str]:
    attributed = sum(row.to_previous is not None for row in result.drift)
    facts = [
        f"n = {counted(result.n_cka, 'prompt')} for CKA, {attributed} for attribution",
        "unbiased linear CKA; Spearman, 95 % bootstrap intervals",
        f"{counted(result.seen, 'earlier checkpoint')} known",
        f"frozen check {_CHECK[result.frozen_check]}",
    ]
    if result.previous is None:
        return ["the first analysed checkpoint", f"n = {counted(result.n_cka, 'prompt')} for CKA"]
    if result.n_edges:
        facts.append(f"the {counted(result.n_edges, f'strongest {edges_word(result)[:-1]}')} compared")
    if result.transfer is not None:
        facts.append(
            f"transfer: circuits really run, control: {counted(len(result.transfer.random), 'random one')}"
        )
    return facts


def _rows(result: EvolutionResult) -> list[dict[str, Any]]:
    """One row a number: what, where, against the previous and against the first checkpoint."""
    if result.previous is None:
        return []
    rows = _change_rows(result)
    rows += [
        _row("CKA", name, _at(result.cka_to_previous, place), _at(result.cka_to_first, place))
        for place, name in enumerate(layer_names(result.layers))
    ]
    means = (result.drift_to_previous, result.drift_to_first)
    rows.append(_row("attribution, mean Spearman", "", *(each.value if each else None for each in means)))
    rows.append(_row("divergence layer then", "", result.divergence_previous, result.divergence_first))
    rows.append({"what": "divergence layer now", "where": "", "now": result.divergence_layer})
    for name, changes in (
        ("neurons", (result.neurons_to_previous, result.neurons_to_first)),
        (edges_word(result), (result.edges_to_previous, result.edges_to_first)),
    ):
        for part in ("before", "now", "kept", "jaccard"):
            rows.append(_row(f"{name} {part}", "", *(getattr(each, part) if each else None for each in changes)))
        for part in ("born", "lost"):
            names = (", ".join(getattr(each, part)) if each else None for each in changes)
            rows.append(_row(f"{name} {part}", "strongest", *names))
    rows += _more_rows(result)
    return rows + [
        _row("attribution, Spearman", row.probe_id, row.to_previous, row.to_first) for row in result.drift
    ]


def _change_rows(result: EvolutionResult) -> list[dict[str, Any]]:
    """Verdicts and scores since the previous checkpoint."""
    rows: list[dict[str, Any]] = [_row("the same", "", result.same, None)]
    if result.verdicts is not None:
        rows += [_row(f"verdicts: {name}", "", value, None) for name, value in result.verdicts.model_dump().items()]
    if result.change is not None:
        rows.append(_row("moved apart, nats", "", interval_words(result.change.size), None))
        rows.append(_row("moved apart, p", "", result.change.p_value, None))
    if result.shift is not None:
        rows.append(_row("all scores moved, nats", "", interval_words(result.shift), None))
    return rows


def _more_rows(result: EvolutionResult) -> list[dict[str, Any]]:
    """Established and vanished neurons, transfer, alerts."""
    rows: list[dict[str, Any]] = [
        {"what": "neurons established", "where": "", "now": ", ".join(result.neurons_established)},
        {"what": "neurons vanished", "where": "", "now": ", ".join(result.neurons_vanished)},
    ]
    if result.transfer is not None:
        found = result.transfer
        edges = f"{found.edges} {edges_word(result)}"
        rows += [
            {"what": "earlier circuit keeps", "where": edges, "now": found.kept.value},
            {"what": "earlier circuit keeps, low", "where": edges, "now": found.kept.low},
            {"what": "earlier circuit keeps, high", "where": edges, "now": found.kept.high},
            {"what": "own circuit keeps, in-sample", "where": edges, "now": found.own},
            *({"what": "random circuit keeps", "where": edges, "now": value} for value in found.random),
        ]
    return rows + [
        {"what": f"{alert.severity}, {alert.test}", "where": alert.signal, "now": alert.sentence}
        for alert in result.alerts
    ]


def _row(what: str, where: str, previous: Any, first: Any) -> dict[str, Any]:
    return {"what": what, "where": where, "to_previous": previous, "to_first": first}


def _at(values: Sequence[float] | None, place: int) -> float | None:
    return None if values is None else values[place]


def run_panels(records: Sequence[ResultRecord], metrics_lines: Sequence[MetricsLine]) -> list[Panel]:
    """One figure over the whole run."""
    chosen = [record for record in records if record.analysis == "evolution"]
    return [evolution_run_panel(read_results(chosen, metrics_lines, {"evolution": EvolutionResult}), chosen)]


register(
    View(
        name="evolution",
        title="What changed",
        suite="basic",
        order=80,
        result=EvolutionResult,
        panels=panels,
        run_panels=run_panels,
        run_reads=frozenset({"evolution"}),
    )
)
