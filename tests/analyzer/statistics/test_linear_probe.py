"""Probes, folds and AUROC against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analyzer.statistics.auroc import auroc, fold_auroc
from analyzer.statistics.folds import grouped_folds, independent_groups, pairs_or_alone, shuffled_labels
from analyzer.statistics.linear_probe import fit_decide, held_out_decisions, standardised
from tests.making.judges import probe

pytestmark = pytest.mark.numeric


def data(count: int, width: int, strength: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = random.normal(size=(count, width)).astype(np.float32)
    features[:, :2] += strength * labels[:, None]
    return features * 10.0 ** random.integers(-2, 3, width), labels


SIZES = [(90, 40, 1.0, 1.0), (60, 5, 0.5, 0.1), (50, 64, 9.0, 10)]


@pytest.mark.parametrize(("count", "width", "strength", "c"), SIZES)
def test_equals_scikit_learn(count: int, width: int, strength: float, c: float) -> None:
    features, labels = data(count, width, strength)
    fold = grouped_folds(labels, np.arange(count) // 2, 5)
    decisions = held_out_decisions(features, labels[None], fold, c)[0]
    # lbfgs stops early however small its tolerance; Newton's steps reach the optimum
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, tol=1e-9, max_iter=500, solver="newton-cg"))
    for number in range(5):
        model.fit(features[fold != number], labels[fold != number])
        test = fold == number
        np.testing.assert_allclose(decisions[test], model.decision_function(features[test]), atol=1e-4)
    wanted = cross_val_score(model, features, labels, cv=PredefinedSplit(fold), scoring="roc_auc").mean()
    assert fold_auroc(decisions, labels, fold)[0] == pytest.approx(wanted, abs=1e-6)


def test_labellings_do_not_influence_each_other() -> None:
    features, labels = data(60, 30, 1.0)
    fold = grouped_folds(labels, np.arange(60), 4)
    many = np.vstack([labels, 1 - labels, np.roll(labels, 7)])
    together = held_out_decisions(features, many, fold)
    for row in range(3):
        alone = held_out_decisions(features, many[row : row + 1], fold)[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-7)
    np.testing.assert_allclose(together[1], -together[0], atol=1e-7)


def test_constant_features_say_nothing() -> None:
    _, labels = data(40, 3, 0)
    jitter = 7.0 + 1e-7 * np.random.default_rng(0).normal(size=(40, 6))
    fold = grouped_folds(labels, np.arange(40), 5)
    decisions = held_out_decisions(jitter.astype(np.float32), labels[None], fold)[0]
    assert fold_auroc(decisions, labels, fold)[0] == 0.5


def test_the_test_fold_is_scaled_by_the_training_fold() -> None:
    train, test = standardised(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[5.0, 6.0]]))
    np.testing.assert_allclose(train, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(test, [[3, 0]])


def test_separable_data_of_any_size_converges() -> None:
    features, labels = data(30, 100, 50.0)
    fold = grouped_folds(labels, np.arange(30), 3)
    decisions = held_out_decisions(features, labels[None], fold, c=1e4)[0]
    assert np.isfinite(decisions).all() and fold_auroc(decisions, labels, fold)[0] > 0.9


def test_a_newton_step_that_goes_too_far_is_halved() -> None:
    """Rows of very different size and hardly any regularisation: undamped, the steps run away to 1e20."""
    random = np.random.default_rng(144)
    count, width = int(random.integers(4, 16)), int(random.integers(1, 3))
    features = random.standard_normal((count, width)) * 10.0 ** random.uniform(-1, 2, (count, 1))
    labels = (random.random(count) < 0.4).astype(int)
    labels[:2] = 1, 0
    model = LogisticRegression(C=1e3, tol=1e-9, max_iter=1000, solver="newton-cg").fit(features, labels)
    found = fit_decide(features, features, labels[None], 1e3)[0]
    np.testing.assert_allclose(found, model.decision_function(features), rtol=1e-4, atol=1e-3)


def test_a_prompt_far_on_the_right_side_costs_nothing() -> None:
    """Its chance is 1 to the last bit, so that its part of Newton's matrix vanishes."""
    train, labels = np.array([[-1.0], [1.0], [-2.0], [0.5], [100.0]]), np.array([0, 1, 0, 0, 1])
    test = np.array([[-1.5], [3.0]])
    model = LogisticRegression(C=1.0, tol=1e-9, solver="newton-cg").fit(train, labels)
    assert model.decision_function(train)[-1] > 50
    found = fit_decide(train, test, labels[None], 1.0)[0]
    np.testing.assert_allclose(found, model.decision_function(test), atol=1e-4)


def test_a_training_fold_with_one_class_gives_no_decision() -> None:
    decisions = held_out_decisions(np.eye(4), np.array([[0, 0, 1, 1]]), np.array([0, 0, 1, 1]))
    assert np.isnan(decisions).all()
    assert np.isnan(fold_auroc(decisions[0], np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])).value)


