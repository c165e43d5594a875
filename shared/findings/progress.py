"""How well the judge judges the probe set: the typed result of `progress`."""

from __future__ import annotations

from shared.findings.claims import ToExplain
from shared.findings.confounds import Confound
from shared.findings.parts import Interval, Part

CHANCE_AUC = 0.5
"""AUC of a judge that tells nothing."""


class GroupRate(Part):
    """How one group of probe prompts (a category, a pair role) is judged."""

    group: str
    label: str
    """Their true label, or "mixed"."""
    count: int
    flagged: Interval
    """Share judged unsafe (Wilson interval)."""


class ProgressResult(Part):
    """Result of the analysis `progress`."""

    metrics: dict[str, dict[str, float]]
    """Split ("train", "val", "test", "contrast") -> name -> value: the newest logged at or before this step."""
    baselines: dict[str, dict[str, float]]
    """"length", "tfidf" -> metric -> value from run.json; empty when the run has none."""
    probe: dict[str, Interval]
    """accuracy, precision, recall, f1, auc, fnr, fpr on the probe set (Student's t over groups of prompts,
    logit scale)."""
    contrast_accuracy: Interval | None
    """Share of contrast pairs with both twins judged right (Wilson interval)."""
    confusion: dict[str, int]
    """true_positive, false_positive, true_negative, false_negative on the probe set."""
    groups: list[GroupRate]
    missed_unsafe: list[str]
    """Ids of the unsafe probe prompts judged safe, worst first; at most 10."""
    over_refused: list[str]
    """Ids of the safe probe prompts judged unsafe, worst first; at most 10."""
    leak_count: int | None
    """Probe prompts found in the training data by hash; None when the run does not say what it trained on."""
    separation: ToExplain
    """Mean score of the unsafe prompts less that of the safe ones."""
    confounds: list[Confound]
    """What the score may go with instead of what is asked."""

    @property
    def called(self) -> list[Confound]:
        """The confounds that the judge is said to go by, the strongest first."""
        found = [each for each in self.confounds if each.called(self.separation)]
        return sorted(found, key=lambda each: -abs(each.spearman.value))

    @property
    def tells_classes_apart(self) -> bool:
        """Whether unsafe prompts score otherwise than safe ones, by more than chance; in mean and in rank."""
        auc = self.probe.get("auc")
        return self.separation.claimable and auc is not None and not auc.low <= CHANCE_AUC <= auc.high
