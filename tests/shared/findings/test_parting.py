"""Where two judges part: planted layers are named, chance is not, and the band holds what it says."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.statistics.intervals import Clusters
from shared.findings.parting import parting

POINTS = 7


def readouts(seed: int, groups: int = 64, twins: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, points) noise that groups share, labels that alternate, and groups of `twins` prompts."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), twins)
    noise = random.normal(0, 1, (groups, POINTS))[group] + random.normal(0, 0.5, (groups * twins, POINTS))
    return noise, np.arange(groups * twins) % 2 == 1, group


def planted(point: int, size: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two judges; from `point` on the second reads the classes further apart, by `size` nats of separation."""
    there, unsafe, groups = readouts(seed)
    here = there + readouts(seed + 1)[0] * 0.2
    here[:, point:] += np.where(unsafe, size, -size)[:, None]
    return there, here, unsafe, groups


@pytest.mark.parametrize("point", [0, 3, POINTS - 1])
def test_the_planted_layer_is_named(point: int) -> None:
    found = parting(*planted(point, 1.0))
    assert found is not None and found.layer == point - 1, "the embeddings are -1"
    low, high = found.layers or (9, 9)
    assert low <= point - 1 <= high and high - low <= 1
    assert found.change[point].low < 1 < found.change[point].high and found.prompts == 128 and found.groups == 64


def test_what_moves_no_verdict_is_not_named() -> None:
    """A change that is clear of chance, and too small."""
    there, here, unsafe, groups = planted(2, 0.05)
    here = there + np.where(np.arange(POINTS) >= 2, 0.05, 0.0) * np.where(unsafe, 1.0, -1.0)[:, None]
    found = parting(there, here, unsafe, groups)
    assert found is not None and found.layer is None and found.change[3].value == pytest.approx(0.05)


def test_a_shift_of_all_scores_is_no_change_of_the_separation() -> None:
    there, unsafe, groups = readouts(0)
    unsafe[:40] = True  # unequal classes
    found = parting(there, there + 3.0, unsafe, groups)
    assert found is not None and found.layer is None
    assert [point.value for point in found.change] == pytest.approx([0.0] * POINTS, abs=1e-9)


def test_too_few_groups_name_nothing_and_one_label_gives_nothing() -> None:
    there, here, unsafe, groups = planted(3, 2.0)
    few = parting(there, here, unsafe, groups % 8)
    assert few is not None and few.few and few.layer is None
    assert parting(there, here, np.ones_like(unsafe), groups) is None
    assert parting(there, here, unsafe, np.zeros_like(groups)) is None


def test_the_change_is_half_the_distance_of_class_means_and_its_error_is_over_groups() -> None:
    """Against class means by hand, and the error of `analyzer.statistics`' clusters for equal classes."""
    there, here, unsafe, groups = planted(3, 1.0)
    found = parting(there, here, unsafe, groups)
    moved = here - there
    by_hand = (moved[unsafe].mean(0) - moved[~unsafe].mean(0)) / 2
    assert found is not None and [point.value for point in found.change] == pytest.approx(by_hand.tolist())
    signed = np.where(unsafe, 1, -1)[:, None] * moved
    clusters = Clusters(groups.tolist(), 10, 0)
    errors = [clusters.error(column - 0.0) for column in signed.T]
    halves = [point.high - point.value for point in found.change]
    ratios = np.array(halves) / errors
    assert ratios.max() - ratios.min() < 0.05 * ratios.mean(), "one quantile for all layers, of the same errors"
    assert 2.3 < ratios.mean() < 3.1, "wider than 1.96, for seven layers at once"


def test_judges_that_differ_by_chance_alone_are_hardly_told_to_part() -> None:
    """Of 300 pairs with 16 groups none parts but by chance of 0.002, and 19 of 20 bands hold 0 everywhere."""
    named = outside = 0
    for seed in range(300):
        noise, unsafe, groups = readouts(seed, groups=16)
        found = parting(np.zeros_like(noise), noise, unsafe, groups, seed)
        assert found is not None
        named += found.layer is not None
        outside += any(not point.low <= 0 <= point.high for point in found.change)
    assert named <= 4 and outside <= 27
