"""The panel of one node of a circuit, and the choices of what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.reading.unit_words import head_lines
from dashboard.screens.circuit_node import edge_lines
from shared.findings.circuits import CircuitsResult
from shared.findings.heads import HeadsResult
from tests.dashboard import scenes
from tests.dashboard.test_pages import TRAINING, checked, words
from tests.making.fakes import fake_records
from tests.making.waiting import LIMIT_S


def test_a_nodes_panel_says_its_effect_its_edges_and_what_its_removal_costs() -> None:
    records = {each.analysis: each.payload for each in fake_records(1, advanced=True)}
    circuits = CircuitsResult.model_validate(records["circuits"])
    edge = max(circuits.edges, key=lambda each: abs(each.score))
    said = "\n".join(edge_lines(circuits, edge.target))
    assert f"{edge.source} → {edge.target}" in said and "In (" in said
    assert "touches nobody" in edge_lines(circuits, "nobody")[0]
    row = HeadsResult.model_validate(records["heads"]).top[0]
    assert "Removed alone" in head_lines(row, True)[0] and row.attends[0].token in head_lines(row, True)[1]
    assert [head_lines(None, analysed)[0].split()[0] for analysed in (True, False)] == ["Not", "Heads"]


def test_a_link_restores_the_node_and_the_weakest_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.advanced(tmp_path, 2)
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    app = AppTest.from_string(TRAINING, default_timeout=LIMIT_S)
    for name, value in {"tab": "circuits", "node": "L5.H2", "least": "20"}.items():
        app.query_params[name] = value
    checked(app.run())
    chosen = {box.label: box.value for box in app.selectbox}
    assert chosen["Paths through"] == "L5.H2" and chosen["Score at least"] == 0.2
    assert "L5.H2" in words(app) and "scored edge" in words(app)
    spec = app.get("plotly_chart")[0].proto.spec
    assert "on no path through the node picked" in spec
    through = next(box for box in app.selectbox if box.label == "Paths through")
    checked(through.set_value("every node").run())
    assert "node" not in app.query_params and "on no path" not in app.get("plotly_chart")[0].proto.spec
