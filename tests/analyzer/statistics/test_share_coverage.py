"""Intervals of AUROC, F1, rates and d' hold what they say at 16 and 24 groups: by simulation, seeds fixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analyzer.statistics.auroc import auroc
from analyzer.statistics.class_geometry import distance, inner_products
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rates import rates

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Scores, labels and group of each prompt."""

TIMES = 400


def twins(random: np.random.Generator, groups: int, shift: float, skewed: bool) -> Sample:
    """Pairs of one prompt of each class, half of whose spread they share."""
    labels, member = np.tile([1, 0], groups), np.repeat(np.arange(groups), 2)
    spread = np.repeat(random.normal(size=groups), 2) + random.normal(size=2 * groups)
    scores = np.exp(spread / 2**0.5) if skewed else spread / 2**0.5
    return scores + shift * labels, labels, member


def templates(random: np.random.Generator, groups: int, shift: float, skewed: bool) -> Sample:
    """Groups of three prompts of one class, the groups half and half."""
    member = np.repeat(np.arange(groups), 3)
    labels = member % 2
    spread = np.repeat(random.normal(size=groups), 3) + random.normal(size=3 * groups)
    scores = np.exp(spread / 2**0.5) if skewed else spread / 2**0.5
    return scores + shift * labels, labels, member


def area(shift: float, skewed: bool) -> float:
    """AUROC of the whole population, from 2,000 x 2,000 quantiles."""
    quantiles = np.sort(np.random.default_rng(9).normal(size=200_000))
    quantiles = np.exp(quantiles) if skewed else quantiles
    return float(np.searchsorted(quantiles, quantiles + shift).mean() / len(quantiles))


@pytest.mark.parametrize("draw", [twins, templates])
@pytest.mark.parametrize("groups", [16, 24])
@pytest.mark.parametrize(
    ("shift", "skewed", "least"),
    [(0, False, 0.93), (1, False, 0.93), (3, False, 0.93), (1, True, 0.91), (3, True, 0.91), (5, True, 0.91)],
)
def test_auroc(draw: Callable[..., Sample], groups: int, shift: float, skewed: bool, least: float) -> None:
    random, true, hits = np.random.default_rng(0), area(shift, skewed), 0
    for _ in range(TIMES):
        scores, labels, member = draw(random, groups, shift, skewed)
        clusters, found = Clusters(member.tolist(), 0, 0), auroc(scores, labels)
        rarer = min(clusters.holding(labels == label) for label in (0, 1))
        interval = clusters.share(found.value, found.influence, rarer)
        hits += interval.low <= true <= interval.high
    assert hits / TIMES >= least


@pytest.mark.parametrize("draw", [twins, templates])
@pytest.mark.parametrize("skewed", [False, True])
def test_rates_and_f1(draw: Callable[..., Sample], skewed: bool) -> None:
    """Verdicts at a threshold between the classes, some 25 % of them wrong; the truth from a large sample."""
    random = np.random.default_rng(1)
    threshold = 1.5 if skewed else 0.7

    def found(groups: int) -> dict:
        scores, labels, member = draw(random, groups, 1.5, skewed)
        return rates(scores - threshold, labels, Clusters(member.tolist(), 0, 0))

    many = [found(800) for _ in range(5)]
    true = {name: np.mean([one[name].value for one in many]) for name in many[0]}
    some = [found(16) for _ in range(TIMES)]
    for name, value in true.items():
        hits = sum(one[name].low <= value <= one[name].high for one in some if name in one)
        assert hits / TIMES >= (0.91 if skewed else 0.93), name


@pytest.mark.parametrize("groups", [16, 24])
@pytest.mark.parametrize(("apart", "skewed"), [(0.0, False), (0.5, False), (0.8, False), (0.5, True), (0.8, True)])
def test_distance(groups: int, apart: float, skewed: bool) -> None:
    """Twins in 24 dimensions, where the plain d' of 16 pairs has 0.25 for classes that do not differ."""
    assert covered(groups, apart, skewed, TIMES) >= (0.91 if skewed else 0.93)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [16, 24])
def test_a_large_distance_of_skewed_vectors_in_the_long_form(groups: int) -> None:
    """Where it covers least: 91.6 % of 4,000 samples."""
    assert covered(groups, 2.0, True, 4000) >= 0.91


def covered(groups: int, apart: float, skewed: bool, times: int) -> float:
    """Share of samples whose interval holds the true distance."""
    random, hits, width = np.random.default_rng(2), 0, 24
    spread = ((np.e - 1) * np.e) ** 0.5 if skewed else 1.0
    labels, member = np.tile([1.0, 0.0], groups), np.repeat(np.arange(groups), 2)
    for _ in range(times):
        shared = np.repeat(random.normal(size=(groups, width)), 2, axis=0)
        vectors = (shared + random.normal(size=shared.shape)) / 2**0.5
        vectors = np.exp(vectors) if skewed else vectors
        vectors[:, 0] += apart * width**0.5 * spread * labels
        found = distance(inner_products(vectors), labels, np.eye(groups)[member])
        assert found is not None
        hits += found.low <= apart <= found.high
    return hits / times
