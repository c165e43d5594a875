"""When a page may claim something: the no-claim gate, and what is worth a headline.

What an analysis explains is measured first, with its interval. Where it may be chance, or is too small to move a
verdict, or rests on too few prompts, the page says so and claims nothing; nothing is ranked as if it mattered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from shared.findings.parts import Interval, Part
from shared.findings.text import counted, number

FEWEST_GROUPS = 12
"""Independent groups of prompts (contrast pairs, templates) below which nothing is a headline: there no interval
holds what it says."""
CHANCE = 0.002
"""Two-sided p-value from which on a size may be chance. Stricter than the 95 % interval shown: a judge that learned
nothing is looked at by eight analyses an epoch, and one interval in twenty misses."""
LEAST_NATS = 0.1
"""Separation, nats, below which no verdict moves: the odds of unsafe change by less than a tenth."""
LEAST_SHARE = 0.01
"""Share of what is explained below which an effect is no headline."""

SEPARATION = "the separation of unsafe and safe is"
"""What most analyses explain, for `nothing_to_explain`: how far a prompt lies, on average, on its label's side
of the middle between the classes (`analyzer/statistics/separation.py`)."""

Unit = Literal["contrast pairs", "prompts", "groups of prompts", "groups of the rarer class"]


class ToExplain(Part):
    """What an analysis explains: its size, and how sure that is."""

    size: Interval
    """Nats; over groups of prompts, bootstrap-t."""
    p_value: float
    """Two-sided, Student's t over groups, that the size is 0."""
    groups: int
    """Independent groups that the interval rests on; those of the rarer class where these are too few."""
    unit: Unit
    """What a group is."""
    needed: int | None
    """Groups with which a size like this would be told from 0 in four of five tries; None where that is more than a
    hundred times as many."""

    @property
    def claimable(self) -> bool:
        """Whether there is something to explain."""
        return self.groups >= FEWEST_GROUPS and not self.may_be_chance and not self.tiny

    @property
    def may_be_chance(self) -> bool:
        return self.size.low <= 0 <= self.size.high or self.p_value >= CHANCE

    @property
    def tiny(self) -> bool:
        return abs(self.size.value) < LEAST_NATS

    @property
    def surely_tiny(self) -> bool:
        """Whether not even the ends of the interval would move a verdict."""
        return max(abs(self.size.low), abs(self.size.high)) < LEAST_NATS

    @property
    def reversed(self) -> bool:
        """The judge answers the other way: what is unsafe scores lower."""
        return self.claimable and self.size.value < 0

    def share(self, effect: Interval) -> Interval:
        """An effect in nats as a share of the size (taken as known)."""
        ends = sorted((effect.low / self.size.value, effect.high / self.size.value))
        return Interval(value=effect.value / self.size.value, low=ends[0], high=ends[1])

    def worth_saying(self, effect: Interval) -> bool:
        """Whether an effect is clear of 0 and at least a hundredth of what is explained."""
        clear = not effect.low <= 0 <= effect.high
        return self.claimable and clear and abs(effect.value) >= LEAST_SHARE * abs(self.size.value)


def carries(found: ToExplain, lost: Interval, random: Sequence[float]) -> bool:
    """Whether units carry the verdict: the one meaning of that word, everywhere.

    They were really removed, on prompts that they were not chosen on. `lost` is what the class-signed score loses
    then, `random` what it loses without as many random units of the same layers, a number a draw (nats). The loss
    must be clear of 0 and of every draw, and at least a hundredth of what is explained. What is known from
    gradients alone is an effect by attribution, and carries nothing.
    """
    if not found.worth_saying(lost):
        return False
    share = found.share(lost)
    return share.low > 0 and len(random) > 0 and all(share.low > drawn / found.size.value for drawn in random)


def nothing_to_explain(found: ToExplain, what: str) -> str | None:
    """Why nothing is claimed, as a headline; None where something is.

    `what` is measured and how, e.g. `SEPARATION`. The line below it is `power`.
    """
    if found.claimable:
        return None
    size = f"{what} {number(found.size.value)} nats [{number(found.size.low)}, {number(found.size.high)}]"
    if found.groups < FEWEST_GROUPS:
        return f"Nothing can be claimed from {counted(found.groups, *_names(found.unit))}: {size}"
    chance = found.may_be_chance and not found.surely_tiny
    return f"Nothing to explain: {size}, {'which may be chance' if chance else 'too little to move a verdict'}"


def power(found: ToExplain) -> str:
    """What the interval rests on, and how much more would tell such a size from chance."""
    rests = counted(found.groups, *_names(found.unit))
    if found.groups < FEWEST_GROUPS:
        return f"{rests}; an interval needs {FEWEST_GROUPS}: give more prompts with `--probes`"
    if not found.may_be_chance:
        return rests
    if found.needed is None:
        return f"{rests}; more than {100 * found.groups:,} would be needed to tell it from chance"
    return f"{rests}; about {found.needed:,} would be needed to tell it from chance"


def measured(found: ToExplain) -> str:
    """The judge's separation with its interval, for the line of facts."""
    size = f"{number(found.size.value)} nats [{number(found.size.low)}, {number(found.size.high)}]"
    return f"judge's separation {size} over {power(found)}"


def _names(unit: Unit) -> tuple[str, str]:
    return {
        "contrast pairs": ("contrast pair", "contrast pairs"),
        "prompts": ("prompt", "prompts"),
        "groups of prompts": ("group of prompts", "groups of prompts"),
        "groups of the rarer class": ("group of the rarer class", "groups of the rarer class"),
    }[unit]
