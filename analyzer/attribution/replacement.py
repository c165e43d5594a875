"""The interventional check: what the score loses when a word is replaced by neutral words of its kind.

1. Each checked word gets several neutral words of its kind (`word_kinds`).
2. The prompt with each of them in the word's place is tokenised anew and really scored, all in batches.
3. Effect = score - mean score of the replaced prompts, with Student's t over the draws. Positive pushes to unsafe,
   as in attribution.

Unlike attribution it asks no baseline, and unlike a mask token a neutral word is something that the judge knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import stdtrit

from analyzer.attribution.word_kinds import NeutralWords
from analyzer.attribution.words import WordSpan
from analyzer.model.batches import collate
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.scoring import finite_scores
from analyzer.model.verdict_token import score_alone
from shared.findings.parts import Interval

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


@dataclass(frozen=True)
class Replaced:
    """A prompt's versions with other words in the place of one."""

    kind: str
    words: tuple[str, ...]
    texts: tuple[str, ...]


def versions(text: str, spans: Sequence[WordSpan], word: int, neutral: NeutralWords, draws: int) -> Replaced:
    """`text` with its `word` replaced, `draws` times or as often as there are neutral words."""
    span = spans[word]
    before = next((each.text for each in reversed(spans[:word]) if not each.special), "")
    taken = [each.text for each in spans if not each.special]
    found = neutral.draws(span.text, before, draws, taken)
    texts = tuple(text[: span.start] + each + text[span.end :] for each in found.words)
    return Replaced(found.kind, found.words, texts)


@torch.inference_mode()
def scores_of(judge: Judge, texts: Sequence[str], batch_tokens: int, progress: Progress = unwatched) -> np.ndarray:
    """(texts,) score of each text, float64."""
    prompts = judge.encode(texts)
    found, done = np.zeros(len(texts)), 0
    for rows in judge.batches(prompts, batch_tokens):
        batch = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device)
        found[rows] = score_alone(judge, batch).cpu().numpy()
        done += len(rows)
        progress(done, len(prompts))
    return finite_scores(found, "prompts with words replaced")


def effect(score_: float, replaced: np.ndarray) -> Interval | None:
    """score - mean of (draws,) replaced scores, nats, with Student's 95 % interval; None below two draws."""
    if len(replaced) < 2:
        return None
    value = float(score_ - replaced.mean())
    half = float(stdtrit(len(replaced) - 1, 0.975) * replaced.std(ddof=1) / np.sqrt(len(replaced)))
    return Interval(value=value, low=value - half, high=value + half)
