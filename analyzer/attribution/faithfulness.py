"""Do the tokens ranked first carry the verdict? Comprehensiveness and sufficiency (ERASER, DeYoung et al. 2020,
arXiv 1911.03429), as areas over the perturbation curve (AOPC).

With p the probability of the predicted class and r_k the top k % of the content tokens (at least one), over k in
{1, 5, 10, 20, 50} %: comprehensiveness = mean of p(x) - p(x without r_k), sufficiency = mean of
p(x) - p(only r_k). A removed token keeps its place; its embedding becomes the one that stands for "no word".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.attribution.integrated_gradients import embed
from analyzer.model.batches import Encoded, collate
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import finite_scores
from analyzer.model.verdict_token import score_alone
from analyzer.statistics.ties import largest_first

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)


@dataclass(frozen=True)
class Ranking:
    """One ranking of one prompt's content tokens."""

    prompt: int
    """Index into the prompts."""
    order: tuple[int, ...]
    """Token positions, first the ones said to carry the predicted class."""


def rank(encoded: Encoded, values: np.ndarray, score_: float, prompt: int) -> Ranking:
    """Content tokens by their support for the predicted class; ties keep the order of the text."""
    content = np.array(encoded.content, dtype=int)
    support = values[content] if score_ > 0 else -values[content]
    return Ranking(prompt, tuple(int(i) for i in content[largest_first(support)]))


def faithfulness(
    judge: Judge,
    prompts: Sequence[Encoded],
    scores: np.ndarray,
    neutral: Tensor,
    rankings: Sequence[Ranking],
    batch_tokens: int,
    progress: Progress = unwatched,
) -> tuple[np.ndarray, np.ndarray]:
    """(rankings,) comprehensiveness and (rankings,) sufficiency.

    Rankings that remove the same tokens of the same prompt share one row. Prompts need a content token.
    """
    removals: dict[tuple[int, frozenset[int]], int] = {}

    def row_of(prompt: int, removed: frozenset[int]) -> int:
        return removals.setdefault((prompt, removed), len(removals))

    without, only = [], []
    for ranking in rankings:
        tops = [frozenset(ranking.order[:size]) for size in sizes(len(ranking.order))]
        without.append([row_of(ranking.prompt, top) for top in tops])
        only.append([row_of(ranking.prompt, frozenset(ranking.order) - top) for top in tops])
    changed = perturbed_scores(judge, prompts, list(removals), neutral, batch_tokens, progress)
    sign = np.where(scores > 0, 1.0, -1.0)
    chosen = np.array([ranking.prompt for ranking in rankings])
    before = _probability(sign * scores)[chosen]
    row_sign = np.array([sign[prompt] for prompt, _ in removals])
    after = _probability(row_sign * changed)
    return before - after[without].mean(1), before - after[only].mean(1)


def sizes(count: int) -> list[int]:
    """How many of `count` tokens each share takes: rounded up, at least one."""
    return [max(1, math.ceil(share * count - 1e-9)) for share in SHARES]


@torch.inference_mode()
def perturbed_scores(
    judge: Judge,
    prompts: Sequence[Encoded],
    removals: Sequence[tuple[int, frozenset[int]]],
    neutral: Tensor,
    batch_tokens: int,
    progress: Progress = unwatched,
) -> np.ndarray:
    """(removals,) score of a prompt (by index) with the tokens at these positions replaced by `neutral`."""
    scores, done = np.zeros(len(removals)), 0
    own = {prompt: embed(judge, prompts[prompt].ids) for prompt, _ in removals}
    for rows in judge.batches([prompts[prompt] for prompt, _ in removals], batch_tokens):
        batch = collate([prompts[removals[row][0]] for row in rows], judge.anatomy.pad_id, judge.device)
        words = torch.zeros((*batch.ids.shape, neutral.shape[0]), device=judge.device, dtype=neutral.dtype)
        gone = torch.zeros(batch.ids.shape, dtype=torch.bool)
        for place, row in enumerate(rows):
            prompt, removed = removals[row]
            words[place, : len(prompts[prompt].ids)] = own[prompt]
            gone[place, sorted(removed)] = True
        words[gone.to(judge.device)] = neutral
        with embeddings_replaced(judge, words):
            scores[rows] = score_alone(judge, batch).cpu().numpy()
        done += len(rows)
        progress(done, len(removals))
    return finite_scores(scores, "prompts without some or all of their words")


def _probability(score_: np.ndarray) -> np.ndarray:
    """Sigmoid without overflow."""
    return np.exp(-np.logaddexp(0.0, -score_))
