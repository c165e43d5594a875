"""Distances and cosines of classes against their definitions, and what chance adds to a distance."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.statistics.class_geometry import cosine, distance, inner_products, pair_cosine, squared_distance


def classes(count: int, width: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, labels and one group a prompt."""
    vectors = np.random.default_rng(seed).normal(size=(2 * count, width))
    vectors[:count, 0] += shift
    return vectors, np.repeat([1.0, 0.0], count), np.eye(2 * count)


def squared(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    return float(squared_distance(inner_products(vectors), labels[None], 1 - labels[None], groups)[0])


def by_definition(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """|difference of means|^2 less the groups' own part of it, / trace of the pooled covariance."""
    up, down = vectors[labels == 1], vectors[labels == 0]
    pooled = ((len(up) - 1) * np.cov(up.T) + (len(down) - 1) * np.cov(down.T)) / (len(up) + len(down) - 2)
    away = np.where(labels[:, None] == 1, (vectors - up.mean(0)) / len(up), -(vectors - down.mean(0)) / len(down))
    few = min((groups[labels == label].sum(0) > 0).sum() for label in (0, 1))
    own = sum(np.sum(away[group == 1].sum(0) ** 2) for group in groups.T) * few / (few - 1)
    return float((np.sum((up.mean(0) - down.mean(0)) ** 2) - own) / np.trace(pooled))


@pytest.mark.parametrize("size", [1, 3])
def test_the_squared_distance_by_its_definition(size: int) -> None:
    vectors, labels, _ = classes(30, 7, 2.0, 0)
    groups = np.eye(60 // size)[np.random.default_rng(1).permutation(60) // size]
    assert squared(vectors + 100, labels, groups) == pytest.approx(by_definition(vectors, labels, groups))


def test_single_prompts_leave_the_unbiased_estimate() -> None:
    """d'^2 less trace (1/n + 1/m) / trace, which is what the means' own variance adds."""
    vectors, labels, groups = classes(20, 50, 1.0, 3)
    up, down = vectors[labels == 1], vectors[labels == 0]
    trace = (up.var(0, ddof=1) + down.var(0, ddof=1)).sum() / 2
    plain = np.sum((up.mean(0) - down.mean(0)) ** 2) / trace
    assert squared(vectors, labels, groups) == pytest.approx(plain - 1 / 20 - 1 / 20)


def test_what_chance_adds_to_a_distance_is_taken_off() -> None:
    """Classes that are 0.1 apart in 384 dimensions look 0.5 apart from eight prompts of each."""
    found, plain = [], []
    for seed in range(60):
        vectors, labels, groups = classes(8, 384, 0.1 * 384**0.5, seed)
        found.append(squared(vectors, labels, groups))
        up, down = vectors[labels == 1], vectors[labels == 0]
        trace = (up.var(0, ddof=1) + down.var(0, ddof=1)).sum() / 2
        plain.append(np.sum((up.mean(0) - down.mean(0)) ** 2) / trace)
    assert np.mean(found) == pytest.approx(0.01, abs=0.006) and np.mean(plain) > 0.2


def test_many_labellings_are_each_alone() -> None:
    vectors, labels, groups = classes(10, 5, 1.0, 1)
    many = np.random.default_rng(0).permuted(np.tile(labels, (6, 1)), axis=1)
    together = squared_distance(inner_products(vectors), many, 1 - many, groups)
    assert together.tolist() == pytest.approx([squared(vectors, one, groups) for one in many])


def test_the_interval_leaves_out_each_group_in_turn() -> None:
    vectors, labels, _ = classes(12, 5, 2.0, 1)
    member = np.arange(24) % 12
    found = distance(inner_products(vectors), labels, np.eye(12)[member])
    without = [
        by_definition(vectors[member != g], labels[member != g], np.delete(np.eye(12)[member[member != g]], g, 1))
        for g in range(12)
    ]
    error = (11 / 12 * np.sum((without - np.mean(without)) ** 2)) ** 0.5
    square = by_definition(vectors, labels, np.eye(12)[member])
    assert found is not None and found.value == pytest.approx(square**0.5)
    ends = [max(0, square + side * 2.200985160 * error) ** 0.5 for side in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(ends)


def test_no_spread_no_scale() -> None:
    same, labels = np.ones((4, 3)), np.array([1.0, 1.0, 0.0, 0.0])
    assert squared(same, labels, np.eye(4)) == 0
    apart = same + labels[:, None]
    assert np.isnan(squared(apart, labels, np.eye(4)))
    assert distance(inner_products(apart), labels, np.eye(4)) is None


def test_one_prompt_of_each_class_has_no_spread() -> None:
    """Whatever rounding leaves of it."""
    for seed in range(50):
        vectors = np.random.default_rng(seed).normal(size=(2, 7))
        assert np.isnan(squared(vectors, np.array([1.0, 0.0]), np.eye(2)))


def test_cosines() -> None:
    assert cosine(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(0.5**0.5)
    assert cosine(np.zeros(2), np.ones(2)) is None
    assert pair_cosine(np.tile([1.0, 2.0], (5, 1))) == pytest.approx(1)
    assert abs(pair_cosine(np.random.default_rng(0).normal(size=(200, 300))) or 0) < 0.02
    assert pair_cosine(np.ones((1, 3))) is None and pair_cosine(np.zeros((3, 3))) is None
