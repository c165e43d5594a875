"""What inside the judge tells one prompt from its twin: a part of an answer (`midwatch ask --part inside`)."""

from __future__ import annotations

from typing import Literal

from shared.findings.claims import LEAST_NATS
from shared.findings.parts import Part


class UnitOnPair(Part):
    """One head or neuron, on this pair."""

    kind: Literal["head", "neuron"]
    layer: int
    unit: int
    effect: float
    """What the prompt's score gains when this unit alone really takes the value it has for the twin, nats."""
    reading: float | None = None
    """Of a neuron: its reading of the prompt, as the analysis `neurons` reads it; None for a head."""
    twin_reading: float | None = None

    @property
    def name(self) -> str:
        return f"L{self.layer}.{'H' if self.kind == 'head' else 'N'}{self.unit}"


class InsidePair(Part):
    """One prompt and its twin. It describes these two: nothing follows from it for any other prompt."""

    score: float
    """Of the prompt, nats."""
    twin_score: float
    heads: list[UnitOnPair]
    """Those that move the score most, most first."""
    heads_tried: int
    """Heads that were given the twin's value, each alone."""
    heads_of: int
    """Heads of the judge."""
    other_heads: float | None
    """Median of |effect| over the heads that were tried and are not listed, nats; None without any."""
    neurons: list[UnitOnPair]
    """The strongest by gradients, by what each alone really does, most first; empty where neurons are not read."""
    random_neurons: list[float]
    """|effect| of as many random neurons of the same layers, nats."""

    @property
    def gap(self) -> float:
        """The twin's score less the prompt's: what all units together would do, nats."""
        return self.twin_score - self.score

    @property
    def alike(self) -> bool:
        """Whether the two score so much alike that nothing is named."""
        return abs(self.gap) < LEAST_NATS
