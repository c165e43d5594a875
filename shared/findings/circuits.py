"""Through which edges the verdict is computed: the typed result of `circuits`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part

Level = Literal["edges", "nodes"]

CORE, CHANCE_EDGE = 0.9, 0.5
"""Shares of resamples from which an edge is core, and below which it is noise (as arXiv 2603.00523 names them)."""
Confidence = Literal["core", "contingent", "noise"]

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
    chosen: float
    """Share of `resamples` of the prompts in which it is among the first `counted` edges, with the same sign."""

    @property
    def confidence(self) -> Confidence:
        return "core" if self.chosen >= CORE else "contingent" if self.chosen >= CHANCE_EDGE else "noise"


class CurvePoint(Part):
    """One size of circuit, cross-fitted: its edges were chosen on other prompts than those it is run on."""

    fraction: float
    """Of all edges."""
    edges: int
    n: int
    """Prompts that its circuits, and the random ones, are run on."""
    kept: Interval
    """m(C) / m(full): share of the separation, with its 95 % bootstrap-t interval over groups of prompts. 0: the
    separation is gone; below 0: it is reversed."""
    random: list[float]
    """The same of random circuits with as many edges, another one in each fold: fold by fold where they are run on
    all prompts, else pooled; empty at fraction 1."""
    above_random: Interval | None
    """How much more of the separation than these, pooled, is kept, prompt by prompt; None at fraction 1."""

    above_left: Interval | None = None
    """Of an encoder-decoder how much more is kept than with every edge of the encoder cut; None of other judges."""

    @property
    def beats_random(self) -> bool:
        return self.above_random is not None and self.above_random.low > 0

    @property
    def beats_none(self) -> bool:
        """Whether it keeps more than a judge without any edge: nothing, or what a decoder has left."""
        return self.kept.low > 0 and (self.above_left is None or self.above_left.low > 0)


class MibPoint(Part):
    """One size of MIB's curves: f of the plain top n edges, cross-fitted."""

    fraction: float
    edges: int
    signed: float
    """Ranked by score, as CPR wants it."""
    magnitude: float
    """Ranked by |score|, as CMD wants it."""


class SmallestCircuit(Part):
    """The smallest circuit found that keeps `keep` of the separation, on prompts that its edges were not chosen
    on."""

    edges: int
    fraction: float
    kept: Interval
    """m(C) / m(full), cross-fitted, of circuits of this size."""
    faithfulness: float
    """Of the same runs, f = (m(C) - m(empty)) / (m(full) - m(empty)): of the way from the corrupted run's answer to
    the judge's own."""
    in_sample: float
    """m(C) / m(full) of the circuit that is drawn, whose edges were chosen on all prompts, these among them."""
    nodes: int
    """Heads and MLPs on the paths of the circuit that is drawn."""
    random: list[float]
    """What random circuits of its size keep, another one in each fold."""
    above_random: Interval


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
    """Prompts that circuits are run on."""
    n_pairs: int
    """Contrast pairs among them."""
    n_scored: int
    """Prompts that edges are scored on."""
    n_aligned: int
    """Contrast pairs that there are, aligned token by token; 0 where the reference is the mean."""
    folds: int
    """Edges are chosen on all folds but the one that they are run on."""
    resamples: int
    """Bootstrap draws behind each edge's confidence."""
    counted: int
    """Edges of the circuit that the confidence is about: of the smallest one, or a tenth of all."""
    steps: int
    keep: float
    """The share that the smallest circuit keeps, e.g. 0.8; of an encoder-decoder what is `left`, and of the rest
    that share."""
    total_edges: int
    explained: ToExplain
    """m(full): mean class-signed score of the judge; where it may be chance, no circuit is looked for."""
    mean_empty: float | None
    """m(empty): the same with every edge corrupted; None where nothing was run."""
    left: Interval | None = None
    """Of an encoder-decoder m(empty) / m(full): what is left of the separation with every edge of the encoder cut,
    as its decoder reads the prompt's words itself. None of other judges, and where nothing was run."""
    curve: list[CurvePoint]
    """By fraction; empty where there is nothing to explain."""
    mib: list[MibPoint]
    n_mib: int
    """Prompts behind it."""
    n_curve: int
    """Prompts behind the curve, but for the sizes that were run on all; `random_cpr` is of these."""
    cpr: float | None
    """MIB: area under f over the fraction of edges; higher is better."""
    cmd: float | None
    """MIB: area between |1 - f| and 0; lower is better."""
    random_cpr: float | None
    """Area under f of the random circuits."""
    smallest: SmallestCircuit | None
    """None where none can be claimed: no size below the whole keeps `keep`, clear of 0 and of random ones."""
    nodes: list[CircuitNode]
    edges: list[CircuitEdge]
    """The strongest by |score| (at most 400), and all of the smallest circuit where that is no more; none where
    there is nothing to explain."""
    check: Interval | None
    """Spearman correlation of scores with exact patching of the strongest edges, one at a time, both over the same
    prompts; bootstrap interval over groups of prompts."""
    n_checked: int
    notes: list[str]

    @property
    def needs_no_encoder(self) -> bool:
        """Whether so much may be left without the encoder that no circuit of it can be told from none."""
        return self.left is not None and self.left.high >= self.keep

    @property
    def denied(self) -> bool:
        """Whether exact patching says otherwise than the scores of the strongest edges."""
        return self.check is not None and self.check.value < AGREES


NO_CLAIM = "No circuit can be claimed"
AGREES = 0.9
"""Spearman correlation with exact patching below which single edges are flagged."""


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
