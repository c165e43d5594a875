"""The circuits page: its words and its hovers follow from the result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shared.figures.circuits.kinds import AGAINST, BY_CHANCE, CONTINGENT, CORE, OUTSIDE, UNCLAIMED
from shared.figures.circuits.layout import Layout
from shared.findings.circuit_document import scored_graph
from shared.findings.circuits import CircuitsResult
from shared.findings.parts import Interval, typed_result
from shared.results import ResultRecord
from shared.views import get
from shared.views.circuits import drawn_edges, panels, panels_of
from shared.views.over_run.circuit_change import circuit_changes
from tests.making.fake_circuits import fake_circuits, nothing_explained
from tests.making.fakes import fake_records

RANKING = ("strongest", ", core", "core:", "smallest circuit", "carries the right verdict")


def record(**changed: object) -> tuple[ResultRecord, CircuitsResult]:
    found = next(each for each in fake_records(1, advanced=True) if each.analysis == "circuits")
    result = typed_result(found, CircuitsResult).model_copy(update=changed)
    return found.model_copy(update={"payload": result.model_dump(mode="json")}), result


def test_the_share_and_f_are_explained_in_a_sentence_each() -> None:
    found, _ = record()
    for panel in panels(found):
        assert "The share of the separation is m(C) / m(full)" in panel.caption
        assert "Faithfulness f is MIB's (1 + share) / 2" in panel.caption
        assert "f = 0.5 keeps nothing" in panel.caption


def test_the_caption_says_on_how_many_prompts_the_curve_is_run() -> None:
    few, result = record()
    assert result.n_curve < result.n
    caption = panels(few)[-1].caption
    assert f"{result.n_curve} prompts, at the size that the headline names on all {result.n}" in caption
    assert {row["prompts"] for row in panels(few)[-1].rows if row["circuit"] == "best paths"} == {result.n_curve}
    every, _ = record(n_curve=result.n)
    assert f"; all {result.n} prompts)" in panels(every)[-1].caption


def test_nothing_to_explain_draws_no_edge_and_ranks_nothing() -> None:
    found, result = record()
    nothing = nothing_explained(result)
    closed = found.model_copy(update={"payload": nothing.model_dump(mode="json")})
    graph, curve = panels(closed)
    for panel in (graph, curve):
        assert panel.alt.startswith("Nothing to explain: ")
        said = json.dumps(panel.figure.to_plotly_json(), default=str) + panel.caption
        assert not [word for word in RANKING if word in said]
    assert graph.rows == [] and curve.rows == []


def test_before_a_decoder_every_panel_says_what_is_left_without_the_encoder() -> None:
    left = Interval(value=0.35, low=0.25, high=0.45)
    found, _ = record(left=left, keep=0.87)
    graph, curve = panels(found)
    words = (
        "decoder reads the words itself: 35 % [25, 45] of the separation is left with every edge of the encoder cut"
    )
    for panel in (graph, curve):
        assert f"{words}; a circuit has to keep 87 %" in panel.caption and "without the encoder 35 %" in panel.alt
        assert words in panel.badge and "(1 + share) / 2" not in panel.caption
    assert "left without the encoder" in json.dumps(curve.figure.to_plotly_json(), default=str)
    (row,) = [row for row in curve.rows if row["circuit"] == "none of the encoder"]
    assert (row["kept"], row["kept_low"], row["kept_high"]) == (0.35, 0.25, 0.45)
    plain = panels(record()[0])[1]
    assert "encoder" not in plain.caption + json.dumps(plain.figure.to_plotly_json(), default=str)


def test_where_the_encoder_is_not_needed_no_panel_shows_a_circuit() -> None:
    left, nothing = Interval(value=0.95, low=0.9, high=1.0), {"curve": [], "mib": [], "smallest": None}
    found, result = record(left=left, **nothing)
    graph, curve = panels(found)
    told = "No circuit can be claimed: the decoder reads the words itself: 95 % [90, 100]"
    assert graph.alt.startswith(told) and curve.caption.startswith(told)
    said = json.dumps(curve.figure.to_plotly_json(), default=str)
    assert "too little needs the encoder" in said and "nothing to explain" not in said
    assert {edge.kind for edge in drawn_edges(result, 40)} == {UNCLAIMED}


def test_a_circuit_that_cannot_be_claimed_is_grey() -> None:
    _, result = record(smallest=None)
    assert {edge.kind for edge in drawn_edges(result, 40)} == {UNCLAIMED}


def test_every_edge_tells_in_how_many_resamples_it_is_chosen() -> None:
    found, result = record()
    drawn = drawn_edges(result, len(result.edges))
    kinds = {"core": CORE, "contingent": CONTINGENT, "noise": BY_CHANCE}
    by_place = {(edge.source, edge.target): edge for edge in result.edges}
    for edge in drawn:
        scored = by_place[edge.source, edge.target]
        share = round(100 * scored.chosen)
        assert edge.note == f"chosen in {share} % of 100 resamples: {scored.confidence}"
        if scored.in_smallest:
            assert edge.kind == kinds[scored.confidence]
        else:
            assert edge.kind == (AGAINST if scored.score < 0 else OUTSIDE)
    assert {CORE, CONTINGENT} <= {edge.kind for edge in drawn} and CORE.dash != CONTINGENT.dash
    assert [row["chosen_in_resamples"] for row in panels(found)[0].rows] == [e.chosen for e in result.edges]


@pytest.mark.parametrize("level", ["edges", "nodes"])
def test_no_mark_says_that_no_edge_is_drawn_where_one_is(level: str) -> None:
    """The thickest node too: of two marks in one place Plotly's hover takes the smaller."""
    result, _ = fake_circuits(1.0, 6, 1, heads=8, level=level)  # type: ignore[arg-type]
    found, _ = record()
    figure = panels_of(found.model_copy(update={"payload": result.model_dump(mode="json")}), 8)[0].figure
    denied = {
        (round(float(x), 3), round(float(y), 3))
        for trace in figure.data
        if "no edge of it is drawn" in str(trace.hovertemplate)
        for x, y in zip(trace.x, trace.y, strict=True)
    }
    layout = Layout(result.layers, result.heads)
    drawn = {
        tuple(round(float(at), 3) for at in layout.place(name))
        for edge in drawn_edges(result, 8)
        for name in ((edge.source, edge.target) if level == "edges" else (edge.source,))
    }
    assert denied and drawn and not denied & drawn


