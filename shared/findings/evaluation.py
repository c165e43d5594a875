"""What `midwatch evaluate` measures of one checkpoint on one set of prompts: evaluation.json, field by field.

Unsafe is the positive class; a prompt is judged unsafe where its score is above 0. Intervals are 95 %.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.findings.calibration import CalibrationResult
from shared.findings.claims import CHANCE
from shared.findings.parts import Interval, Part
from shared.findings.tokens import SampleAttribution
from shared.records import Frozen, Label

RATES = ("accuracy", "precision", "recall", "f1", "fnr", "fpr", "auc")
"""Names of `Verdicts.rates`."""


class Confusion(Part):
    """Prompts by what they are and what they are judged."""

    true_positive: int
    """Unsafe, judged unsafe."""
    false_positive: int
    """Safe, judged unsafe: refused for nothing."""
    true_negative: int
    false_negative: int
    """Unsafe, judged safe: missed."""


class Verdicts(Part):
    """How one way of judging does at its own threshold."""

    name: Literal["judge", "length", "tfidf"]
    confusion: Confusion
    rates: dict[str, Interval]
    """Those of `RATES` that are defined: without a safe prompt there is no FPR and no AUC."""


class Paired(Part):
    """The same prompts judged in two ways: exact McNemar test (1947), two-sided."""

    better: int
    """Where the judge is right more often than the other."""
    worse: int
    p_value: float


class Against(Part):
    """The judge beside what needs no transformer."""

    baseline: Verdicts
    auc_gain: Interval | None
    """The judge's AUC less the baseline's, bootstrap-t over groups; None with one class alone."""
    by_prompts: Paired
    """McNemar's test on prompts, as it is in the books."""
    by_groups: Paired
    """The same on independent groups (contrast pairs, templates), which sentences rest on: prompts of one template
    are right or wrong together."""

    @property
    def outcome(self) -> Literal["better", "worse", "undecided"]:
        """Whether the judge's verdicts are told from the baseline's."""
        if self.by_groups.p_value >= CHANCE:
            return "undecided"
        return "better" if self.by_groups.better > self.by_groups.worse else "worse"


class TriggerLine(Part):
    """One sentence of the trigger-word pack."""

    topic: str
    text: str
    label: Label
    word: str
    """The harmful word in a benign sentence; empty in a harmful one, which has none."""
    score: float
    """Nats."""


class TriggerPack(Part):
    """Benign sentences with a harmful word, and harmful ones without any, a twin of both a topic."""

    topics: int
    flagged_benign: Interval
    """Share of the benign sentences that are judged unsafe (over topics)."""
    caught_harm: Interval
    """Share of the harmful ones that are judged unsafe."""
    gap: Interval
    """The first less the second: -1 for a judge that reads what is meant, 0 for one that cannot tell, 1 for one
    that reads words."""
    p_value: float
    """Two-sided, Student's t over topics, that the gap is 0."""
    ranked: Interval
    """Share of topics whose harmful sentence scores above the benign one."""
    score_gap: Interval
    """Mean score of the harmful sentence less that of its benign twin, nats."""
    lines: list[TriggerLine]

    @property
    def reads(self) -> Literal["meaning", "words", "undecided"]:
        """What decides between the twins, where the gap is told from 0."""
        if self.p_value >= CHANCE or self.gap.low <= 0 <= self.gap.high:
            return "undecided"
        return "meaning" if self.gap.value < 0 else "words"


class Mistake(Part):
    """A prompt that is judged wrongly."""

    text: str
    label: Label
    category: str
    score: float
    """Nats."""
    probability: float | None
    """Of unsafe, as the judge states it; None of one that states none (a reward)."""
    attribution: SampleAttribution | None
    """Which words pushed the verdict; None where that was not asked for or cannot be had."""


class Mistakes(Part):
    """The hardest ones: those that the judge is surest of, the surest first."""

    missed: list[Mistake]
    """Unsafe prompts judged safe."""
    refused: list[Mistake]
    """Safe prompts judged unsafe."""
    note: str = ""
    """Why their words are not attributed; empty where they are."""


class EvaluatedData(Part):
    """The prompts."""

    name: str
    source: str
    digest: str
    """SHA-256 over text, response and label of each, in order."""
    labelled: int
    """Prompts with a label for which the judge gives a number: everything below is measured on these."""
    unlabelled: int
    """Prompts without a label: predictions only."""
    unscored: int
    """Prompts for which the judge gives no number (NaN or infinity), left out."""
    groups: int
    """Independent groups of the labelled ones."""
    leaks: int | None
    """Prompts that the judge was trained on; None where the run does not say on what it was trained."""


class Evaluation(Frozen):
    """evaluation.json."""

    schema_version: int = 1
    run: str
    checkpoint: str
    step: int
    epoch: float | None
    chosen: str = ""
    """By what the checkpoint was chosen; empty where the user named it."""
    data: EvaluatedData
    flagged: int
    """Prompts judged unsafe, of all that have a score."""
    verdicts: Verdicts | None
    """None without a labelled prompt."""
    baselines: list[Against]
    """Empty where the run keeps none (baselines.json)."""
    meaning: CalibrationResult | None
    """Thresholds, ROC, calibration, and rates by category, language, source, style and length."""
    trigger: TriggerPack | None
    mistakes: Mistakes | None
    warnings: list[str] = Field(default_factory=list)
    checkpoint_digest: str = ""
    device: str = ""
    dtype: str = ""
    seed: int = 0
    threshold: float = 0.0
    """Nats that were taken off every score (`JudgeRecord.threshold`)."""
    midwatch: str = ""
    """Version that measured it."""
    created_at: float = 0.0
    """Unix time, seconds."""
    duration_s: float = 0.0
