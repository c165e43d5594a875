"""Batches are the cheapest there are: against every way to split the same rows."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from analyzer.model.batches import split


def every_way(rows: list[int], lengths: list[int], budget: int, call: int) -> int:
    """The least cost of all ways that keep the budget, one item in a batch allowed whatever it costs."""
    count, costs = len(rows), []
    for cuts in range(count):
        for places in combinations(range(1, count), cuts):
            parts = list(pairwise([0, *places, count]))
            padded = [sum(rows[first:end]) * lengths[first] for first, end in parts]
            fits = all(end - first == 1 or cost <= budget for (first, end), cost in zip(parts, padded, strict=True))
            costs += [len(parts) * call + sum(padded)] if fits else []
    return min(costs)


@pytest.mark.parametrize("call", [0, 16, 64, 2048])
@pytest.mark.parametrize("budget", [1, 40, 120, 10_000])
def test_no_other_way_to_split_is_cheaper(call: int, budget: int) -> None:
    for rows, lengths in (
        ([1] * 7, [40, 39, 30, 12, 11, 5, 1]),
        ([2, 2, 1, 4, 2], [20, 20, 19, 8, 7]),
        ([3], [50]),
        ([1] * 6, [9] * 6),
    ):
        parts = split(rows, lengths, budget, call)
        assert [place for part in parts for place in range(part.start, part.stop)] == list(range(len(rows)))
        cost = sum(call + sum(rows[part]) * lengths[part.start] for part in parts)
        assert cost == every_way(rows, lengths, budget, call)


def test_nothing_makes_no_batch() -> None:
    assert split([], [], 4096, 64) == []
