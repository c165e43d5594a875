"""Verdicts and baselines against scikit-learn and counting, and the exact tests against enumeration."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar

from analyzer.evaluation.verdicts import against, verdicts_of
from analyzer.statistics import auroc as auroc_module
from analyzer.statistics.auroc import auroc
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.score_meaning import Amount, Scored, cells_by_name, score_meaning


def drawn(seed: int, prompts: int = 240, apart: float = 1.0, per_group: int = 3) -> Scored:
    random = np.random.default_rng(seed)
    unsafe = random.random(prompts) < 0.4
    scores = random.normal(apart * (2 * unsafe - 1), 1.5)
    return Scored(np.round(scores, 1), unsafe, np.arange(prompts) // per_group)  # rounded: some scores tie


def clusters_of(prompts: Scored) -> Clusters:
    return Clusters(prompts.groups.tolist(), 400, 0)


@pytest.mark.parametrize("seed", range(3))
def test_rates_and_confusion_are_scikit_learns(seed: int) -> None:
    prompts = drawn(seed)
    found, flagged = verdicts_of("judge", prompts, clusters_of(prompts)), prompts.scores > 0
    cells = found.confusion
    told = [[cells.true_negative, cells.false_positive], [cells.false_negative, cells.true_positive]]
    assert metrics.confusion_matrix(prompts.unsafe, flagged).tolist() == told
    wanted = {
        "accuracy": metrics.accuracy_score(prompts.unsafe, flagged),
        "precision": metrics.precision_score(prompts.unsafe, flagged),
        "recall": metrics.recall_score(prompts.unsafe, flagged),
        "f1": metrics.f1_score(prompts.unsafe, flagged),
        "fpr": 1 - metrics.recall_score(~prompts.unsafe, ~flagged),
        "fnr": 1 - metrics.recall_score(prompts.unsafe, flagged),
        "auc": metrics.roc_auc_score(prompts.unsafe, prompts.scores),
    }
    assert found.rates.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found.rates[name].value == pytest.approx(value, abs=1e-9), name
        assert found.rates[name].low < value < found.rates[name].high


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_and_calibration_are_scikit_learns_and_counted(seed: int) -> None:
    prompts = drawn(seed)
    found = score_meaning(prompts, Amount(draws=200), [], "prompts")
    fpr, tpr, _ = metrics.roc_curve(prompts.unsafe, prompts.scores, drop_intermediate=False)
    for rate in (0.001, 0.01, 0.2):
        at = found.at(rate)
        assert at is not None and at.tpr.value == pytest.approx(tpr[fpr <= rate].max(), abs=1e-9)
    probabilities = expit(prompts.scores)
    edges = np.quantile(probabilities, np.linspace(0, 1, 11))
    error = 0.0
    for low, high in zip([-1.0, *edges[1:-1]], [*edges[1:-1], 2.0], strict=True):
        inside = [p for p in range(240) if low < probabilities[p] <= high]
        if inside:
            share = sum(bool(prompts.unsafe[p]) for p in inside) / len(inside)
            error += len(inside) / 240 * abs(share - sum(probabilities[p] for p in inside) / len(inside))
    assert found.reliability is not None and found.reliability.by_chance > 0
    assert found.reliability.error.value == pytest.approx(error, abs=1e-9)
    shifted = score_meaning(prompts._replace(scores=prompts.scores - 2), Amount(draws=200), [], "prompts", shift=2)
    assert shifted.reliability is not None, "a threshold of the user's moves no probability"
    assert shifted.reliability.error.value == pytest.approx(error, abs=1e-9)
    assert score_meaning(prompts, Amount(draws=200), [], "prompts", shift=None).reliability is None


def exact(better: int, worse: int) -> float:
    """McNemar's exact two-sided p, by adding up whole numbers."""
    of = better + worse
    tail = sum(comb(of, k) for k in range(min(better, worse) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**of)))


