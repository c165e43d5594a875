"""The circuit of one checkpoint in the other: edges that both share, beside what random sets would share."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

from shared.figures.circuits.words import noun
from shared.findings.alerts import p_words
from shared.findings.circuits import NO_CLAIM, CircuitsResult
from shared.findings.claims import CHANCE
from shared.findings.text import counted, number, percent
from shared.views.overview.verdict import capital

if TYPE_CHECKING:
    from shared.findings.evolution import EvolutionResult


@dataclass(frozen=True)
class Overlap:
    """Edges of the smallest circuit of each, as sets out of all edges of the graph."""

    there: int
    here: int
    shared: int
    total: int
    by_chance: float
    """Edges that two random sets of these sizes share on average."""
    p_value: float
    """One-sided, exact (hypergeometric): that random sets share so many or more."""


def overlap(there: CircuitsResult, here: CircuitsResult, names: tuple[str, str]) -> Overlap | str:
    """What both circuits share, or why that is not told, as one sentence; `names` are there, here."""
    if (there.level, there.layers, there.heads) != (here.level, here.layers, here.heads):
        return f"The graphs of {names[1]} and {names[0]} have other nodes, so no edge has a counterpart."
    unclaimed = [name for name, each in zip(names, (there, here), strict=True) if each.smallest is None]
    if unclaimed:
        return f"{NO_CLAIM} at {' and '.join(unclaimed)}, so nothing is compared."
    sets = [{(edge.source, edge.target) for edge in each.edges if edge.in_smallest} for each in (there, here)]
    for name, each, found in zip(names, (there, here), sets, strict=True):
        if each.smallest is not None and len(found) != each.smallest.edges:
            why = "so what is shared is not known"
            return f"The result of {name} lists only some edges of its smallest circuit, {why}."
    sizes, shared = (len(sets[0]), len(sets[1])), len(sets[0] & sets[1])
    by_chance = sizes[0] * sizes[1] / here.total_edges
    return Overlap(*sizes, shared, here.total_edges, by_chance, _at_least(shared, *sizes, here.total_edges))


def _at_least(shared: int, one: int, other: int, total: int) -> float:
    """P(two random sets of these sizes share `shared` or more), counted in whole numbers."""
    ways = sum(comb(one, k) * comb(total - one, other - k) for k in range(shared, min(one, other) + 1))
    return ways / comb(total, other)


def overlap_sentence(found: Overlap, names: tuple[str, str], result: CircuitsResult) -> str:
    """What they share beside chance; without a full stop."""
    there, here = names
    what = noun(result)
    chance = f"two random sets of these sizes would share {number(found.by_chance)} of {found.total:,}"
    told = f"{chance}; exact {p_words(found.p_value)}"
    more = "more than random sets would" if found.p_value < CHANCE else "no more than random sets may"
    return (
        f"{found.shared} of the {counted(found.here, what[:-1])} of the circuit of {here} are among the "
        f"{found.there} of {there}: {more} ({told})"
    )


def transfer_sentence(changed: EvolutionResult | None, checkpoint: str, digest: str, names: tuple[str, str]) -> str:
    """What the circuit of there keeps in the judge here, where that was really run; else that it was not.

    `changed` is the result of `evolution` here, None where it is of another run; `checkpoint` and `digest` are
    of the result of there.
    """
    there, here = names
    if (
        changed is None
        or changed.transfer is None
        or changed.previous is None
        or changed.previous.checkpoint != checkpoint
    ):
        why = "only the circuit of the checkpoint before is"
        return f"Whether the circuit of {there} works in {here} was not run: {why}."
    if changed.previous.digest != digest:
        why = f"what was run is not known to be of the same weights; analyse {here} again with --force"
        return f"Whether the circuit of {there} works in {here} is not said: {why}."
    kept = changed.transfer.kept
    works = "works" if changed.transfer.works else "is not seen to work"
    random = changed.transfer.random
    beside = f"; random ones of its size {percent(min(random))} to {percent(max(random))}" if random else ""
    if (above := changed.transfer.above_left) is not None:
        beside += f"; {percent(kept.value - above.value)} is left without the encoder"
    return (
        f"{capital(f'the circuit of {there}')} {works} in {here}: it keeps {percent(kept.value)} "
        f"[{percent(kept.low)}, {percent(kept.high)}] of the separation{beside}"
    )
