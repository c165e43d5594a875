"""Circuits chosen on some prompts and run on others, against the same done by hand; and how sure each edge is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from analyzer.circuits.choice import Choice
from analyzer.circuits.crossfit import CrossFit
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first
from analyzer.circuits.mib import mib
from analyzer.circuits.scored import Scored, scored
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.patching.pair_pass import pair_pass
from analyzer.patching.parts import PartScores, parts_of
from analyzer.session.context import Context
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.planted import planted_judge, planted_probes
from tests.making.tiny import FAMILIES
from tests.making.trained import rule_probes, trained_judge

SUITE = frozenset({"circuits"})


@cache
def fitted(family: str = "bert") -> tuple[Context, CircuitEvaluator, Scored, CrossFit]:
    found = context(trained_judge(family), rule_probes(20), suite=SUITE)
    evaluator = CircuitEvaluator(found, 40, wider=True)
    scores = scored(found, evaluator, 3, 40, 40)
    return found, evaluator, scores, CrossFit(evaluator, scores.scores, scores.parts, 4, 40, 0)


def test_no_edge_is_chosen_on_the_prompts_it_is_run_on() -> None:
    _, evaluator, scores, fit = fitted()
    for number, choice in enumerate(fit.chosen_elsewhere):
        here = {evaluator.probes[i].pair for i in evaluator.references.indices[fit.fold == number]}
        part = {p.pair: int(n) for p, n in zip(evaluator.probes, scores.parts, strict=True)}
        assert here and not {part[pair] for pair in here} & set(choice.scores.numbers.tolist())
    assert len(np.unique(fit.fold)) == 4


def test_the_pooled_scores_are_those_of_each_fold_run_by_itself() -> None:
    _, evaluator, _, fit = fitted()
    (own,), (random,) = fit.of_sizes([60], fit.every)
    for number, choice in enumerate(fit.chosen_elsewhere):
        at = np.flatnonzero(fit.fold == number)
        wanted = evaluator.evaluate(choice.circuit(60)).scores[at]
        np.testing.assert_allclose(own[at], wanted, atol=2e-5)
    assert not np.allclose(own, random)


def test_the_parts_add_up_to_the_mean_of_every_prompt() -> None:
    """The mean over parts against each pair scored in a pass of its own."""
    found, _, scores, _ = fitted()
    alone = []
    for pair in range(0, 40, 2):
        two = [found.probes[pair], found.probes[pair + 1]]
        rest = [p for p in found.probes if p not in two]
        one = gradient_pass(context(found.judge, [*two, *rest], suite=SUITE), 3, 2, edges=True)
        assert one.edges is not None and one.references.n == 2
        alone.append(one.edges.mean)
    np.testing.assert_allclose(np.nan_to_num(scores.mean), np.nan_to_num(np.mean(alone, 0)), atol=2e-5)
    assert len(scores.scores.numbers) == 20 and (scores.scores.prompts == 2).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pair_costs_one_way_and_scores_what_both_ways_do(family: str) -> None:
    found = context(tiny_judge(family), random_probes(12, pairs=10), suite=SUITE)
    both = gradient_pass(found, 3, 20, edges=True)
    parts = parts_of(found.probes, 1)
    edges, nodes = pair_pass(found, both.references, found.encoded, parts, 3)
    largest = float(np.abs(both.nodes.sums).max())
    np.testing.assert_allclose(nodes.sums, both.nodes.sums, atol=1e-4 * largest)
    assert (edges is None) == (both.edges is None)
    if edges is not None and both.edges is not None:
        np.testing.assert_allclose(
            np.nan_to_num(edges.mean),
            np.nan_to_num(both.edges.mean),
            atol=1e-4 * float(np.nanmax(np.abs(edges.mean))),
        )


def test_confidence_counts_the_resamples_that_choose_an_edge() -> None:
    """By hand, draw by draw: three sources in a row, one path whose sign turns with the prompts."""
    random = np.random.default_rng(0)
    sums = random.normal(0.3, 1, (12, 5, 5)).astype(np.float32)
    sums[:, np.tril_indices(5, -1)[0], np.tril_indices(5, -1)[1]] = np.nan
    scores = PartScores(np.arange(12), sums, np.full(12, 2))
    choice = Choice(scores, 1.0, 50, 3)
    drawn = np.random.default_rng([3, 12]).multinomial(12, np.full(12, 1 / 12), size=50)
    wanted = np.zeros((5, 5))
    for draw in drawn:
        mean = np.tensordot(draw, sums, 1)
        first = mask_of_first(along_paths(mean, signed=True), 4, mean.shape)
        wanted += first & (np.sign(mean) == np.sign(sums.sum(0)))
    np.testing.assert_allclose(choice.confidence(4), wanted / 50)
    assert 0 < wanted.max() / 50 <= 1 and len(np.unique(wanted)) > 2


def test_the_planted_edges_are_chosen_in_every_resample() -> None:
    found = context(planted_judge(), planted_probes(16), suite=SUITE)
    evaluator = CircuitEvaluator(found, 32)
    scores = scored(found, evaluator, 3, 32, 32)
    confidence = Choice(scores.scores, 1.0, 50, 0).confidence(3)
    assert sorted(np.unique(confidence[np.isfinite(scores.mean)]).tolist()) == [0, 1]
    assert int((confidence == 1).sum()) == 3


def test_a_part_of_the_prompts_is_the_first_folds_and_each_meets_its_own_folds_choice() -> None:
    _, evaluator, _, fit = fitted()
    at = fit.of_few_folds(12)
    scores = fit.pooled(lambda choice, _: [choice.circuit(60)], at)
    inside = fit.fold[at]
    assert len(at) == 12 and inside.max() <= 1 and (inside == 0).sum() == min(12, (fit.fold == 0).sum())
    assert {evaluator.references.groups[i] for i in at} == set(evaluator.references.groups[at][::2])
    for number in np.unique(inside):
        here = at[inside == number]
        wanted = evaluator.evaluate(fit.chosen_elsewhere[number].circuit(60)).scores[here]
        np.testing.assert_allclose(scores[0][inside == number], wanted, atol=2e-5)


def test_mibs_curve_is_f_of_the_plain_top_n() -> None:
    _, evaluator, scores, fit = fitted()
    total = int(np.isfinite(scores.mean).sum())
    found = mib(fit, total, 40)
    point = found.curve[-3]
    pooled = np.zeros(40)
    for number, choice in enumerate(fit.chosen_elsewhere):
        at = np.flatnonzero(fit.fold == number)
        flat = np.where(np.isfinite(choice.mean), choice.mean, -np.inf).ravel()
        mask = np.zeros(flat.size, dtype=bool)
        mask[np.argsort(-flat, kind="stable")[: point.edges]] = True
        pooled[at] = evaluator.evaluate(mask.reshape(choice.mean.shape)).scores[at]
    assert point.signed == pytest.approx(evaluator.told(pooled).faithfulness, abs=1e-4)
    fractions, values = [0.0], [0.0]
    for each in found.curve:
        fractions.append(each.fraction)
        values.append(each.signed)
    assert found.cpr == pytest.approx(float(np.trapezoid(values, fractions)))


def test_in_sample_flatters_where_labels_mean_nothing() -> None:
    """A judge of shuffled labels: circuits look better on the prompts they were chosen on than on others."""
    found = context(trained_judge("bert", shuffled=True), rule_probes(20), suite=SUITE)
    evaluator = CircuitEvaluator(found, 40, wider=True)
    scores = scored(found, evaluator, 3, 40, 40)
    fit = CrossFit(evaluator, scores.scores, scores.parts, 4, 40, 0)
    sign, size = evaluator.references.sign * fit.orientation, 60
    (own,), _ = fit.of_sizes([size], fit.every)
    inside = evaluator.evaluate(fit.chosen.circuit(size)).scores
    assert (sign * inside).mean() > (sign * own).mean() + 0.1
