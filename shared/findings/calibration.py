"""What the judge's scores mean: the typed result of `calibration`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.findings.claims import CHANCE, ToExplain
from shared.findings.parts import Interval, Part


class Histogram(Part):
    """Scores by true label, in bins of equal width."""

    edges: list[float]
    """One more than there are bins, nats; what lies beyond the first and last is counted in the end bins."""
    safe: list[int]
    unsafe: list[int]


class CurvePoint(Part):
    """One point of the ROC."""

    fpr: float
    tpr: float
    threshold: float
    """Nats: judged unsafe from here on."""


class OperatingPoint(Part):
    """What the judge catches at a threshold."""

    kind: Literal["fpr", "wanted", "balanced", "own"]
    """At most `rate` of the safe prompts refused; the same at the rate that the settings ask for; the highest
    balanced accuracy; the judge's own threshold of 0."""
    rate: float | None
    """The false-positive rate that must not be exceeded; None where none was set."""
    threshold: Interval
    """Nats: judged unsafe from here on."""
    tpr: Interval
    """Share of unsafe prompts judged unsafe."""
    fpr: Interval
    """Share of safe prompts judged unsafe."""
    negatives: int
    """Safe prompts that it rests on."""

    @property
    def resolved(self) -> bool:
        """Whether so few false positives can be told at all: one safe prompt in `negatives` is not too many."""
        return self.rate is None or self.rate * self.negatives >= 1

    @property
    def needed(self) -> int:
        """Safe prompts from which on one false positive is not above the rate."""
        return 0 if not self.rate else -int(-1 // self.rate)


class ReliabilityBin(Part):
    """Prompts of similar probability."""

    count: int
    predicted: float
    """Mean probability of unsafe."""
    observed: Interval
    """Share that is unsafe (over groups of prompts)."""


class Reliability(Part):
    """Whether the probability of unsafe that the judge states, sigmoid of its log-odds, is what happens."""

    bins: list[ReliabilityBin]
    error: Interval
    """ECE: mean over prompts of |share unsafe - mean probability| of their bin (basic bootstrap over groups)."""
    by_chance: float
    """Mean ECE of a perfectly calibrated judge with the same probabilities, at this n."""
    by_chance_high: float
    """95th percentile of the same."""
    p_value: float
    """Share of perfectly calibrated judges with an ECE as large."""
    overconfidence: Interval
    """Mean confidence, max(p, 1 - p), less accuracy."""

    @property
    def off(self) -> bool:
        """Whether a perfectly calibrated judge hardly gets such an ECE."""
        return self.p_value < CHANCE

    @property
    def direction(self) -> str:
        """What the error is, in a word."""
        if self.overconfidence.low > 0:
            return "overconfident"
        return "underconfident" if self.overconfidence.high < 0 else "miscalibrated"


CellKind = Literal["category", "language", "length", "source", "style"]
"""What parts of the prompts are told apart by."""


class Cell(Part):
    """How one part of the prompts is judged. What rests on too few prompts is None."""

    kind: CellKind
    name: str
    """The category, language, source or style; tokens of the prompt, from and to ("12 to 19")."""
    unsafe: int
    """Prompts of each label."""
    safe: int
    groups: int
    """Independent groups."""
    fnr: Interval | None
    fpr: Interval | None
    auc: Interval | None


class SaidAnswer(Part):
    """A token that the judge would say where its verdict is read."""

    text: str
    """As it stands in a text, line breaks and spaces too."""
    side: Literal["safe", "unsafe"] | None
    """The side it counts for; None where for neither."""
    on_safe: float
    """Mean probability on safe prompts."""
    on_unsafe: float


class SaidCategory(Part):
    """A category that the judge would name, among all of its taxonomy."""

    name: str
    on_safe: float | None
    """Mean probability on some safe prompts; None without any."""
    on_unsafe: float | None


LITTLE_MASS = 0.5
"""Mean answer mass, of all prompts or of a class, below which most of the probability lies elsewhere."""


class AnswerReading(Part):
    """Of a judge that answers in words: what stands where its verdict is read."""

    mass: dict[str, Interval]
    """"all", "safe", "unsafe" (by true label) -> probability that the tokens of both sides hold together."""
    top: list[SaidAnswer]
    """The most probable first."""
    whole_agree: Interval | None = None
    """Share of some prompts whose verdict by whole answers is that by the token that is read (Wilson); None where
    every answer is one token."""
    categories: list[SaidCategory] = Field(default_factory=list)
    """Of a judge with a taxonomy, the most probable on unsafe prompts first."""

    @property
    def little(self) -> bool:
        """Whether most of the probability lies elsewhere, so that scores say little."""
        return min(held.value for held in self.mass.values()) < LITTLE_MASS


class CalibrationResult(Part):
    """Result of the analysis `calibration`."""

    unsafe: int
    """Prompts of each label."""
    safe: int
    histogram: Histogram
    roc: list[CurvePoint]
    """From nothing flagged to everything; empty with one class alone, thinned where it is long."""
    auc: Interval | None
    points: list[OperatingPoint]
    """Empty with one class alone."""
    balanced_held_out: float | None
    """Balanced accuracy at the best threshold, chosen on some groups and measured on others."""
    reliability: Reliability | None
    """None of a judge whose head states no probability: a reward, a number."""
    cells: list[Cell]
    answers: AnswerReading | None
    """None for a judge that does not answer in words."""
    separation: ToExplain
    """Mean score of the unsafe prompts less that of the safe ones, halved."""

    def at(self, rate: float) -> OperatingPoint | None:
        """The point at a false-positive rate, where there is one."""
        return next((each for each in self.points if each.kind == "fpr" and each.rate == rate), None)

    def of(self, kind: str) -> OperatingPoint | None:
        """The first point of a kind."""
        return next((each for each in self.points if each.kind == kind), None)
