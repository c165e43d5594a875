"""What a judge may go by instead of what is asked: length, number of sentences, where a word stands."""

from __future__ import annotations

from typing import Literal

from shared.findings.claims import CHANCE, FEWEST_GROUPS, LEAST_NATS, ToExplain
from shared.findings.parts import Interval, Part
from shared.findings.text import number, signed

LEAST_RHO = 0.5
"""|Spearman| with the score below which a judge is not said to go by it: a quarter of the ranks' variance."""
LEAST_MATCHED = 0.3
"""The same once the label is given."""
LEAST_MOVED = 0.4
"""Share of the separation that changing it alone must move the score by: a fifth of the way between the classes."""


class Confound(Part):
    """One property of the prompts beside the judge's score."""

    kind: Literal["length", "sentences", "position"]
    what: str
    """In words: "length (tokens)", "place of the word 'zeta'"."""
    prompts: int
    groups: int
    """Independent groups of these prompts."""
    spearman: Interval
    """Rank correlation with the score; bootstrap over groups."""
    p_value: float
    """Two-sided, that there is none; times the number of words tried, for a word's place."""
    within_labels: Interval | None
    """The same once the label is given: ranks inside each class. None where nothing varies there."""
    within_pairs: Interval | None
    """Rank correlation of the twins' differences; None below 8 pairs that differ."""
    moved: Interval | None = None
    """What becomes of the score when this alone is changed in the prompts, nats (Student's t over groups); None
    where that was not tried."""
    moved_p: float = 1.0
    moved_how: str = ""
    """What was done, e.g. "neutral words added until as long as the longest quarter"."""

    def called(self, separation: ToExplain) -> bool:
        """Whether the judge goes by it: the score follows it, and not only because the labels do."""
        if not separation.claimable or self.groups < FEWEST_GROUPS or not self.follows:
            return False
        if self.moved is None:
            return _clear(self.within_labels, LEAST_MATCHED, self.spearman.value)
        least = max(LEAST_NATS, LEAST_MOVED * abs(separation.size.value))
        return self.moved_p < CHANCE and _clear(self.moved, least, self.spearman.value)

    @property
    def follows(self) -> bool:
        """Whether the score follows it, whatever the reason."""
        return self.p_value < CHANCE and _clear(self.spearman, LEAST_RHO, self.spearman.value)


def _clear(found: Interval | None, least: float, like: float) -> bool:
    """Whether an interval is clear of 0, on the side of `like`, and its value at least `least`."""
    if found is None or found.low <= 0 <= found.high:
        return False
    return abs(found.value) >= least and found.value * like > 0


def goes_with(found: Confound) -> str:
    """The sentence for a headline, where it is called."""
    name = {"length": "length", "sentences": "the number of sentences"}.get(found.kind, f"the {found.what}")
    return f"Score goes with {name}: Spearman {_with_interval(found.spearman)}{_proof(found)}"


def only_with_labels(found: Confound) -> str:
    """The sentence for one that the score follows, and that is not called."""
    return (
        f"The score follows the {found.what} (Spearman {_with_interval(found.spearman)}), as the labels do; that "
        f"the judge goes by it is not shown{_proof(found)}."
    )


def _proof(found: Confound) -> str:
    if found.moved is not None:
        size = f"{signed(found.moved.value)} nats [{number(found.moved.low)}, {number(found.moved.high)}]"
        return f"; {found.moved_how}: {size}"
    if found.within_labels is not None:
        return f"; within a label {_with_interval(found.within_labels)}"
    return "; within a label nothing varies"


def _with_interval(found: Interval) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]".replace("-", "−")
