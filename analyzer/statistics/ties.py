"""Equal up to rounding: the one place that says so, for ranks, lists and thresholds on computed numbers.

The last bits of a computed number depend on the size of a batch and on the processor. Where two numbers are really
equal (a word that two prompts share, a neuron that does nothing, a share of the same few prompts), these bits must
not decide. Equal are neighbours in the sorted order whose distance is within rounding, so that no grid has an edge
between two equal numbers. That is sound where rounding is far below the distances of really different numbers;
where it is not, `gradual_ranks` and `gradual_wins` go over the tie without a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

ROUNDING = 1e-5
"""Share of a float32 result that rounding may change: a sum over some hundred terms, through a few layers."""
SHARE = 1e-9
"""The same of a number counted or computed in float64 from exact ones."""
RAMP = 1e2 * float(np.finfo(np.float32).eps)
"""Share of the largest score within which `gradual_wins` goes from loss to win: some ten times what rounding does,
and so little that AUROC is the usual one wherever scores are not that close."""


def average_ranks(values: np.ndarray, within: float = 0.0) -> np.ndarray:
    """(n, units) ranks from 1 in each column; neighbours at most `within` apart share the mean of theirs."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, 0)
    count = len(values)
    starts = np.ones(values.shape, dtype=bool)
    starts[1:] = ordered[1:] - ordered[:-1] > within
    place = np.arange(count)[:, None]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=0)
    ends = np.ones(values.shape, dtype=bool)
    ends[:-1] = starts[1:]
    last = np.minimum.accumulate(np.where(ends, place, count)[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, 0)
    return ranks


def gradual_ranks(values: np.ndarray, width: float) -> np.ndarray:
    """(n, units) ranks from 1 in each column that move without a step as a value passes another.

    A value wins over another at distance d in the share clip(1/2 + d / (2 width), 0, 1); a rank is 1/2 and the sum
    of these over all values, itself among them. Further apart than `width` that is `average_ranks`.
    """
    if width <= 0:
        return average_ranks(values)
    columns = torch.from_numpy(np.ascontiguousarray(values.T, dtype=np.float64)) / (2 * width)  # (units, n)
    ordered, order = torch.sort(columns, dim=1, stable=True)
    below = torch.searchsorted(ordered, ordered - 0.5)  # further below than `width`
    near = torch.searchsorted(ordered, ordered + 0.5, right=True) - below
    sums = torch.nn.functional.pad(ordered.cumsum(1), (1, 0))
    around = sums.gather(1, below + near) - sums.gather(1, below)
    ranks = 0.5 + below + near * (0.5 + ordered) - around
    return torch.empty_like(ranks).scatter_(1, order, ranks).numpy().T


def gradual_wins(difference: np.ndarray, largest: float) -> np.ndarray:
    """Share of a win for each difference of two scores, of which the `largest` has this size; 1/2 where equal.

    Scores that rounding parts count as equal but for a few hundredths of a win.
    """
    width = RAMP * largest
    return np.clip(0.5 + difference / (2 * width), 0.0, 1.0) if width > 0 else np.full(difference.shape, 0.5)


def largest_first(values: np.ndarray | Sequence[float]) -> np.ndarray:
    """Order of (n,) values from the largest down; those that rounding parts keep the order they came in.

    NaN comes last. For lists whose top is further apart than rounding: of numbers that lie denser than that (the
    scores of a million edges) a long run would become one tie.
    """
    values = np.asarray(values, dtype=float)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    size = np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
    with np.errstate(invalid="ignore"):
        apart = ordered[:-1] - ordered[1:] > ROUNDING * size
    group = np.concatenate([[0], np.cumsum(apart | np.isnan(ordered[1:]))])[: len(values)]
    return order[np.lexsort((order, group))]


def exceeds(value: float, bound: float) -> bool:
    """Whether `value` is above `bound` by more than rounding."""
    return value - bound > SHARE * max(abs(value), abs(bound))
