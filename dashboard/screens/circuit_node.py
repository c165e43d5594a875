"""The tab *Circuits*: the graph, and a panel of the node whose paths stand out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.chrome import reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView
from dashboard.reading.unit_words import head_lines
from dashboard.screens.unit_history import unit_panel
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import show_panels
from shared.figures.circuits.words import exact_nats
from shared.findings.circuits import CircuitsResult
from shared.findings.text import counted
from shared.views import Panel

_HEAD = re.compile(r"L(\d+)\.H(\d+)")
EDGES_NAMED = 6
"""Edges of a node that its panel names."""


def show_circuit(
    frame: Frame, view: CheckpointView, panels: Sequence[Panel], find: Callable[[], Sequence[Panel]]
) -> None:
    """The figures; a click on a node makes its paths stand out, and a second one all of them again."""
    chosen = frame.selection

    def picked(name: Any) -> None:
        name = name[0] if isinstance(name, list) and name else name
        if isinstance(name, str):
            chosen.node = "" if name == chosen.node else name
            reader_choice.write_link(chosen, view)

    show_panels(panels[:1], lambda: find()[:1], "circuits", picked)
    if chosen.node:
        node_panel(frame, view, chosen.node)
    show_panels(panels[1:], lambda: find()[1:], "circuits-more")


def node_panel(frame: Frame, view: CheckpointView, name: str) -> None:
    """What is known of one node: its effect and edges, what its removal costs, what it looks for, its history."""
    result = cached.typed(view.results.get("circuits"), "circuits")
    with st.container(border=True, key="panel-node"):
        plain(name, "node-title", "heading")
        for number, line in enumerate(edge_lines(result, name) if result is not None else []):
            plain(line, f"node-edge-{number}")
        place = _HEAD.fullmatch(name)
        if place is None:
            return
        heads = cached.typed(view.results.get("heads"), "heads")
        row = next((each for each in heads.top if each.name == name), None) if heads is not None else None
        for number, line in enumerate(head_lines(row, analysed=heads is not None)):
            plain(line, f"node-head-{number}", "body" if row is not None else "muted")
        if heads is not None:
            unit = (int(place[1]), int(place[2]))
            show_panels(
                [unit_panel(frame, view, "heads", unit)],
                lambda: [unit_panel(frame, view, "heads", unit)],
                "node-history",
            )


def edge_lines(result: CircuitsResult, name: str) -> list[str]:
    """The node's own effect, and its strongest scored edges."""
    effect = next((node.effect for node in result.nodes if node.name == name and node.kind != "verdict"), None)
    lines = [] if effect is None else [f"Integrated effect {exact_nats(effect)} nats (to first order)."]
    for words, edges in (
        ("In", [edge for edge in result.edges if edge.target == name]),
        ("Out", [edge for edge in result.edges if edge.source == name]),
    ):
        strongest = sorted(edges, key=lambda edge: -abs(edge.score))[:EDGES_NAMED]
        named = ", ".join(f"{edge.source} → {edge.target} {exact_nats(edge.score)}" for edge in strongest)
        if named:
            lines.append(f"{words} ({counted(len(edges), 'scored edge')}): {named}.")
    return lines or [f"None of the scored edges named here touches {name}."]
