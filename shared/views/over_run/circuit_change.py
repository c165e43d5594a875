"""What became of the strongest edges since another checkpoint: kept, new, lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from shared.figures.circuits.axes import graph_axes, graph_height
from shared.figures.circuits.edges import width_words
from shared.figures.circuits.graph import draw_graph
from shared.figures.circuits.kinds import KEPT, LOST, NEW, DrawnEdge, Kind, limit_of
from shared.figures.circuits.layout import Layout
from shared.figures.circuits.words import exact_nats, noun
from shared.figures.kit.sheet import Sheet
from shared.findings.badge import badge
from shared.findings.circuits import NO_CLAIM, CircuitEdge, CircuitsResult, strongest_edges
from shared.findings.parts import typed_result
from shared.findings.text import counted, escape
from shared.views import Panel

if TYPE_CHECKING:
    from shared.results import ResultRecord

Place = tuple[str, str]
"""Source and target."""


def circuit_changes(record: ResultRecord, baseline: ResultRecord, shown: int) -> list[Panel]:
    """One figure: the `shown` strongest edges here and at `baseline`; none where the two graphs are not alike."""
    result, before = typed_result(record, CircuitsResult), typed_result(baseline, CircuitsResult)
    if (result.level, result.layers, result.heads) != (before.level, before.layers, before.heads):
        return []
    edges = changed_edges(result, before, shown)
    counts = {kind: sum(edge.kind == kind for edge in edges) for kind in (KEPT, NEW, LOST)}
    since = f"since {baseline.label}"
    finding = _finding(result, before, counts, (record.label, baseline.label))
    return [
        Panel(
            stem="circuits_change",
            title=f"Change of circuits, {record.label} {since}",
            figure=_figure(result, edges, escape(finding)),
            caption=_caption(result, shown, baseline.label),
            alt=f"{finding}. {_named('new', edges, NEW)}. {_named('lost', edges, LOST)}.",
            rows=_rows(edges, _scores(result), _scores(before)),
            badge=badge(record, [f"n = {result.n}", f"against {baseline.checkpoint}", "EAP-IG scores of both"]),
        )
    ]


def changed_edges(result: CircuitsResult, before: CircuitsResult, shown: int) -> list[DrawnEdge]:
    """The strongest edges of both, each kept, new or lost; the strongest now first, then the lost ones.

    None where not both circuits can be claimed: what is strongest among noise tells nothing.
    """
    if result.smallest is None or before.smallest is None:
        return []
    now, then = (strongest_edges(each, shown) for each in (result, before))
    here, there = ({(edge.source, edge.target) for edge in edges} for edges in (now, then))
    scores, earlier = _scores(result), _scores(before)

    def drawn(edge: CircuitEdge, kind: Kind) -> DrawnEdge:
        place = (edge.source, edge.target)
        note = f"{kind.name}: now {_told(scores.get(place))}, then {_told(earlier.get(place))}"
        return DrawnEdge(*place, edge.score, kind, note)

    found = [drawn(edge, KEPT if (edge.source, edge.target) in there else NEW) for edge in now]
    return found + [drawn(edge, LOST) for edge in then if (edge.source, edge.target) not in here]


def _scores(result: CircuitsResult) -> dict[Place, float]:
    return {(edge.source, edge.target): edge.score for edge in result.edges}


def _told(score: float | None) -> str:
    return "among the weaker ones" if score is None else f"{exact_nats(score)} nats"


def _finding(
    result: CircuitsResult, before: CircuitsResult, counts: dict[Kind, int], labels: tuple[str, str]
) -> str:
    unclaimed = [name for name, each in zip(labels, (result, before), strict=True) if each.smallest is None]
    if unclaimed:
        return f"{NO_CLAIM} at {' and '.join(unclaimed)}, so nothing is compared"
    label = labels[1]
    now, union = counts[KEPT] + counts[NEW], sum(counts.values())
    if not union:
        return f"No scored {noun(result)} to compare with {label}"
    strongest = counted(now, f"strongest {noun(result)[:-1]}")
    verb = "was" if counts[KEPT] == 1 else "were"
    words = f"{counts[KEPT]} of the {strongest} {verb} among the strongest at {label} too"
    return f"{words} (Jaccard {counts[KEPT] / union:.2f})"


def _figure(result: CircuitsResult, edges: Sequence[DrawnEdge], title: str) -> go.Figure:
    layout = Layout(result.layers, result.heads)
    subtitle = "other edges need not be another mechanism: “What changed” says whether the old circuit still works"
    sheet = Sheet(108 + graph_height(layout) + 84, title, subtitle, top=108, bottom=84)
    x, y = graph_axes(layout)
    pane = sheet.pane(x=x, y=y)
    nodes_only = result.level == "nodes"
    embeddings = any(node.kind == "input" and node.frozen for node in result.nodes)
    effects = {node.name: node.effect for node in result.nodes}
    boundary = result.frozen_boundary
    draw_graph(
        sheet, pane, layout, edges, boundary, input_frozen=embeddings, effects=effects, nodes_only=nodes_only
    )
    words = "larger marks: larger |score|" if nodes_only else width_words(limit_of([edge.score for edge in edges]))
    sheet.note(words, pane, size=12, x=1, xanchor="right", y=0, yanchor="top", yshift=-46)
    return sheet.figure()


def _caption(result: CircuitsResult, shown: int, label: str) -> str:
    word = noun(result)
    return (
        f"What it shows: the {counted(shown, f'strongest {word[:-1]}')} of this checkpoint and of {label}, by "
        f"|score|: kept ones "
        "solid grey, new ones solid blue with ▸, lost ones dotted orange with ×. Width is |score|, of lost "
        "ones what it was.\n"
        f"How to read: point at the middle of a line for both scores. A {word[:-1]} may be lost only because "
        f"it fell below the {shown} strongest; draw more to see.\n"
        "Worrying: wholesale replacement between neighbouring checkpoints. Overlap alone is no alarm, because "
        "different parts can be the same mechanism: under “What changed” stands whether the earlier circuit still "
        "works in this judge (transfer)."
    )


def _named(word: str, edges: Sequence[DrawnEdge], kind: Kind) -> str:
    chosen = [edge for edge in edges if edge.kind == kind]
    named = ", ".join(f"{edge.source} to {edge.target} {exact_nats(edge.score)}" for edge in chosen[:5])
    return f"{counted(len(chosen), word[:-1])}{': strongest ' + named if named else ''}"


def _rows(
    edges: Sequence[DrawnEdge], scores: dict[Place, float], earlier: dict[Place, float]
) -> list[dict[str, Any]]:
    return [
        {
            "source": edge.source,
            "target": edge.target,
            "what": edge.kind.name,
            "score_now": scores.get((edge.source, edge.target)),
            "score_then": earlier.get((edge.source, edge.target)),
        }
        for edge in edges
    ]
