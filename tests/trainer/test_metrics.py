"""Metrics against scikit-learn, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from trainer.metrics import judge_metrics, pair_metrics


@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    unsafe = random.random(60) < 0.3
    scores = np.round(random.normal(size=60) + unsafe, 1)  # rounded: ties
    judged = scores > 0
    found = judge_metrics(scores, unsafe)
    true_negative, false_positive, false_negative, true_positive = sk.confusion_matrix(unsafe, judged).ravel()
    expected = {
        "accuracy": sk.accuracy_score(unsafe, judged),
        "precision": sk.precision_score(unsafe, judged),
        "recall": sk.recall_score(unsafe, judged),
        "f1": sk.f1_score(unsafe, judged),
        "auc": sk.roc_auc_score(unsafe, scores),
        "loss": sk.log_loss(unsafe, 1 / (1 + np.exp(-scores))),
        "fnr": false_negative / (false_negative + true_positive),
        "fpr": false_positive / (false_positive + true_negative),
    }
    at = {f"tpr_at_fpr_{share}": tpr_from_curve(unsafe, scores, share / 100) for share in (1, 5)}
    at["fnr_at_fpr_20"] = 1 - tpr_from_curve(unsafe, scores, 0.2)
    assert found == pytest.approx(expected | at, abs=1e-12)


def tpr_from_curve(unsafe: np.ndarray, scores: np.ndarray, rate: float) -> float:
    """The last point of scikit-learn's whole curve that refuses no more safe prompts."""
    false, true, _ = sk.roc_curve(unsafe, scores, drop_intermediate=False)
    return float(true[false <= rate + 1e-12].max())


def test_one_class_leaves_out_what_is_undefined() -> None:
    found = judge_metrics([1.0, -1.0], [False, False])
    assert found.keys() == {"accuracy", "loss", "precision", "recall", "f1", "fpr"}
    assert (found["accuracy"], found["precision"], found["f1"], found["fpr"]) == (0.5, 0.0, 0.0, 0.5)


def test_huge_scores_give_a_finite_loss() -> None:
    assert judge_metrics([1e4, -1e4], [False, True])["loss"] == pytest.approx(1e4)


def test_no_prompts_no_metrics() -> None:
    assert judge_metrics([], []) == {}
    assert pair_metrics([], [], []) == {}


def test_pairs_by_hand() -> None:
    scores = [-1.0, 2.0, -3.0, -4.0]  # pair a right twice; pair b misses its unsafe twin
    found = pair_metrics(scores, [False, True, False, True], ["a", "a", "b", "b"])
    assert (found["accuracy"], found["both_right"], found["pairs"]) == (0.75, 0.5, 2)
    assert found["ranked_right"] == 0.5  # b's unsafe twin scores below the safe one


def test_twins_with_one_score_are_ranked_right_by_half() -> None:
    assert pair_metrics([1.0, 1.0], [True, False], ["a", "a"])["ranked_right"] == 0.5
