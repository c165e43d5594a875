"""Words about circuits: the finding with its control, what should worry, and shares as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.units.words import nats
from shared.findings.circuits import AGREES, NO_CLAIM
from shared.findings.claims import SEPARATION, nothing_to_explain, power
from shared.findings.text import counted, number, percent

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult, CurvePoint
    from shared.findings.parts import Interval

MOST = 0.5
"""A circuit of more than this share of the graph explains little."""
REFERENCES = {"twin": "its value for the contrast twin", "mean": "its mean over the probe set"}
"""What an edge outside the circuit carries, by CircuitsResult.reference."""


def noun(result: CircuitsResult) -> str:
    """ "edges", or "nodes" where edges cannot be told apart."""
    return result.level


def of_them(result: CircuitsResult, count: int) -> str:
    """ "1 edge", "8 edges" """
    return counted(count, noun(result)[:-1])


def small_share(share: float) -> str:
    """A share in percent with as many digits as mean something: "34 %", "3.0 %", "0.12 %"."""
    size = 100 * share
    if size >= 9.95 or size <= 0:
        return percent(share)
    return percent(share, 1 if size >= 0.995 else min(6, 1 - math.floor(math.log10(size))))


def kept(value: float) -> str:
    """A share of the separation in percent: "83 %", "−4 %"."""
    text = percent(value).replace("-", "−")
    return "0 %" if text == "−0 %" else text


def exact_nats(value: float) -> str:
    """A score with its sign and four digits that mean something: "+0.04213", "−0.0012"."""
    return f"{value:+.4g}".replace("-", "−")


def mean_of(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def span(share: Interval) -> str:
    """A share with its interval: "83 % [71, 92]"."""
    low, high = (kept(end).removesuffix(" %") for end in (share.low, share.high))
    return f"{kept(share.value)} [{low}, {high}]"


def circuit_finding(result: CircuitsResult) -> str:
    """What the smallest circuit keeps beside random ones, or why none is claimed: without its full stop."""
    nothing = nothing_to_explain(result.explained, SEPARATION)
    if nothing is not None:
        return nothing
    if result.smallest is None:
        return _no_claim(result)
    circuit = result.smallest
    one = circuit.edges == 1
    size = f"{circuit.edges:,} of {of_them(result, result.total_edges)} ({small_share(circuit.fraction)})"
    verb, they = ("keeps", "it was") if one else ("keep", "they were")
    words = f"{size} {verb} {span(circuit.kept)} of the separation on prompts {they} not chosen on"
    random = mean_of(circuit.random)
    words = words if random is None else f"{words}; random ones {kept(random)}"
    return words if result.left is None else f"{words}; without the encoder {span(result.left)} is left"


def left_words(result: CircuitsResult) -> str:
    """What an encoder-decoder needs no circuit for; empty of other judges."""
    if result.left is None:
        return ""
    return (
        f"the decoder reads the words itself: {span(result.left)} of the separation is left with every edge of the "
        "encoder cut"
    )


def share_words(result: CircuitsResult) -> str:
    """What the share of the separation is, and what f is."""
    share = (
        "The share of the separation is m(C) / m(full): what is left of the mean class-signed score, 0 where it is "
        "gone, below 0 where the circuit answers the other way."
    )
    if result.left is not None:
        left = left_words(result)
        share += f" {left[0].upper()}{left[1:]}{_asked_for(result)}."
    if result.reference == "twin" and result.left is None:
        way = "(1 + share) / 2: of the way from the twin's answer to the prompt's, so that f = 0.5 keeps nothing."
        return f"{share} Faithfulness f is MIB's {way}"
    return f"{share} Faithfulness f is MIB's: of the way from the corrupted run's answer to the judge's own."


def _asked_for(result: CircuitsResult) -> str:
    """What a circuit has to keep beyond what is left without it."""
    if result.left is None or not result.curve:
        return ""
    rest = ": that, and the share of the rest that is asked for" if result.left.value > 0 else ""
    return f"; a circuit has to keep {kept(result.keep)}{rest}"


def _no_claim(result: CircuitsResult) -> str:
    """The best part tried, and why it is no circuit."""
    if result.needs_no_encoder:
        return f"{NO_CLAIM}: {left_words(result)}"
    best = best_part(result)
    if best is None:
        return f"{NO_CLAIM}: the separation is too uncertain for a share of it"
    size = f"the best {small_share(best.fraction)} of the {noun(result)}, chosen on other prompts, keep"
    if best.kept.low <= 0:
        return f"{NO_CLAIM}: {size} {span(best.kept)} of the separation, which may be none"
    if not best.beats_none and result.left is not None:
        beside = f"than is left without the encoder ({kept(result.left.value)})"
        return f"{NO_CLAIM}: {size} {span(best.kept)} of the separation, no more {beside}"
    if not best.beats_random:
        chance = mean_of(best.random)
        beside = "" if chance is None else f" ({kept(chance)})"
        return f"{NO_CLAIM}: {size} {span(best.kept)} of the separation, no more than random ones{beside}"
    return f"{NO_CLAIM} that keeps {kept(result.keep)} of the separation: {size} {span(best.kept)}"


def best_part(result: CircuitsResult) -> CurvePoint | None:
    """The size below the whole that keeps most."""
    parts = [point for point in result.curve if point.edges < result.total_edges]
    return max(parts, key=lambda point: point.kept.value, default=None)


def curve_finding(result: CircuitsResult) -> str:
    """How the best circuits compare with random ones over all sizes."""
    tried = [point for point in result.curve if point.random]
    if not tried:
        return circuit_finding(result)
    clear = [point for point in tried if point.beats_random and point.beats_none]
    nothing = "0" if result.left is None else "0, of what is left without the encoder"
    if not clear:
        return (
            f"{NO_CLAIM}: at none of {counted(len(tried), 'size')} is what the best {noun(result)} keep clear of "
            f"{nothing} and of random ones"
        )
    first = min(clear, key=lambda point: point.edges)
    sizes = f"{len(clear)} of {counted(len(tried), 'size')}"
    return (
        f"From {small_share(first.fraction)} of the {noun(result)} on, some of the separation is kept: "
        f"{span(first.kept)} there, clear of {nothing} and of random ones at {sizes}"
    )


def circuit_flags(result: CircuitsResult) -> list[str]:
    """What a reader must know before believing the graph."""
    flags = []
    circuit = result.smallest
    if result.explained.reversed:
        flags.append("REVERSED: this judge scores what is unsafe lower; its circuit carries that")
    if circuit is not None and circuit.fraction >= MOST:
        flags.append(
            f"MOST OF THE GRAPH: the circuit needs {small_share(circuit.fraction)} of the {noun(result)}, so it "
            "explains little"
        )
    if result.denied and result.check is not None:
        flags.append(
            f"EXACT PATCHING DISAGREES (Spearman {_between(result.check)} over the {result.n_checked} strongest, "
            f"{AGREES:g} wanted): believe the curve, not single {noun(result)}"
        )
    return flags


def power_words(result: CircuitsResult) -> str:
    """What the intervals rest on, and what more prompts would buy and cost."""
    words = power(result.explained)
    best = result.smallest.kept if result.smallest is not None else getattr(best_part(result), "kept", None)
    if best is None:
        return words
    half = (best.high - best.low) / 2
    further = result.n_aligned - result.n_pairs
    if result.n_pairs and further > 0:
        times = result.n_aligned / result.n_pairs
        more = (
            f"run on {result.n_pairs} of {result.n_aligned} aligned pairs; all of them would narrow it to about "
            f"±{kept(half / math.sqrt(times))} at up to {times:.1f} times the runs (--set circuits.curve_prompts="
            f"{2 * result.n_aligned})"
        )
    else:
        more = f"twice the prompts would narrow it to about ±{kept(half / math.sqrt(2))} at up to twice the runs"
    return f"{words}; the share's interval is ±{kept(half)}, {more}"


def shape_words(result: CircuitsResult) -> str:
    """Layers and heads, frozen ones, and how far the scores were checked: for a subtitle."""
    frozen = f", {result.frozen_boundary} frozen" if result.frozen_boundary else ""
    parts = [f"{counted(result.layers, 'layer')}{frozen}, {counted(result.heads, 'head')} each"]
    if result.smallest is not None:
        total = result.layers * (result.heads + 1)
        parts.append(f"{result.smallest.nodes:,} of {total:,} heads and MLPs in it")
    if result.check is not None:
        checked = f"({result.n_checked} strongest)"
        parts.append(f"Spearman with exact patching {_between(result.check)} {checked}")
    return " · ".join(parts)


def separation_words(result: CircuitsResult) -> str:
    """The separation that there is to keep, and MIB's areas: for a subtitle."""
    size = result.explained.size
    words = [f"separation {number(size.value)} nats [{number(size.low)}, {number(size.high)}]"]
    words += [f"{span(result.left)} of it left without the encoder"] if result.left is not None else []
    areas = [
        f"{name} {nats(value)}"
        for name, value in (("CPR", result.cpr), ("CMD", result.cmd), ("random CPR", result.random_cpr))
        if value is not None
    ]
    return " · ".join([*words, f"of f: {', '.join(areas)}"] if areas else words)


def _between(found: Interval) -> str:
    value, low, high = (f"{each:.2f}".replace("-", "−") for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def outside_range(points: Sequence[CurvePoint], low: float, high: float) -> int:
    """How many values of the curve lie beyond a range of the y axis."""
    values = [v for p in points for v in (p.kept.value, *p.random)]
    return sum(not low <= value <= high for value in values)
