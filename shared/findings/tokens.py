"""Which words push the verdict: the typed result of `tokens`."""

from __future__ import annotations

from typing import Literal

from shared.findings.parts import Interval, Part
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


class SampleAttribution(Part):
    """Attribution of one prompt."""

    probe_id: str
    text: str
    label: Label
    category: str = ""
    score: float
    """logit(unsafe) - logit(safe), nats."""
    probability: float
    """sigmoid(score): of unsafe."""
    baseline: Literal["twin", "mask", "space", "mean"]
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


class TopWord(Part):
    """A word (lower case) by its mean attribution over the prompts it occurs in."""

    text: str
    value: float
    """Mean of its attributions, nats (not a share, which a prompt with a small shift would blow up)."""
    count: int


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
    top_unsafe: list[TopWord]
    top_safe: list[TopWord]
    cells: list[CellCount]
    shortcut_share: float
    """Mean share of |attribution| on special tokens, punctuation and stop words; over the prompts not attributed
    from their twin (which shares those words) where there are at least 4."""
    shortcut_alarm: str | None
    """A sentence when template or filler words carry the attribution; else None."""
