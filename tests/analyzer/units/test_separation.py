"""The separation: what it is, what adds nothing to it, and its parts."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.statistics.separation import class_signed
from analyzer.units.separation import Separation, folds_of
from tests.making.judges import probe, random_probes
from tests.making.planted_heads import head_probes

PROBES = random_probes(20, pairs=6)
UNSAFE = np.array([each.label == "unsafe" for each in PROBES])


def test_it_is_half_the_distance_of_the_class_means() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 40)) + UNSAFE
    few = np.array([True] * 10 + [False] * 30)
    for unsafe in (UNSAFE, few):
        wanted = (scores[:, unsafe].mean(1) - scores[:, ~unsafe].mean(1)) / 2
        assert class_signed(scores, unsafe).mean(1) == pytest.approx(wanted)


def test_a_score_that_all_share_adds_nothing_however_the_classes_are_mixed() -> None:
    unsafe = np.array([True] * 9 + [False])
    assert np.abs(class_signed(np.full(10, 5.0), unsafe)).max() < 1e-12
    scores = np.random.default_rng(1).normal(size=10)
    assert class_signed(scores + 3, unsafe) == pytest.approx(class_signed(scores, unsafe))


def test_with_twins_it_is_the_mean_of_the_signed_scores() -> None:
    probes = head_probes(count=12)
    scores = np.random.default_rng(2).normal(size=24)
    found = Separation(probes, scores, seed=0)
    sign = np.where(found.unsafe, 1, -1)
    assert found.signed.mean() == pytest.approx((sign * scores).mean())
    assert found.explained().unit == "contrast pairs" and found.explained().groups == 12
    rows = np.arange(4, 12)
    ablated = scores[rows] * 0.25
    assert found.lost(ablated, rows).mean() == pytest.approx((0.75 * sign * scores)[rows].mean())


def test_what_a_group_is() -> None:
    lone = [each for each in PROBES if each.pair is None]
    assert Separation(lone, np.zeros(len(lone)), 0).unit == "prompts"
    assert Separation(PROBES, np.zeros(len(PROBES)), 0).unit == "groups of prompts"


def test_folds_keep_groups_whole_and_do_not_depend_on_the_order() -> None:
    fold = folds_of(PROBES, 5)
    turned = folds_of(PROBES[::-1], 5)[::-1]
    assert (fold == turned).all() and set(fold) == set(range(5))
    pairs = {each.pair: set() for each in PROBES if each.pair}
    for each, number in zip(PROBES, fold, strict=True):
        if each.pair:
            pairs[each.pair].add(number)
    assert all(len(numbers) == 1 for numbers in pairs.values())
    for number in range(5):
        assert 2 <= UNSAFE[fold == number].sum() <= 6


def test_a_fold_without_a_class_is_seen() -> None:
    probes = [probe(f"w{n}", "unsafe" if n == 0 else "safe", id=f"{n}") for n in range(12)]
    found = Separation(probes, np.zeros(12), 0)
    assert not found.split_well(folds_of(probes, 2), 2) and found.split_well(np.zeros(12, dtype=int), 1)
    assert not found.split_well(np.zeros(12, dtype=int), 2), "the other half is empty"