@pytest.mark.parametrize("seed", range(4))
def test_the_paired_tests_are_exact(seed: int) -> None:
    judge, other = drawn(seed, apart=1.2), drawn(seed + 50, apart=0.3).scores
    found = against("tfidf", judge, other, clusters_of(judge))
    right, theirs = ((scores > 0) == judge.unsafe for scores in (judge.scores, other))
    better, worse = int((right & ~theirs).sum()), int((theirs & ~right).sum())
    assert (found.by_prompts.better, found.by_prompts.worse) == (better, worse)
    assert found.by_prompts.p_value == pytest.approx(exact(better, worse), abs=1e-9)
    assert found.by_prompts.p_value == pytest.approx(binomtest(better, better + worse).pvalue, abs=1e-9)
    table = [[(right & theirs).sum(), better], [worse, (~right & ~theirs).sum()]]
    assert found.by_prompts.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-9)
    net = np.bincount(judge.groups, right.astype(int) - theirs.astype(int))
    told = int((net > 0).sum()), int((net < 0).sum())
    assert (found.by_groups.better, found.by_groups.worse) == told
    assert found.by_groups.p_value == pytest.approx(exact(*told), abs=1e-9)


def test_no_difference_at_all_is_no_evidence() -> None:
    judge = drawn(0)
    found = against("length", judge, judge.scores, clusters_of(judge))
    assert found.by_prompts.p_value == found.by_groups.p_value == 1 and found.outcome == "undecided"
    assert found.auc_gain is not None and found.auc_gain.value == found.auc_gain.low == found.auc_gain.high == 0


def test_the_gain_in_auc_is_the_difference_and_its_interval_that_of_drawn_groups() -> None:
    judge, other = drawn(1, 600, 1.2), np.round(drawn(1, 600, 0.4).scores + drawn(9, 600, 0).scores, 1)
    clusters = Clusters(judge.groups.tolist(), 2000, 0)
    found = against("tfidf", judge, other, clusters).auc_gain
    ours, theirs = (metrics.roc_auc_score(judge.unsafe, scores) for scores in (judge.scores, other))
    assert found is not None and found.value == pytest.approx(ours - theirs, abs=1e-9)
    random, gains = np.random.default_rng(3), []
    for _ in range(600):
        rows = np.concatenate([np.arange(3 * g, 3 * g + 3) for g in random.integers(0, 200, 200)])
        values = [metrics.roc_auc_score(judge.unsafe[rows], scores[rows]) for scores in (judge.scores, other)]
        gains.append(values[0] - values[1])
    low, high = np.quantile(gains, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))


def test_very_many_prompts_are_compared_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = drawn(2)
    whole = auroc(prompts.scores, prompts.unsafe.astype(int))
    monkeypatch.setattr(auroc_module, "AT_ONCE", 700)
    parts = auroc(prompts.scores, prompts.unsafe.astype(int))
    assert parts.value == pytest.approx(whole.value, abs=1e-12)
    assert parts.influence == pytest.approx(whole.influence, abs=1e-12)


def test_one_class_alone_has_what_can_be_said() -> None:
    prompts = drawn(0)._replace(unsafe=np.ones(240, dtype=bool))
    found = verdicts_of("judge", prompts, clusters_of(prompts))
    assert {"recall", "fnr", "accuracy"} <= found.rates.keys() and not {"fpr", "auc"} & found.rates.keys()
    assert against("tfidf", prompts, prompts.scores, clusters_of(prompts)).auc_gain is None
    meaning = score_meaning(prompts, Amount(draws=100), [], "prompts")
    assert meaning.auc is None and meaning.points == [] and sum(meaning.histogram.unsafe) == 240


def test_parts_are_counted_by_name_and_silent_where_few() -> None:
    prompts = drawn(0)
    names = ["web" if i % 2 else "phone" for i in range(235)] + [""] * 3 + ["rare"] * 2
    cells = {cell.name: cell for cell in cells_by_name(prompts, {"source": names})}
    assert list(cells) == ["phone", "web", "rare"] and cells["rare"].fnr is None
    inside = np.array([name == "web" for name in names])
    missed = (prompts.scores <= 0) & prompts.unsafe & inside
    fnr = cells["web"].fnr
    assert fnr is not None and fnr.value == pytest.approx(missed.sum() / (prompts.unsafe & inside).sum(), abs=1e-9)
