"""Which probe prompts are attributed: the same ones at every checkpoint, so that checkpoints can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from shared.records import Probe


def spread(probes: Sequence[Probe], count: int, taken: Sequence[int] = ()) -> list[int]:
    """Up to `count` more indices: both classes in turn, and within a class its categories in turn.

    Order in the file decides the rest; nothing depends on the judge.
    """
    left = [index for index in range(len(probes)) if index not in set(taken)]
    by_label = [_in_turn(probes, [i for i in left if probes[i].label == label]) for label in ("safe", "unsafe")]
    return _alternate(by_label)[:count]


def _in_turn(probes: Sequence[Probe], indices: Sequence[int]) -> list[int]:
    """Interleave the categories."""
    by_category: dict[str, list[int]] = {}
    for index in indices:
        by_category.setdefault(probes[index].category, []).append(index)
    return _alternate(list(by_category.values()))


def _alternate(queues: Sequence[Sequence[int]]) -> list[int]:
    return [index for round_ in zip_longest(*queues) for index in round_ if index is not None]
