"""Circuits: through which edges the verdict is computed, how much of the separation they keep, and random ones
do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.circuits.circuit import circuits_figure
from shared.figures.circuits.faithfulness import faithfulness_figure
from shared.figures.circuits.kinds import AGAINST, BY_CHANCE, CONTINGENT, CORE, OUTSIDE, UNCLAIMED, DrawnEdge, Kind
from shared.figures.circuits.paths import chosen_edges
from shared.figures.circuits.words import (
    REFERENCES,
    circuit_finding,
    circuit_flags,
    curve_finding,
    exact_nats,
    kept,
    left_words,
    noun,
    of_them,
    power_words,
    separation_words,
    shape_words,
    share_words,
    small_share,
    span,
)
from shared.findings.badge import badge
from shared.findings.circuit_document import scored_graph
from shared.findings.circuits import CircuitEdge, CircuitsResult, Confidence, strongest_edges
from shared.findings.parts import Interval, typed_result
from shared.findings.text import counted, percent
from shared.views import Panel, View, register

if TYPE_CHECKING:
    import numpy as np

    from shared.results import ResultRecord


SHOWN = 40
"""Edges drawn unless the reader asks for another number."""


def panels(record: ResultRecord) -> list[Panel]:
    """Two figures: the graph of the strongest edges, and the curve of what they keep."""
    return panels_of(record, SHOWN)


def panels_of(record: ResultRecord, shown: int, least: float = 0.0, node: str = "") -> list[Panel]:
    """The same with the `shown` strongest edges, less those that `chosen_edges` takes for `least` and `node`."""
    result = typed_result(record, CircuitsResult)
    edges = chosen_edges(drawn_edges(result, shown), least, node)
    return [_graph_panel(record, result, edges), _curve_panel(record, result)]


_CERTAIN: dict[Confidence, Kind] = {"core": CORE, "contingent": CONTINGENT, "noise": BY_CHANCE}


def drawn_edges(result: CircuitsResult, shown: int) -> list[DrawnEdge]:
    """The strongest edges, told apart by whether the smallest circuit holds them, how surely, and by sign.

    All grey where no circuit can be claimed.
    """
    way = -1.0 if result.explained.reversed else 1.0

    def kind(edge: CircuitEdge) -> Kind:
        if result.smallest is None:
            return UNCLAIMED
        if edge.in_smallest:
            return _CERTAIN[edge.confidence]
        return AGAINST if way * edge.score < 0 else OUTSIDE

    return [
        DrawnEdge(edge.source, edge.target, edge.score, kind(edge), confidence_words(result, edge))
        for edge in strongest_edges(result, shown)
    ]


def confidence_words(result: CircuitsResult, edge: CircuitEdge) -> str:
    """In how many resamples an edge is chosen, and what that makes it."""
    words = f"chosen in {percent(edge.chosen)} of {counted(result.resamples, 'resample')}"
    return words if result.smallest is None else f"{words}: {edge.confidence}"


def _graph_panel(record: ResultRecord, result: CircuitsResult, edges: Sequence[DrawnEdge]) -> Panel:
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
    word, notes = noun(result), "".join(f"\nNote: {note}" for note in result.notes)
    if not result.explained.claimable:
        return (
            f"{circuit_finding(result)}.\n"
            f"What it shows: the graph without {word}, for none was looked for. What they would explain is the "
            "judge's mean class-signed score over contrast pairs (else prompts of both classes); where that may be "
            f"chance, every score is noise. It rests on {power_words(result)}.{notes}"
        )
    most = "strongest" if result.smallest is not None else "largest |scores|"
    return (
        f"What it shows: the {drawn} {most} of {result.total_edges:,} {what} A score is how much of the separation "
        "of unsafe and safe is lost, to first order, when one of them alone carries "
        f"{REFERENCES[result.reference]} (EAP-IG, {counted(result.steps, 'step')}). Below, the first as bars; "
        "beside them what circuits as large as the smallest one keep, really run with everything else corrupted on "
        f"prompts that their {word} were not chosen on ({result.folds} folds), and random circuits of their size; "
        "the open diamond is in-sample, for comparison.\n"
        f"{share_words(result)}\n"
        f"How to read: {how} Core: chosen in at least 9 of 10 resamples of the prompts; contingent: in at least "
        "half; noise: in fewer. All sizes are in the figure of the curve, the whole scored graph in the JSON "
        "beside "
        f"this page. The intervals rest on {power_words(result)}.\n"
        "Worrying: random circuits that keep as much; a circuit that needs most of the graph; one path that "
        f"carries everything; a path that runs only through frozen layers; a circuit of contingent parts.{notes}"
    )


_EDGE_WORDS = (
    "edges through which the verdict is computed, layer by layer from the input to the verdict; circles are "
    "attention heads, squares MLPs, grey ones frozen, faint ones have no edge drawn.",
    "blue belongs to the smallest circuit (solid: core, dashed: contingent), dashed grey too, but as noise; dotted "
    "light blue carries the verdict outside it, dash-dotted orange works against it; all dotted grey where no "
    "circuit "
    "can be claimed. Point at a line or node for its numbers.",
)
_NODE_WORDS = (
    "nodes, because the edges of this family cannot be told apart: circles are attention heads, squares MLPs, the "
    "larger the stronger.",
    "dark blue belongs to the smallest circuit, light blue carries the verdict outside it, open orange works "
    "against it; "
    "all grey where no circuit can be claimed. Point at a node for its numbers.",
)


def _graph_alt(result: CircuitsResult, edges: Sequence[DrawnEdge], finding: str) -> str:
    named = ", ".join(f"{edge.source} to {edge.target} {exact_nats(edge.score)}" for edge in edges[:6])
    against = sum(edge.score < 0 for edge in edges)
    return (
        f"{finding}. {counted(result.layers, 'layer')} of {counted(result.heads, 'head')}, "
        f"{result.frozen_boundary} frozen. Drawn: "
        f"{of_them(result, len(edges))}, {against} of them against the right verdict. Largest, in nats: "
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
            "chosen_in_resamples": edge.chosen,
            "confidence": edge.confidence if inside else None,
        }
        for edge in strongest_edges(result, len(result.edges))
    ]


def _curve_panel(record: ResultRecord, result: CircuitsResult) -> Panel:
    finding = curve_finding(result)
    return Panel(
        stem="circuit_faithfulness",
        title=f"What circuits keep, {record.label}",
        figure=faithfulness_figure(result, finding, separation_words(result), []),
        caption=_curve_caption(result),
        alt=_curve_alt(result, finding),
        rows=_curve_rows(result),
        badge=badge(record, _facts(result)),
    )


def _curve_caption(result: CircuitsResult) -> str:
    word = noun(result)
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    if not result.explained.claimable or result.needs_no_encoder:
        return f"{circuit_finding(result)}.\nWhat it shows: nothing; no circuit was run.{notes}"
    return (
        f"What it shows: the judge really run with only the best {word} intact, while everything else carries "
        f"{REFERENCES[result.reference]}. Blue: paths in the order of their weakest {word[:-1]}, chosen on other "
        f"prompts than those they are run on ({result.folds} folds; {_curve_prompts(result)}), with 95 % intervals "
        "over groups of prompts. Dashed: the plain top n as MIB defines them, also cross-fitted, by score and by "
        f"|score|, on {counted(result.n_mib, 'prompt')}. Grey points are random circuits on the prompts of the "
        f"blue ones, another one in each fold; the star is the smallest circuit that keeps {kept(result.keep)} on "
        "all prompts, the open diamond what the circuit drawn keeps in-sample.\n"
        f"{share_words(result)}\n"
        "How to read: the further left and up the blue curve, the fewer parts compute the verdict; in the shaded "
        "part the answer is reversed. CPR is the area under f of the plain top n by score over the share of "
        f"{word} (higher is better), CMD the area between f by |score| and 1 (lower is better), as MIB has them. "
        f"Above "
        f"1 the parts that work against the verdict are left out. It rests on {power_words(result)}.\n"
        "Worrying: a curve no better than the random points; one that reaches the whole only with most of the "
        f"{word}; wide intervals, for then there are too few prompts; an in-sample value far above the star.{notes}"
    )


def _curve_prompts(result: CircuitsResult) -> str:
    """How many prompts the curve is run on."""
    if result.n_curve == result.n:
        return f"all {result.n:,} prompts"
    return f"{counted(result.n_curve, 'prompt')}, at the size that the headline names on all {result.n:,}"


def _curve_alt(result: CircuitsResult, finding: str) -> str:
    points = "; ".join(
        f"{small_share(point.fraction)} keep {span(point.kept)}"
        + (f", random {kept(sum(point.random) / len(point.random))}" if point.random else "")
        for point in result.curve
    )
    return f"{finding}. {circuit_finding(result)}. By size: {points or 'nothing was run'}."


def _curve_rows(result: CircuitsResult) -> list[dict[str, Any]]:
    """One row a size, then MIB's, then the smallest circuit."""
    rows: list[dict[str, Any]] = [
        {"circuit": "best paths", "size": point.edges, "fraction": point.fraction, "prompts": point.n}
        | _interval_cells("kept", point.kept)
        | _interval_cells("above_random", point.above_random)
        | _random_cells(point.random)
        for point in result.curve
    ]
    if result.left is not None:
        rows.append({"circuit": "none of the encoder", "size": 0, "fraction": 0.0, "prompts": result.n})
        rows[-1] |= _interval_cells("kept", result.left)
    for circuit in [result.smallest] if result.smallest is not None else []:
        rows.append(
            {
                "circuit": f"smallest that keeps {result.keep:g}",
                "size": circuit.edges,
                "fraction": circuit.fraction,
                "faithfulness_f": circuit.faithfulness,
                "kept_in_sample": circuit.in_sample,
            }
            | _interval_cells("kept", circuit.kept)
            | _interval_cells("above_random", circuit.above_random)
            | _random_cells(circuit.random)
        )
    for point in result.mib:
        for name, value in (("score", point.signed), ("|score|", point.magnitude)):
            place = {"circuit": f"plain top n by {name} (MIB)", "size": point.edges, "fraction": point.fraction}
            rows.append(place | {"faithfulness_f": value})
    return rows


def _interval_cells(name: str, found: Interval | None) -> dict[str, float | None]:
    value, low, high = (None, None, None) if found is None else (found.value, found.low, found.high)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _random_cells(random: Sequence[float]) -> dict[str, float | None]:
    return {
        "random_mean": sum(random) / len(random) if random else None,
        "random_lowest": min(random, default=None),
        "random_highest": max(random, default=None),
    }


def _facts(result: CircuitsResult) -> list[str]:
    pairs = f" ({counted(result.n_pairs, 'contrast pair')})" if result.n_pairs else ""
    checked = f"{result.n_checked} patched one at a time" if result.n_checked else "not checked one at a time"
    return [
        *([left_words(result)] if result.left is not None else []),
        f"n = {result.n}{pairs}; outside the circuit everything carries {REFERENCES[result.reference]}",
        f"EAP-IG, {counted(result.steps, 'step')}, on {counted(result.n_scored, 'prompt')}, over "
        f"{of_them(result, result.total_edges)}, {checked}",
        f"circuits really run, cross-fitted in {result.folds} folds, bootstrap-t intervals over "
        f"{result.explained.groups:,} {result.explained.unit}, control: a random circuit of each size and fold",
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
