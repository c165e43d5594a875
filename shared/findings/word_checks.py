"""What becomes of the score when words are really replaced: each word for itself, and two together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from shared.findings.claims import CHANCE, FEWEST_GROUPS, LEAST_NATS
from shared.findings.parts import Interval, Part

Baseline = Literal["twin", "mask", "space", "mean"]

FACTOR = 3.0
"""Times that an attribution and its check may differ before they are said to disagree."""
COMBINED = 0.5
"""Share of what two words do that only their combination does, above which they act in combination. Of "either is
enough" and of "both are needed" it is 1/3, of exclusive or 1, of words that add up 0."""


class WordCheck(Part):
    """A word replaced by neutral words of its kind, each version really scored."""

    effect: Interval
    """Score - mean score of the versions, nats; positive pushes to unsafe. Student's t over the draws."""
    kind: str
    """What was drawn from, e.g. "noun" or "preposition"."""
    draws: int

    @property
    def clear(self) -> bool:
        """Whether the word moves the score, by as much as matters."""
        return abs(self.effect.value) >= LEAST_NATS and not self.effect.low <= 0 <= self.effect.high


def disagreement(attribution: float, check: WordCheck) -> Literal["sign", "factor"] | None:
    """Whether attribution (nats) and check say different things of a word.

    sign: each moves the score, but they point different ways; factor: what the attribution says is more than
    FACTOR times the largest, or less than 1 / FACTOR of the smallest size in the check's interval.
    """
    effect = check.effect
    if check.clear and abs(attribution) >= LEAST_NATS and attribution * effect.value < 0:
        return "sign"
    largest = max(abs(effect.low), abs(effect.high), LEAST_NATS)
    smallest = min(abs(effect.low), abs(effect.high)) if check.clear else 0.0
    if abs(attribution) > FACTOR * largest or FACTOR * abs(attribution) < smallest:
        return "factor"
    return None


def near_ties(checks: Sequence[WordCheck | None]) -> dict[int, int]:
    """Place of a word -> place of the next stronger one from which the draws cannot tell it apart.

    Only words that move the score; "stronger" is by |effect|.
    """
    effects = {place: check.effect for place, check in enumerate(checks) if check is not None and check.clear}
    found = {}
    for stronger, weaker in pairwise(sorted(effects, key=lambda place: -abs(effects[place].value))):
        one, other = effects[stronger], effects[weaker]
        noise = (((one.high - one.low) / 2) ** 2 + ((other.high - other.low) / 2) ** 2) ** 0.5
        if abs(one.value) - abs(other.value) < noise:
            found[weaker] = stronger
    return found


class TopWord(Part):
    """A word (lower case) over the prompts it occurs in, all attributed from one kind of baseline."""

    text: str
    value: Interval
    """Mean of its attributions, nats (not a share, which a prompt with a small shift would blow up)."""
    count: int
    """Prompts it occurs in."""
    groups: int
    """Independent groups of these, two at least, that the interval rests on (Student's t)."""
    instead_of: list[str]
    """The twins' words that it was compared with, the most frequent first; empty for other baselines."""
    check: Interval | None
    """Mean change of the score when it is replaced by neutral words, nats, over `checked` of the prompts."""
    checked: int

    @property
    def clear(self) -> bool:
        """Whether attribution and check, each clear of 0 over enough prompts, point the same way and matter."""
        found = [self.value, self.check] if self.check is not None else []
        enough = self.groups >= FEWEST_GROUPS and self.checked >= FEWEST_GROUPS
        return (
            enough
            and bool(found)
            and all(
                abs(each.value) >= LEAST_NATS
                and not each.low <= 0 <= each.high
                and each.value * self.value.value > 0
                for each in found
            )
        )


class TopWords(Part):
    """Words by mean attribution, from one kind of baseline."""

    baseline: Baseline
    prompts: int
    unsafe: list[TopWord]
    safe: list[TopWord]


class Agreement(Part):
    """Rank correlation of attribution and check, over words attributed from one kind of baseline."""

    baseline: Baseline
    words: int
    prompts: int
    spearman: Interval | None
    """Bootstrap over prompts; None for too few words."""


class WordPair(Part):
    """Two words of the same prompts, each and both replaced by neutral words: a design of two by two."""

    words: tuple[str, str]
    prompts: int
    groups: int
    """Independent groups of prompts that the intervals rest on."""
    alone: tuple[Interval, Interval]
    """What each word does on average over the other's presence, nats."""
    together: Interval
    """What the two do beyond the sum of each: half of s(both) - s(one) - s(other) + s(neither), nats."""
    share: float
    """Of the squares of these three effects, that of `together`."""
    p_value: float
    """That `together` is 0, two-sided, times the number of pairs tried."""

    @property
    def in_combination(self) -> bool:
        """Whether the words act in combination, not each for itself."""
        clear = not self.together.low <= 0 <= self.together.high and self.p_value < CHANCE
        large = abs(self.together.value) >= LEAST_NATS and self.share > COMBINED
        return clear and large and self.groups >= FEWEST_GROUPS
