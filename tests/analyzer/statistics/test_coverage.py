"""Intervals hold what they say, on skewed values and few groups too: coverage by simulation, seeds fixed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analyzer.statistics.intervals import Clusters, percentile_interval
from tests.making.forms import short_and_long

GROUPS, TIMES = 16, 1000


def normal(random: np.random.Generator) -> np.ndarray:
    return random.normal(size=GROUPS)


def lognormal(random: np.random.Generator) -> np.ndarray:
    return random.lognormal(sigma=1, size=GROUPS)


@pytest.mark.parametrize(("draw", "mean", "least"), [(normal, 0.0, 0.93), (lognormal, float(np.exp(0.5)), 0.91)])
def test_a_mean_of_few_groups(draw: Callable[[np.random.Generator], np.ndarray], mean: float, least: float) -> None:
    random = np.random.default_rng(0)
    hits = percentile = 0
    for time in range(TIMES):
        clusters, values = Clusters(range(GROUPS), 999, time), draw(random)
        found = clusters.mean(values)
        hits += found.low <= mean <= found.high
        usual = percentile_interval(float(values.mean()), clusters.weights @ values / GROUPS)
        percentile += usual.low <= mean <= usual.high
    assert hits / TIMES >= least
    assert percentile < hits, "what the bootstrap-t is taken for"


def test_groups_of_prompts_that_are_alike() -> None:
    """Four prompts a group, most of their spread between groups."""
    random = np.random.default_rng(1)
    groups, hits = np.repeat(np.arange(GROUPS), 4), 0
    for time in range(TIMES // 2):
        values = np.repeat(random.normal(size=GROUPS), 4) + 0.3 * random.normal(size=4 * GROUPS)
        found = Clusters(groups.tolist(), 999, time).mean(values)
        hits += found.low <= 0 <= found.high
    assert hits / (TIMES // 2) >= 0.93


@pytest.mark.parametrize("skewed", short_and_long([True, False]))
def test_a_share_of_the_whole(skewed: bool) -> None:
    random = np.random.default_rng(2)
    hits = 0
    for time in range(300):
        whole = random.lognormal(sigma=0.7, size=GROUPS) if skewed else random.normal(2, 1.5, GROUPS)
        part = 0.6 * whole + random.normal(0, 0.6, GROUPS)
        found = Clusters(range(GROUPS), 999, time).ratio(part, whole)
        hits += found is None or found.low <= 0.6 <= found.high
    assert hits / 300 >= 0.93
