"""Did verdicts on the same prompts change beyond chance? Exact tests over independent groups of prompts.

McNemar's test (1947), exact: of the groups that got worse or better, how likely is it that at least so many got
worse if either were as likely (a sign test)? Where every prompt is its own group, that is McNemar's test on
prompts. Prompts of one template flip together, so each counting for itself would raise alarms by chance
(`tests/analyzer/evolution/test_false_alarms.py`). The same test on flipped against kept groups tells whether more
than half of the verdicts turned round: verdicts drawn anew at every checkpoint do so in half of the cases at most.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np

from shared.findings.alerts import Flips


@lru_cache(maxsize=65_536)
def at_least(count: int, of: int) -> float:
    """Probability of `count` heads or more in `of` tosses of a fair coin, counted in whole numbers."""
    if count <= 0:
        return 1.0
    ways = term = comb(of, count)
    for heads in range(count, of):
        term = term * (of - heads) // (heads + 1)
        ways += term
    return ways / (1 << of)


def flips_of(before: np.ndarray, now: np.ndarray, groups: np.ndarray) -> Flips:
    """`before` and `now` (n,) boolean, whether each prompt is judged rightly; `groups` (n,) its group's number."""
    flipped, wrong = before != now, before & ~now
    net = np.bincount(groups, before.astype(float) - now)
    share = np.bincount(groups, flipped) / np.maximum(np.bincount(groups), 1)
    present = np.bincount(groups) > 0
    worse, better = int((net > 0).sum()), int((net < 0).sum())
    return Flips(
        of=len(now),
        flipped=int(flipped.sum()),
        wrong=int(wrong.sum()),
        wrong_before=int((~before).sum()),
        worse=worse,
        better=better,
        turned=int((share > 0.5).sum()),
        kept=int((present & (share < 0.5)).sum()),
        p_value=min(1.0, 2 * at_least(max(worse, better), worse + better)),
    )


def at_odds(flips: Flips) -> bool:
    """Whether more groups got better and yet no more verdicts are right, or the other way round.

    The test counts groups and a rate counts verdicts: one template that broke may hold more prompts than many
    single ones that were fixed.
    """
    net = flips.flipped - 2 * flips.wrong
    return flips.better != flips.worse and (flips.better - flips.worse) * net <= 0