def test_auroc_with_ties() -> None:
    random = np.random.default_rng(1)
    scores, labels = random.integers(0, 4, 50).astype(float), random.integers(0, 2, 50)
    assert auroc(scores, labels).value == pytest.approx(roc_auc_score(labels, scores))
    assert np.isnan(auroc(scores, np.ones(50)).value)


def test_an_influence_is_what_a_prompts_weight_does() -> None:
    """By scikit-learn with one prompt a thousandth heavier; they sum to 0."""
    random = np.random.default_rng(1)
    scores, labels = random.integers(0, 9, 30).astype(float), random.integers(0, 2, 30)
    fold = np.arange(30) % 3

    def weighted(weights: np.ndarray, number: int | None) -> float:
        inside = slice(None) if number is None else fold == number
        return roc_auc_score(labels[inside], scores[inside], sample_weight=weights[inside])

    for found, parts in ((auroc(scores, labels), [None]), (fold_auroc(scores, labels, fold), [0, 1, 2])):
        plain = np.mean([weighted(np.ones(30), part) for part in parts])
        assert found.value == pytest.approx(plain) and found.influence.sum() == pytest.approx(0, abs=1e-12)
        for index in range(30):
            heavier = np.ones(30)
            heavier[index] += 1e-3
            changed = np.mean([weighted(heavier, part) for part in parts])
            assert found.influence[index] == pytest.approx((changed - plain) * 1e3, abs=2e-4)


def test_a_fold_without_a_probe_is_left_out() -> None:
    scores, labels = np.array([np.nan, np.nan, 1.0, 2.0]), np.array([0, 1, 0, 1])
    assert fold_auroc(scores, labels, np.array([0, 0, 1, 1]))[0] == 1.0


def test_units_join_pairs_and_groups() -> None:
    prompts = [probe("a", pair="p"), probe("b", pair="p", group="g"), probe("c", group="g"), probe("d"), probe("e")]
    assert independent_groups(prompts).tolist() == [0, 0, 0, 1, 2]


def test_where_a_prompt_is_compared_with_itself_only_its_twin_goes_with_it() -> None:
    prompts = [probe("a", pair="p"), probe("b", pair="p", group="g"), probe("c", group="g"), probe("d", group="g")]
    first, second, third, fourth = pairs_or_alone(prompts)
    assert first == second
    assert len({second, third, fourth}) == 3


def test_a_pair_and_a_group_of_the_same_name_have_nothing_in_common() -> None:
    assert independent_groups([probe("a", pair="x"), probe("b", group="x")]).tolist() == [0, 1]


def test_of_folds_that_lack_a_class_alike_the_emptiest_one_gets_it() -> None:
    """Two unsafe prompts fill fold 0; a safe one would leave its own class as even in either."""
    assert grouped_folds(np.array([1, 1, 0]), np.array([0, 0, 1]), 2).tolist() == [0, 0, 1]


def test_folds_keep_units_whole_and_classes_even() -> None:
    random = np.random.default_rng(0)
    unit = np.sort(random.integers(0, 50, 200))
    labels = random.integers(0, 2, 200)
    fold = grouped_folds(labels, unit, 5)
    assert all(len(set(fold[unit == number])) == 1 for number in set(unit))
    for label in (0, 1):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 4


def test_each_seed_draws_other_folds_as_even() -> None:
    labels, unit = np.arange(80) % 2, np.arange(80) // 2
    drawn = [grouped_folds(labels, unit, 5, seed) for seed in range(4)]
    assert len({tuple(fold) for fold in drawn}) == 4
    assert grouped_folds(labels, unit, 5, 1).tolist() == drawn[1].tolist()
    for fold in drawn:
        assert (fold[::2] == fold[1::2]).all() and set(np.bincount(fold)) == {16}


def test_shuffles_keep_the_design_and_break_the_relation() -> None:
    labels = np.array([1, 0] * 20)
    pairs = [f"p{i // 2}" if i < 20 else None for i in range(40)]
    fold = np.arange(40) // 2 % 4
    shuffled = shuffled_labels(labels, fold, pairs, 400, seed=0)
    for number in range(4):
        assert (shuffled[:, fold == number].sum(1) == labels[fold == number].sum()).all()
    assert (shuffled[:, 0:20:2] + shuffled[:, 1:20:2] == 1).all()
    np.testing.assert_allclose(shuffled.mean(0), 0.5, atol=0.1)


def test_a_pair_of_one_class_is_shuffled_like_any_other_prompts() -> None:
    shuffled = shuffled_labels(np.array([0, 0, 1, 1]), np.zeros(4, dtype=int), ["p", "p", None, None], 400, seed=0)
    assert (shuffled.sum(1) == 2).all()
    np.testing.assert_allclose(shuffled.mean(0), 0.5, atol=0.1)
