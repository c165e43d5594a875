"""The interval of a repeatedly cross-validated probe holds what they find in other prompts: by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.linear_probe import fit_decide, standardised
from analyzer.statistics.repeated_folds import Split, repeated_probe, splits_of
from tests.making.forms import short_and_long

GROUPS, WIDTH, SPLITS = 16, 8, 6
LABELS, UNIT = np.tile([1, 0], GROUPS), np.repeat(np.arange(GROUPS), 2)


def twins(random: np.random.Generator, groups: int, strength: float, skewed: bool) -> np.ndarray:
    """(2 groups, WIDTH) pairs that share half of their spread; the unsafe ones moved along the first axis."""
    shared = np.repeat(random.normal(size=(groups, WIDTH)), 2, axis=0)
    vectors = (shared + random.normal(size=shared.shape)) / 2**0.5
    vectors = np.exp(vectors) / 2 if skewed else vectors
    vectors[:, 0] += strength * np.tile([1, 0], groups)
    return vectors


def elsewhere(vectors: np.ndarray, others: np.ndarray, splits: list[Split]) -> float:
    """Mean AUROC of all the fitted probes on prompts that nobody saw: by ranks, as scikit-learn takes ten times as
    long."""
    labels, found = np.tile([1, 0], len(others) // 2), []
    for split in splits:
        for number in np.unique(split.fold):
            train = split.fold != number
            left, right = standardised(vectors[train], others)
            ranks = rankdata(fit_decide(left, right, LABELS[None, train], 1.0)[0])
            found.append((ranks[labels == 1].mean() - (len(others) / 2 + 1) / 2) / (len(others) / 2))
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("strength", "skewed"), short_and_long([(0.0, False), (1.5, True), (1.5, False), (0.0, True)])
)
def test_a_probe_of_16_pairs(strength: float, skewed: bool) -> None:
    random = np.random.default_rng(0)
    others, hits, plain, times = twins(random, 500, strength, skewed), 0, 0, 60
    for time in range(times):
        vectors = twins(random, GROUPS, strength, skewed)
        splits = splits_of(LABELS, UNIT, [None] * len(UNIT), 5, SPLITS, 0, time)
        clusters = Clusters(UNIT.tolist(), 0, time)
        probe = repeated_probe(vectors, LABELS, splits, 0, clusters, 1.0)
        true = 0.5 if strength == 0 else elsewhere(vectors, others, splits)
        assert probe.auroc is not None
        hits += probe.auroc.low <= true <= probe.auroc.high
        values = [one.value for one in probe.of_splits]
        assert probe.auroc.value == pytest.approx(np.mean(values))
        half = 2.13 * np.std(values) / SPLITS**0.5
        plain += abs(probe.auroc.value - true) <= half
    assert hits / times >= (0.91 if skewed else 0.93)
    assert plain < hits, "the error of the mean over splits alone is far too small"


def test_splits_share_out_shuffles_and_probes() -> None:
    splits = splits_of(LABELS, UNIT, [f"p{unit}" for unit in UNIT], 4, 3, 7, 0)
    assert [len(split.shuffled) for split in splits] == [3, 2, 2]
    assert len({tuple(split.fold) for split in splits}) == 3
    vectors = twins(np.random.default_rng(0), GROUPS, 3.0, False)
    found = repeated_probe(vectors, LABELS, splits, 4, Clusters(UNIT.tolist(), 0, 0), 1.0)
    assert found.control.shape == (4,) and len(found.of_splits) == 3 and found.decisions.shape == LABELS.shape
    assert found.control.max() < found.of_splits[0].value