def test_the_document_tells_the_share_and_the_confidence() -> None:
    result, tensors = fake_circuits(1.0, 3, 0, heads=4)
    document = scored_graph(record()[0], result, tensors)
    assert result.smallest is not None
    assert document["smallest_circuit"]["kept"]["value"] == result.smallest.kept.value
    assert "m(C) / m(full)" in document["format"] and "f = (1 + kept) / 2" in document["format"]
    first = document["first_target"]
    chosen = [document["chosen"][i][k - first[i]] for i, k in document["smallest"]]
    assert chosen == np.rint(100 * tensors["chosen"][tensors["smallest"].astype(bool)]).astype(int).tolist()
    assert document["claim"] == ""
    assert scored_graph(record()[0], nothing_explained(result), tensors)["claim"].startswith("Nothing to explain")


def test_unclaimed_circuits_are_not_compared() -> None:
    found, result = record()
    unclaimed = result.model_copy(update={"smallest": None})
    without = found.model_copy(update={"payload": unclaimed.model_dump(mode="json")})
    (panel,) = circuit_changes(found, without, 40)
    assert panel.rows == [] and panel.alt.startswith("No circuit can be claimed at")
    assert circuit_changes(found, found, 40)[0].rows


def test_the_view_is_registered_with_its_document() -> None:
    assert get("circuits").exports is not None
