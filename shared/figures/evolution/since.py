"""The checkpoints that one is compared with: the previous and the first, each with its colour and its dash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.figures.kit.style import BLUE, PURPLE
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.evolution import AttributionDrift, EvolutionResult, SetChange
    from shared.findings.parts import Interval


@dataclass(frozen=True)
class Since:
    """One of the checkpoints that this one is compared with, and what there is of the comparison."""

    label: str
    """Escaped, e.g. "epoch 2"."""
    cka: list[float] | None
    correlations: list[tuple[AttributionDrift, float]]
    """Prompts with their Spearman correlation."""
    mean: Interval | None
    neurons: SetChange | None
    edges: SetChange | None
    colour: str
    dash: str
    symbol: str


def comparisons(result: EvolutionResult) -> list[Since]:
    """The previous checkpoint where that is another judge, then the first one where that is another."""
    found = []
    if result.previous is not None and result.same != "judge":
        pairs = [(row, row.to_previous) for row in result.drift if row.to_previous is not None]
        parts = (result.cka_to_previous, pairs, result.drift_to_previous)
        sets = (result.neurons_to_previous, result.edges_to_previous)
        found.append(Since(escape(result.previous.label), *parts, *sets, BLUE, "solid", "circle"))
    if result.first is not None and result.first != result.previous:
        pairs = [(row, row.to_first) for row in result.drift if row.to_first is not None]
        parts = (result.cka_to_first, pairs, result.drift_to_first)
        sets = (result.neurons_to_first, result.edges_to_first)
        found.append(Since(escape(result.first.label), *parts, *sets, PURPLE, "dash", "square"))
    return found
