"""Circuits: through which edges the verdict is computed, how much of it they keep, and how much random ones do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.circuits.circuit import circuits_figure
from shared.figures.circuits.faithfulness import faithfulness_figure
from shared.figures.circuits.kinds import AGAINST, CARRIES, OUTSIDE, SMALLEST, DrawnEdge, Kind
from shared.figures.circuits.words import (
    REFERENCES,
    circuit_finding,
    circuit_flags,
    curve_finding,
    exact_nats,
    kept,
    noun,
    separation_words,
    shape_words,
    small_share,
)
from shared.findings.badge import badge
from shared.findings.circuit_document import scored_graph
from shared.findings.circuits import CircuitEdge, CircuitsResult, strongest_edges
from shared.findings.parts import typed_result
from shared.views import Panel, View, register

if TYPE_CHECKING:
    import numpy as np

    from shared.results import ResultRecord


SHOWN = 40
"""Edges drawn unless the reader asks for another number."""


def panels(record: ResultRecord) -> list[Panel]:
    """Two figures: the graph of the strongest edges, and the faithfulness curve."""
    return panels_of(record, SHOWN)


def panels_of(record: ResultRecord, shown: int) -> list[Panel]:
    """The same with the `shown` strongest edges."""
    result = typed_result(record, CircuitsResult)
    return [_graph_panel(record, result, shown), _curve_panel(record, result)]


def drawn_edges(result: CircuitsResult, shown: int) -> list[DrawnEdge]:
    """The strongest edges, told apart by sign and by whether the smallest circuit holds them."""
    carries = CARRIES if result.smallest is None else OUTSIDE

    def kind(edge: CircuitEdge) -> Kind:
        return SMALLEST if edge.in_smallest else AGAINST if edge.score < 0 else carries

    return [DrawnEdge(edge.source, edge.target, edge.score, kind(edge)) for edge in strongest_edges(result, shown)]


def _graph_panel(record: ResultRecord, result: CircuitsResult, shown: int) -> Panel:
    edges = drawn_edges(result, shown)
    finding = circuit_finding(result)
    return Panel(
        stem="circuits",
        title=f"Circuits, {record.label}",
        figure=circuits_figure(result, edges, finding, shape_words(result), circuit_flags(result)),
        caption=_graph_caption(result, len(edges)),
        alt=_graph_alt(result, edges, finding),
        rows=_edge_rows(result),
        badge=badge(record, _facts(result)),
    )


def _graph_caption(result: CircuitsResult, drawn: int) -> str:
    what, how = _EDGE_WORDS if result.level == "edges" else _NODE_WORDS
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    return (
        f"What it shows: the {drawn} strongest of {result.total_edges:,} {what} A score is how much of the "
        "separation of unsafe and safe is lost, to first order, when one of them alone carries "
        f"{REFERENCES[result.reference]} (EAP-IG, {result.steps} steps). Below, the strongest as bars; beside them "
        "what the smallest circuit found keeps, really run with everything else corrupted, and random circuits of "
        "its size.\n"
        f"How to read: {how} Believe the graph only if the smallest circuit keeps far more than the random ones; "
        "all sizes are in the figure of the faithfulness, the whole scored graph in the JSON beside this page.\n"
        "Worrying: random circuits that keep as much; a circuit that needs most of the graph; one path that "
        f"carries everything; a path that runs only through frozen layers.{notes}"
    )


_EDGE_WORDS = (
    "edges through which the verdict is computed, layer by layer from the input to the verdict; circles are "
    "attention heads, squares MLPs, grey ones frozen, faint ones have no edge drawn.",
    "solid blue belongs to the smallest circuit (or carries the right verdict, where no circuit was found), dotted "
    "light blue carries it too, dashed orange with − works against it. Point at a line or node for its numbers.",
)
_NODE_WORDS = (
    "nodes, because the edges of this family cannot be told apart: circles are attention heads, squares MLPs, the "
    "larger the stronger.",
    "dark blue belongs to the smallest circuit (or carries the right verdict, where no circuit was found), light "
    "blue carries it too, open red with − works against it. Point at a node for its numbers.",
)


def _graph_alt(result: CircuitsResult, edges: Sequence[DrawnEdge], finding: str) -> str:
    named = ", ".join(f"{edge.source} to {edge.target} {exact_nats(edge.score)}" for edge in edges[:6])
    against = sum(edge.score < 0 for edge in edges)
    return (
        f"{finding}. {result.layers} layers of {result.heads} heads, {result.frozen_boundary} frozen. Drawn: the "
        f"{len(edges)} strongest, {against} of them against the right verdict. Strongest, in nats: "
        f"{named or 'none'}."
    )


def _edge_rows(result: CircuitsResult) -> list[dict[str, Any]]:
    """Every edge of the result, strongest first."""
    inside = result.smallest is not None
    return [
        {
            "source": edge.source,
            "target": edge.target,
            "score": edge.score,
            "in_smallest": edge.in_smallest if inside else None,
        }
        for edge in strongest_edges(result, len(result.edges))
    ]


def _curve_panel(record: ResultRecord, result: CircuitsResult) -> Panel:
    finding = curve_finding(result)
    return Panel(
        stem="circuit_faithfulness",
        title=f"Faithfulness of circuits, {record.label}",
        figure=faithfulness_figure(result, finding, separation_words(result), []),
        caption=_curve_caption(result),
        alt=_curve_alt(result, finding),
        rows=_curve_rows(result),
        badge=badge(record, _facts(result)),
    )


def _curve_caption(result: CircuitsResult) -> str:
    word = noun(result)
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    return (
        f"What it shows: the judge really run with only the best {word} intact, while everything else carries "
        f"{REFERENCES[result.reference]}; faithfulness is the share of the separation of unsafe and safe that is "
        "left, pooled over prompts. Paths come in the order of their weakest edge: blue by score, dashed pink by "
        "the size of the score. Grey points are random circuits, the star is the smallest circuit that keeps "
        f"{kept(result.keep)}.\n"
        "How to read: the further left and up the blue curve, the fewer parts compute the verdict. CPR is the area "
        f"under it over the share of {word} (higher is better), CMD the area between the pink one and 1 (lower is "
        "better). Above 1 the parts that work against the verdict are left out; below 0 the circuit answers the "
        "other way.\n"
        "Worrying: a curve no better than the random points; one that reaches the whole only with most of the "
        f"{word}; wide intervals, for then there are too few prompts.{notes}"
    )


def _curve_alt(result: CircuitsResult, finding: str) -> str:
    points = "; ".join(
        f"{small_share(point.fraction)} keep {kept(point.faithfulness)}"
        + (f", random {kept(sum(point.random) / len(point.random))}" if point.random else "")
        for point in result.curve
    )
    return f"{finding}. {circuit_finding(result)}. By size: {points or 'nothing to keep'}."


def _curve_rows(result: CircuitsResult) -> list[dict[str, Any]]:
    """One row a size, then the smallest circuit."""
    rows = [
        {
            "circuit": "best",
            "size": point.edges,
            "fraction": point.fraction,
            "faithfulness": point.faithfulness,
            "faithfulness_low": point.low,
            "faithfulness_high": point.high,
            "by_magnitude": point.by_magnitude,
            **_random_cells(point.random),
        }
        for point in result.curve
    ]
    if result.smallest is not None:
        circuit = result.smallest
        rows.append(
            {
                "circuit": f"smallest that keeps {result.keep:g}",
                "size": circuit.edges,
                "fraction": circuit.fraction,
                "faithfulness": circuit.faithfulness,
                **_random_cells(circuit.random),
            }
        )
    return rows


def _random_cells(random: Sequence[float]) -> dict[str, float | None]:
    return {
        "random_mean": sum(random) / len(random) if random else None,
        "random_lowest": min(random, default=None),
        "random_highest": max(random, default=None),
    }


def _facts(result: CircuitsResult) -> list[str]:
    pairs = f" ({result.n_pairs} contrast pairs)" if result.n_pairs else ""
    draws = max((len(point.random) for point in result.curve), default=0)
    checked = f"{result.n_checked} patched one at a time" if result.n_checked else "not checked one at a time"
    return [
        f"n = {result.n}{pairs}; outside the circuit everything carries {REFERENCES[result.reference]}",
        f"EAP-IG, {result.steps} steps, over {result.total_edges:,} {noun(result)}, {checked}",
        f"circuits really run, bootstrap intervals, control: {draws} random circuits of each size",
    ]


def exports(record: ResultRecord, tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The whole scored graph, for `epoch_{N}_circuits.json`."""
    return {"circuits": scored_graph(record, typed_result(record, CircuitsResult), tensors)}


register(
    View(
        name="circuits",
        title="Circuits",
        suite="advanced",
        order=70,
        result=CircuitsResult,
        panels=panels,
        exports=exports,
    )
)
