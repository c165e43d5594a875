"""Backward elimination on made-up judges whose losses are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from analyzer.units.backward import needed, redundant
from analyzer.units.effects import Unit

UNITS: list[Unit] = [(0, number) for number in range(8)]
Loss = Callable[[Sequence[Unit]], float]


def backed_up(*groups: Sequence[int], worth: float = 6.0, noise: float = 0.0, seed: int = 0) -> Loss:
    """Each group is worth something while one of it is left; every unit adds a little of its own."""
    own = [random.Random(seed + n).uniform(0, noise) for n in range(len(UNITS))]

    def loss(removed: Sequence[Unit]) -> float:
        gone = {unit[1] for unit in removed}
        return sum(worth for group in groups if gone >= set(group)) + sum(own[number] for number in gone)

    return loss


def named(loss: Loss, units: Sequence[Unit]) -> list[Unit]:
    alone = [loss([unit]) for unit in units]
    others = [loss([each for each in units if each != unit]) for unit in units]
    return redundant(units, loss(units), alone, others)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("size", [2, 3])
def test_backups_are_named_under_noise(size: int, seed: int) -> None:
    group = random.Random(seed).sample(range(8), size)
    loss = backed_up(group, noise=0.1, seed=seed)
    order = random.Random(seed + 99).sample(UNITS, 8)
    kept = needed(loss, order)
    assert {unit[1] for unit in kept} == set(group)
    assert {unit[1] for unit in named(loss, kept)} == set(group)


def test_units_that_add_up_are_kept_and_not_called_backups() -> None:
    loss = backed_up((0,), (1,), (2,))
    kept = needed(loss, UNITS)
    assert sorted(kept) == UNITS[:3] and named(loss, kept) == []


def test_one_that_is_needed_beside_a_pair_is_no_backup() -> None:
    """All of 0 is lost alone; 1 and 2 stand in for each other, and have half of what is lost."""
    loss = backed_up((0,), (1, 2))
    kept = needed(loss, UNITS)
    assert sorted(kept) == UNITS[:3] and sorted(named(loss, kept)) == UNITS[1:3]


def test_one_whose_return_makes_it_worse_is_given_back() -> None:
    def loss(removed: Sequence[Unit]) -> float:
        return (4.0 if UNITS[0] in removed else 0.0) - (1.0 if UNITS[7] in removed else 0.0)

    assert needed(loss, UNITS) == UNITS[:1]


def test_nothing_lost_leaves_all_and_names_none() -> None:
    assert needed(lambda _units: -0.1, UNITS) == UNITS and needed(lambda _units: 1.0, []) == []
    assert redundant(UNITS[:2], -1.0, [0, 0], [0, 0]) == []
    assert redundant(UNITS[:1], 1.0, [0.0], [0.0]) == [], "one stands in for nobody"


def test_the_bounds_of_redundancy() -> None:
    pair = UNITS[:2]
    assert redundant(pair, 10.0, [0.99, 0.99], [5.0, 5.0]) == pair
    assert redundant(pair, 10.0, [1.0, 0.99], [5.0, 5.0]) == [], "alone a tenth"
    assert redundant(pair, 10.0, [0.99, 0.99], [5.01, 5.0]) == [], "restores less than half"
