"""Kinds of edges: what each says, its colour and its dash, never colour alone; and an edge of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.figures.kit.style import BLUE, ORANGE, SKY

_LIMITS = tuple(base * 10.0**power for power in range(-7, 4) for base in (1, 2, 5))


@dataclass(frozen=True)
class Kind:
    """How edges of one sort look, and what pointing at one says."""

    name: str
    colour: str
    dash: str
    said: str
    """Hover below the edge's name, in Plotly's words; `customdata` is its score."""
    symbol: str = ""
    """A mark in the middle of each; none where empty."""


_SCORE = "score %{customdata:+.4g} nats"
CORE = Kind("of the circuit, core", BLUE, "solid", f"{_SCORE}<br>in the smallest circuit")
CONTINGENT = Kind("of the circuit, contingent", BLUE, "dash", f"{_SCORE}<br>in the smallest circuit")
BY_CHANCE = Kind("of the circuit, noise", "#8c959f", "dash", f"{_SCORE}<br>in the smallest circuit")
OUTSIDE = Kind("carries it too, outside that circuit (+)", SKY, "dot", f"{_SCORE}<br>outside the smallest circuit")
AGAINST = Kind("works against it (−)", ORANGE, "dashdot", f"{_SCORE}<br>works against the verdict")
UNCLAIMED = Kind(
    "scored; no circuit is claimed", "#8c959f", "dot", f"{_SCORE}<br>of no circuit that can be claimed"
)
ELSEWHERE = Kind("on no path through the node picked", "#d0d7de", "dot", _SCORE)
KEPT = Kind("kept", "#8c959f", "solid", "")
NEW = Kind("new", BLUE, "solid", "", "triangle-right")
LOST = Kind("lost", ORANGE, "dot", "", "x-thin")


@dataclass(frozen=True)
class DrawnEdge:
    """One edge (or, at node level, a node on its way to the verdict) as drawn."""

    source: str
    target: str
    score: float
    """Class-signed, nats."""
    kind: Kind
    note: str = ""
    """A line more for the hover, escaped."""


def limit_of(scores: Sequence[float]) -> float:
    """The round number (1, 2, 5, 10, ...) of nats that holds all |scores|: it changes seldom between epochs."""
    largest = max((abs(score) for score in scores), default=0.0)
    return next((limit for limit in _LIMITS if limit >= largest), largest)


def edge_mark(kind: Kind) -> dict[str, Any]:
    """The mark in the middle of an edge."""
    line = {"color": kind.colour, "width": 2 if kind.symbol == "x-thin" else 0}  # that one is nothing but its line
    return {"symbol": kind.symbol or "circle", "size": 7, "color": kind.colour, "line": line}


def node_mark(kind: Kind) -> dict[str, Any]:
    """A node that stands for an edge of this kind."""
    return {"color": kind.colour, "line": {"width": 2, "color": kind.colour}}


def opened(kind: Kind) -> str:
    """What a symbol's name ends with: open where the kind is against the verdict, or gone."""
    return "-open" if kind in (AGAINST, LOST) else ""


def said(name: str, edge: DrawnEdge) -> str:
    """The first lines of an edge's hover."""
    return f"<b>{name}</b><br>{edge.note}" if edge.note else f"<b>{name}</b>"
