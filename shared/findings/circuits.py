"""Through which edges the verdict is computed: the typed result of `circuits`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from shared.findings.parts import Part

Level = Literal["edges", "nodes"]

Name = Annotated[str, Field(pattern=r"^(input|verdict|L\d{1,6}\.(H\d{1,6}|MLP))$")]
"""A node: "input", "L3.H5", "L3.MLP" or "verdict"."""


class CircuitNode(Part):
    """A node that is shown."""

    name: Name
    kind: Literal["input", "head", "mlp", "verdict"]
    layer: int
    """-1 for the input, `layers` for the verdict."""
    head: int | None
    frozen: bool
    effect: float
    """Class-signed integrated effect of the node itself, nats; 0 for the verdict."""


class CircuitEdge(Part):
    """A scored edge; or at level "nodes" a node, from its name to "verdict"."""

    source: Name
    target: Name
    score: float
    """Class-signed, nats: how much of the separation of unsafe and safe is lost, to first order along the path
    from corrupted to clean, when only this edge carries its corrupted value. Positive edges carry the right
    verdict, negative ones work against it."""
    in_smallest: bool
    """Whether it belongs to the smallest circuit that keeps `keep`."""


class CurvePoint(Part):
    """One size of circuit."""

    fraction: float
    """Of all edges."""
    edges: int
    faithfulness: float
    """(m(C) - m(empty)) / (m(full) - m(empty)); pooled over prompts."""
    low: float
    high: float
    """95 % bootstrap interval over contrast pairs (or prompts)."""
    by_magnitude: float
    """The same with edges ranked by |score|, as CMD wants it; `faithfulness` ranks them signed, as CPR does. Edges
    rank with the best path that they are on."""
    random: list[float]
    """Faithfulness of random circuits with as many edges; empty at fraction 1."""


class SmallestCircuit(Part):
    """The smallest circuit found that keeps `keep` of the separation."""

    edges: int
    fraction: float
    faithfulness: float
    nodes: int
    """Heads and MLPs on its paths."""
    random: list[float]


class CircuitsResult(Part):
    """Result of the analysis `circuits`."""

    level: Level
    """ "nodes" where the edges of this family cannot be told apart; a note says why."""
    layers: int
    heads: int
    frozen_boundary: int
    reference: Literal["twin", "mean"]
    """What an edge outside the circuit carries: its value for the contrast twin, or its mean over the probes."""
    n: int
    """Prompts."""
    n_pairs: int
    steps: int
    keep: float
    """The share that the smallest circuit keeps, e.g. 0.8."""
    total_edges: int
    mean_full: float
    """m(full): mean class-signed score of the judge, nats."""
    mean_empty: float
    """m(empty): the same with every edge corrupted."""
    curve: list[CurvePoint]
    """By fraction; empty when m(full) = m(empty), so that there is nothing to keep."""
    cpr: float | None
    """MIB: area under faithfulness over the fraction of edges; higher is better."""
    cmd: float | None
    """MIB: area between |1 - faithfulness| and 0; lower is better."""
    random_cpr: float | None
    smallest: SmallestCircuit | None
    """None when no size below the whole keeps `keep`."""
    nodes: list[CircuitNode]
    edges: list[CircuitEdge]
    """The strongest by |score| (at most 400), and all of the smallest circuit where that is no more."""
    check: float | None
    """Spearman correlation of scores with exact patching of the strongest edges, one at a time."""
    n_checked: int
    notes: list[str]


def strongest_edges(result: CircuitsResult, count: int) -> list[CircuitEdge]:
    """The `count` strongest edges by |score|, strongest first."""
    return sorted(result.edges, key=lambda edge: -abs(edge.score))[:count]


_NAME = re.compile(r"^L(\d+)\.(?:H(\d+)|MLP)$")


def node_names(layers: int, heads: int) -> list[str]:
    """Every node in the order in which they write: input, then of each layer its heads and its MLP; the verdict."""
    inner = [
        f"L{layer}.{part}" for layer in range(layers) for part in [*(f"H{head}" for head in range(heads)), "MLP"]
    ]
    return ["input", *inner, "verdict"]
