"""Which words push the verdict: the typed result of `tokens`."""

from __future__ import annotations

from typing import Literal

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part
from shared.findings.word_checks import Agreement, Baseline, TopWords, WordCheck, WordPair, disagreement
from shared.records import Label


class Word(Part):
    """One word of a prompt; its pieces' attributions are summed by the tokenizer's offsets."""

    text: str
    """As in the prompt; for a special token its name, e.g. "[CLS]"."""
    value: float
    """Attribution in nats; positive pushes to unsafe."""
    gradient_x_input: float
    """The same by plain gradient x input, for comparison, nats."""
    start: int
    end: int
    """Character span in the prompt; (0, 0) for special tokens."""
    special: bool = False
    instead_of: str | None = None
    """Where the baseline is the contrast twin: the twin's word at this place, where that is another one."""
    check: WordCheck | None = None
    """What really becomes of the score without it; None where that was not tried."""

    @property
    def disagreement(self) -> Literal["sign", "factor"] | None:
        """Whether the check says something else than the attribution."""
        return disagreement(self.value, self.check) if self.check else None


class SampleAttribution(Part):
    """Attribution of one prompt."""

    probe_id: str
    text: str
    label: Label
    category: str = ""
    score: float
    """Positive means unsafe, nats; see `shared.records.JudgeRecord`."""
    probability: float
    """sigmoid(score): of unsafe."""
    baseline: Baseline
    """twin: the contrast twin of equal token length; mask: mask or pad embedding; space: a space's embedding (of
    decoders, whose first token stays); mean: mean embedding."""
    baseline_score: float
    gap: float
    """|sum of attributions - (score - baseline_score)| / max(|score - baseline_score|, 0.1)."""
    converged: bool
    """gap within the stated bound; a sample that is not is flagged wherever it is shown."""
    nodes: int
    """Integration nodes used."""
    truncated: bool = False
    """The prompt was longer than the judge reads."""
    words: list[Word]

    @property
    def verdict(self) -> Label:
        return "unsafe" if self.score > 0 else "safe"

    @property
    def shift(self) -> float:
        """|score - baseline_score|, at least 0.1 nats: what attributions are divided by to compare epochs."""
        return max(abs(self.score - self.baseline_score), 0.1)


class Faithfulness(Part):
    """Do the words ranked first really carry the verdict? (ERASER, DeYoung et al. 2020), over the prompts."""

    method: Literal["integrated_gradients", "gradient_x_input", "random"]
    comprehensiveness: Interval
    """Mean drop of the predicted class's probability without the top words; higher is better."""
    sufficiency: Interval
    """Mean drop with only the top words; lower is better."""


class CellCount(Part):
    """Attribution in one confusion cell of the attributed prompts."""

    cell: Literal["true_positive", "false_positive", "true_negative", "false_negative"]
    count: int
    content_share: float | None
    """Mean share of |attribution| on content words (not special, punctuation, stop words); None if empty."""


class TokensResult(Part):
    """Result of the analysis `tokens`."""

    samples: list[SampleAttribution]
    """The four display samples: safe, safe, unsafe, unsafe (fewer when the probe set has fewer)."""
    n_prompts: int
    """Prompts attributed (display samples included); the numbers below are over these."""
    gap_bound: float
    gap_median: float
    gap_worst: float
    share_converged: float
    baselines: dict[str, int]
    """How many prompts used which baseline."""
    faithfulness: list[Faithfulness]
    separation: ToExplain
    """Mean score of the probe set's unsafe prompts less that of its safe ones."""
    shift: ToExplain
    """Mean |score - baseline score| of the attributed prompts."""
    top: list[TopWords]
    """By kind of baseline; without words where there is nothing to explain."""
    agreement: list[Agreement]
    """By kind of baseline, over all words that were checked."""
    pairs: list[WordPair]
    """Pairs of words that were tried together, the strongest first."""
    check_rows: int
    """Prompts with replaced words that were scored for all this."""
    cells: list[CellCount]
    shortcut_share: float
    """Mean share of |attribution| on special tokens, punctuation and stop words; over the prompts not attributed
    from their twin (which shares those words) where there are at least 4."""
    shortcut_alarm: str | None
    """A sentence when template or filler words, or one keyword, carry the attribution; else None. Only over prompts
    not attributed from their twin, whose scores move."""

    @property
    def claimable(self) -> bool:
        """Whether there is something that words could explain."""
        return self.separation.claimable and self.shift.claimable
