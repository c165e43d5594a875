"""What the judge makes of a prompt of the user's own: the typed result of an answer (`midwatch ask`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.findings.inside import InsidePair
from shared.findings.layers import SampleLayers
from shared.findings.parts import Part
from shared.findings.tokens import SampleAttribution
from shared.records import Label


class ScoredText(Part):
    """One text as the judge scores it."""

    text: str
    response: str = ""
    score: float
    """Positive means unsafe, nats; see `shared.records.JudgeRecord`."""
    probability: float | None
    """Of unsafe, as the judge states it; None of heads that state none (labels of their own, rewards)."""
    tokens: int
    """Tokens that the judge reads, its own among them."""
    truncated: bool = False
    """The text is longer than the judge reads."""

    @property
    def verdict(self) -> Label:
        return "unsafe" if self.score > 0 else "safe"


class AmongProbes(Part):
    """Where the score lies among those of the probe set at this checkpoint."""

    source: Literal["result", "scored"]
    """result: from the committed calibration; scored: there was none, so the probes were scored for this."""
    probe_digest: str
    safe: list[float]
    """Scores of the safe probes, sorted, nats."""
    unsafe: list[float]
    below_safe: float | None
    """Share of the safe probes whose score is lower; None without any."""
    below_unsafe: float | None


class WordChange(Part):
    """One stretch of the text changed, and the changed text really scored."""

    start: int
    end: int
    """Characters in the prompt."""
    old: str
    new: str
    """Empty where it was deleted."""
    score: float
    """Of the changed text, nats."""


class HeadOnPrompt(Part):
    """What one head attends to in this prompt, token by token."""

    layer: int
    head: int
    effect: float
    """Effect of the head over the probe set, nats, as the analysis `heads` gives it."""
    read: list[float] | None
    """Attention from where the verdict is read, one weight a token; None where it is a mean over tokens."""
    received: list[float]
    """Mean attention that each token receives over all tokens that can see it."""


class Attention(Part):
    """The heads that matter, on this prompt."""

    tokens: list[str]
    heads: list[HeadOnPrompt]
    """In the order of the analysis `heads`."""


class Substitution(Part):
    """Whole words of the text replaced by others."""

    words: list[WordChange]
    """In the order they were put in; the score of each is that of the text with it and those before it."""
    text: str
    score: float
    """Of the whole changed text, nats."""
    flipped: bool


class Flips(Part):
    """The fewest whole-word substitutions found that flip the verdict: a weakness, not what anybody writes."""

    found: Substitution
    """The best that was found; `flipped` says whether it is enough."""
    most: int
    """Words that might be replaced, at most."""
    tried: int
    """Texts that were really scored on the way."""
    random_draws: int
    """Times that as many words were replaced at random beside it."""
    random_flipped: int
    """Of these, how many flipped the verdict."""
    random_best: float
    """The score of the one that came nearest to the other verdict, nats."""


class NearProbe(Part):
    """A probe prompt that the judge sees as much alike."""

    probe_id: str
    text: str
    label: Label
    category: str = ""
    score: float
    similarity: float
    """Cosine of what the head reads after the last layer, less its mean over the probe set; -1 to 1."""


class AskedResult(Part):
    """An answer: one prompt at one checkpoint. Parts that were not asked or cannot be had are None or empty."""

    prompt: ScoredText
    twin: ScoredText | None = None
    among: AmongProbes | None = None
    words: SampleAttribution | None = None
    """Its `label` is the judge's own verdict: nobody said which is right."""
    layers: SampleLayers | None = None
    frozen_boundary: int = 0
    attention: Attention | None = None
    deleted: list[WordChange] = Field(default_factory=list)
    """Each word deleted for itself, in the order of the text."""
    edits: list[WordChange] = Field(default_factory=list)
    """Edits that were asked for, each for itself."""
    flips: Flips | None = None
    nearest: list[NearProbe] = Field(default_factory=list)
    """The most alike first."""
    inside: InsidePair | None = None
    """What tells the prompt from its twin; only where it was asked for by name."""
    notes: list[str] = Field(default_factory=list)
    """What could not be computed, and why."""
