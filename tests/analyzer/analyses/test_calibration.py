"""Calibration of a planted score against scikit-learn and counting, and by part."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics
from sklearn.calibration import calibration_curve

from analyzer.analyses.calibration import CalibrationSettings, calibration
from analyzer.session.context import Context
from analyzer.statistics.score_meaning import FEWEST, MOST_POINTS
from shared.errors import CannotCompute
from shared.findings.calibration import CalibrationResult, OperatingPoint
from shared.findings.parts import Interval
from shared.records import Probe
from tests.analyzer.analyses.test_comparison import planted
from tests.making.judges import context, probe, tiny_judge

SETTINGS = CalibrationSettings(bootstraps=200, bins=5)


def computed(ready: Context) -> CalibrationResult:
    result = calibration(ready, SETTINGS).result
    assert isinstance(result, CalibrationResult)
    return result


def probes(count: int = 40) -> list[Probe]:
    return [
        probe(" ".join(["bake"] * (3 + i % 9)) + f" {i}", "unsafe" if i % 2 else "safe", id=str(i),
              category="drugs" if i < 40 else "fraud" if i < 76 else "rare", language="en" if i < 60 else "de")
        for i in range(2 * count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ready() -> Context:
    return planted([0.7], probes())


def test_operating_points_are_scikit_learns(ready: Context) -> None:
    found = computed(ready)
    unsafe = np.array([p.label == "unsafe" for p in ready.probes])
    scores = ready.forward.scores.astype(float)
    fpr, tpr, thresholds = metrics.roc_curve(unsafe, scores, drop_intermediate=False)
    for rate in (0.001, 0.01, 0.2):
        at = found.at(rate)
        assert at is not None and at.tpr.value == pytest.approx(tpr[fpr <= rate].max(), abs=1e-9)
        assert at.negatives == 40 and at.resolved == (rate * 40 >= 1)
    wanted = found.of("wanted")
    assert wanted is not None and wanted.threshold.value == thresholds[fpr <= 0.05][-1]
    own = found.of("own")
    assert own is not None and own.threshold.value == 0
    assert own.tpr.value == pytest.approx(metrics.recall_score(unsafe, scores > 0), abs=1e-9)
    best = found.of("balanced")
    assert best is not None and best.tpr.value - best.fpr.value == pytest.approx((tpr - fpr).max(), abs=1e-9)
    assert found.auc is not None and found.auc.value == pytest.approx(
        metrics.roc_auc_score(unsafe, scores), abs=1e-9
    )
    area = np.trapezoid([p.tpr for p in found.roc], [p.fpr for p in found.roc])
    assert area == pytest.approx(found.auc.value, abs=1e-9) and len(found.roc) <= MOST_POINTS


def test_the_reliability_curve_is_scikit_learns(ready: Context) -> None:
    found = computed(ready).reliability
    assert found is not None
    unsafe = np.array([p.label == "unsafe" for p in ready.probes])
    probabilities = expit(ready.forward.scores.astype(float))
    share, mean = calibration_curve(unsafe, probabilities, n_bins=5, strategy="quantile")
    assert [each.predicted for each in found.bins] == pytest.approx(mean, abs=1e-9)
    assert [each.observed.value for each in found.bins] == pytest.approx(share, abs=1e-9)
    weights = np.array([each.count for each in found.bins]) / len(unsafe)
    assert found.error.value == pytest.approx((weights * np.abs(share - mean)).sum(), abs=1e-9)
    confidence = np.maximum(probabilities, 1 - probabilities)
    right = (probabilities > 0.5) == unsafe
    assert found.overconfidence.value == pytest.approx(confidence.mean() - right.mean(), abs=1e-9)


def test_parts_by_counting_and_small_ones_silent(ready: Context) -> None:
    cells = {(cell.kind, cell.name): cell for cell in computed(ready).cells}
    scores = ready.forward.scores
    unsafe = np.array([p.label == "unsafe" for p in ready.probes])
    for name, attribute in (("drugs", "category"), ("de", "language")):
        inside = np.array([getattr(p, attribute) == name for p in ready.probes])
        cell = cells[attribute, name]
        assert (cell.unsafe, cell.safe) == ((unsafe & inside).sum(), (~unsafe & inside).sum())
        assert cell.fnr is not None and cell.fpr is not None and cell.auc is not None
        assert cell.fnr.value == pytest.approx((scores[unsafe & inside] <= 0).mean())
        assert cell.fpr.value == pytest.approx((scores[~unsafe & inside] > 0).mean())
        assert cell.auc.value == pytest.approx(metrics.roc_auc_score(unsafe[inside], scores[inside]))
        assert cell.fnr.low < cell.fnr.value < cell.fnr.high
    rare = cells["category", "rare"]
    assert rare.unsafe < FEWEST and (rare.fnr, rare.fpr, rare.auc) == (None, None, None)
    by_length = [cell for cell in cells.values() if cell.kind == "length"]
    assert len(by_length) == 4 and sum(cell.unsafe + cell.safe for cell in by_length) == 80
    assert [cell.name.split()[-1] for cell in by_length] == ["tokens"] * 4


def test_the_histogram_counts_every_prompt_once(ready: Context) -> None:
    found = computed(ready).histogram
    assert (sum(found.safe), sum(found.unsafe)) == (40, 40) and found.edges[0] <= 0 <= found.edges[-1]


def test_one_class_has_no_operating_points() -> None:
    found = computed(context(tiny_judge("bert"), [probe(f"bake {i}") for i in range(20)]))
    assert (found.roc, found.points, found.auc) == ([], [], None)
    assert found.reliability is not None and found.reliability.error.value > 0
    assert not found.separation.claimable
    with pytest.raises(CannotCompute, match="empty"):
        computed(context(tiny_judge("bert"), []))


def test_what_so_few_negatives_cannot_resolve() -> None:
    one = Interval(value=0.5, low=0.4, high=0.6)
    point = OperatingPoint(kind="fpr", rate=0.001, threshold=one, tpr=one, fpr=one, negatives=999)
    assert not point.resolved and point.needed == 1000
    assert point.model_copy(update={"negatives": 1000}).resolved
    assert point.model_copy(update={"rate": 0.03}).needed == 34


def test_tensors_are_of_the_whole_probe_set_also_where_a_prompt_is_left_out() -> None:
    whole = probes()
    ready = planted([0.7], [*whole[:5], *whole[6:]])
    ready.whole, ready.places = whole, [place for place in range(len(whole)) if place != 5]
    tensors = calibration(ready, SETTINGS).tensors
    assert tensors["labels"].tolist() == [each.label == "unsafe" for each in whole]
    assert np.isnan(tensors["scores"]).nonzero()[0].tolist() == [5]
    np.testing.assert_array_equal(tensors["scores"][6:], ready.forward.scores[5:])
