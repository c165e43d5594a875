"""Whether a judge ranks the classes the wrong way round, beyond what chance does to a judge that tells nothing.

The statistic is the AUROC of unsafe above safe. Its distribution under no relation between score and label comes
from drawing the labels anew over independent groups of prompts, as they are: groups of one class (a prompt, a
template) swap their classes among each other, and within a group of both (contrast twins) the two classes swap or
not, by a fair coin. This is exact for any number of groups, where an interval of an AUROC of 0 is not.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from analyzer.statistics.ties import average_ranks

DRAWS = 4000
MOST_GROUPS = 400
"""Above this many groups the draws' normal approximation is used."""


def reversed_p(scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray, seed: int = 0) -> float:
    """One-sided p that an AUROC as low as that of (n,) scores comes by chance.

    `unsafe` (n,) boolean, `groups` (n,) number of each prompt's independent group. 1 with one class alone. A p of
    `DRAWS` draws is 1 / (DRAWS + 1) at least.
    """
    if unsafe.all() or not unsafe.any():
        return 1.0
    sums = _sums(scores, unsafe, groups)
    found = _auroc(sums[:, 0].sum(), sums[:, 1].sum(), len(scores))
    drawn = _drawn(sums, len(scores), np.random.default_rng(seed))
    if len(sums) > MOST_GROUPS:
        return float(ndtr((found - drawn.mean()) / drawn.std()))
    return float((1 + (drawn <= found + 1e-12).sum()) / (1 + len(drawn)))


def _sums(scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(groups, 4): rank sum and number of each group's unsafe prompts, then of its safe ones."""
    member = np.unique(groups, return_inverse=True)[1]
    ranks, count = average_ranks(scores[:, None])[:, 0], int(member.max()) + 1
    columns = [weights for chosen in (unsafe, ~unsafe) for weights in (ranks * chosen, chosen.astype(float))]
    return np.array([np.bincount(member, weights, minlength=count) for weights in columns]).T


def _drawn(sums: np.ndarray, prompts: int, random: np.random.Generator) -> np.ndarray:
    """(draws,) AUROC with labels drawn anew; draws that leave one class without a prompt are not among them."""
    draws = DRAWS if len(sums) <= MOST_GROUPS else DRAWS // 20
    both = (sums[:, 1] > 0) & (sums[:, 3] > 0)
    swapped = random.random((draws, int(both.sum()))) < 0.5
    mixed = np.where(swapped[:, :, None], sums[both, 2:], sums[both, :2]).sum(1)  # (draws, 2) of unsafe
    single = sums[~both]
    of_unsafe = np.tile(single[:, 1] > 0, (draws, 1))
    chosen = random.permuted(of_unsafe, axis=1).astype(float)
    unsafe = mixed + chosen @ (single[:, :2] + single[:, 2:])
    held = (unsafe[:, 1] > 0) & (unsafe[:, 1] < prompts)
    return _auroc(unsafe[held, 0], unsafe[held, 1], prompts)


def _auroc(ranks: np.ndarray, count: np.ndarray, prompts: int) -> np.ndarray:
    """Mann and Whitney's: from the rank sum and number of the unsafe prompts among all."""
    return (ranks - count * (count + 1) / 2) / (count * (prompts - count))
