"""Words about circuits: the finding with its control, what should worry, and shares as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.units.words import ENOUGH, nats
from shared.findings.text import percent

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult, CurvePoint

LOW_CHECK = 0.5
"""Spearman correlation with exact patching below which single edges are not to be believed."""
MOST = 0.5
"""A circuit of more than this share of the graph explains little."""
REFERENCES = {"twin": "its value for the contrast twin", "mean": "its mean over the probe set"}
"""What an edge outside the circuit carries, by CircuitsResult.reference."""


def noun(result: CircuitsResult) -> str:
    """ "edges", or "nodes" where edges cannot be told apart."""
    return result.level


def small_share(share: float) -> str:
    """A share in percent with as many digits as mean something: "34 %", "3.0 %", "0.12 %"."""
    size = 100 * share
    if size >= 9.95 or size <= 0:
        return percent(share)
    return percent(share, 1 if size >= 0.995 else min(6, 1 - math.floor(math.log10(size))))


def kept(value: float) -> str:
    """Faithfulness in percent: "83 %", "−4 %"."""
    text = percent(value).replace("-", "−")
    return "0 %" if text == "−0 %" else text


def exact_nats(value: float) -> str:
    """A score with its sign and four digits that mean something: "+0.04213", "−0.0012"."""
    return f"{value:+.4g}".replace("-", "−")


def mean_of(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def circuit_finding(result: CircuitsResult) -> str:
    """What the smallest circuit keeps beside random ones, as a sentence without its full stop."""
    if not result.curve:
        return "Nothing to keep: the judge separates these prompts no better than its corrupted run"
    if result.smallest is None:
        return f"No part keeps {kept(result.keep)} of the separation{_best_part(result)}"
    circuit = result.smallest
    size = f"{circuit.edges:,} of {result.total_edges:,} {noun(result)} ({small_share(circuit.fraction)})"
    words = f"{size} keep {kept(circuit.faithfulness)} of the separation"
    random = mean_of(circuit.random)
    if random is None:
        return words
    if not beats_random(circuit.faithfulness, circuit.random):
        return f"{words}, no more than random ones: {kept(max(circuit.random))}"
    return f"{words}; random ones keep {kept(random)}"


def beats_random(value: float, random: Sequence[float]) -> bool:
    """Whether a circuit keeps more than each random one of its size."""
    return not random or value > max(random)


def _best_part(result: CircuitsResult) -> str:
    parts = [point for point in result.curve if point.edges < result.total_edges]
    if not parts:
        return ""
    best = max(parts, key=lambda point: point.faithfulness)
    return f"; the best tried, {small_share(best.fraction)} of the {noun(result)}, keeps {kept(best.faithfulness)}"


def curve_finding(result: CircuitsResult) -> str:
    """How the best circuits compare with random ones over all sizes."""
    tried = [point for point in result.curve if point.random]
    if not tried:
        return circuit_finding(result)
    ahead = sum(beats_random(point.faithfulness, point.random) for point in tried)
    if not ahead:
        return f"The best {noun(result)} are no better than random ones at any of {len(tried)} sizes"
    words = f"The best {noun(result)} beat every random circuit at {ahead} of {len(tried)} sizes"
    if result.cpr is None or result.random_cpr is None:
        return words
    return f"{words}: CPR {nats(result.cpr)} against {nats(result.random_cpr)}"


def circuit_flags(result: CircuitsResult) -> list[str]:
    """What a reader must know before believing the graph."""
    flags = []
    circuit = result.smallest
    if not result.curve:
        flags.append(f"NOTHING TO KEEP: no separation that these {noun(result)} could carry; they are noise")
    if circuit is not None and not beats_random(circuit.faithfulness, circuit.random):
        flags.append("NO BETTER THAN RANDOM: circuits drawn by lot keep as much as this one")
    if circuit is not None and circuit.fraction > MOST:
        flags.append(
            f"MOST OF THE GRAPH: the circuit needs {small_share(circuit.fraction)} of the {noun(result)}, so it "
            "explains little"
        )
    if result.check is not None and result.n_checked >= ENOUGH and result.check < LOW_CHECK:
        flags.append(
            f"SCORES DENIED BY EXACT PATCHING (Spearman {_correlation(result.check)}, {result.n_checked} "
            "strongest): believe the curve only"
        )
    return flags


def shape_words(result: CircuitsResult) -> str:
    """Layers and heads, frozen ones, and how far the scores were checked: for a subtitle."""
    frozen = f", {result.frozen_boundary} frozen" if result.frozen_boundary else ""
    parts = [f"{_counted(result.layers, 'layer')}{frozen}, {_counted(result.heads, 'head')} each"]
    if result.smallest is not None:
        total = result.layers * (result.heads + 1)
        parts.append(f"{result.smallest.nodes:,} of {total:,} heads and MLPs in it")
    if result.check is not None:
        checked = f"({result.n_checked} strongest)"
        parts.append(f"Spearman with exact patching {_correlation(result.check)} {checked}")
    return " · ".join(parts)


def separation_words(result: CircuitsResult) -> str:
    """CPR and CMD with the separation that there is to keep: for a subtitle."""
    areas = []
    for name, value in (("CPR", result.cpr), ("CMD", result.cmd), ("random CPR", result.random_cpr)):
        if value is not None:
            areas.append(f"{name} {nats(value)}")
    means = f"mean class-signed score {nats(result.mean_full)} nats whole, {nats(result.mean_empty)} corrupted"
    return " · ".join([", ".join(areas), means] if areas else [means])


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _correlation(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def outside_range(points: Sequence[CurvePoint], low: float, high: float) -> int:
    """How many values of the curve lie beyond a range of the y axis."""
    values = [v for p in points for v in (p.faithfulness, p.by_magnitude, *p.random)]
    return sum(not low <= value <= high for value in values)
