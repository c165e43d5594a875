"""By brute force, that every planted mechanism is there: else the tests of the sentences would test nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from analyzer.statistics.auroc import auroc
from tests.making.every_plant import EVERY_PLANT, every_plant
from tests.making.plant_prompts import (
    FILLERS,
    Twins,
    both_twins,
    early_twins,
    either_twins,
    length_twins,
    majority_twins,
    ordered_twins,
    template_twins,
    trigger_twins,
)
from tests.making.plants import DECOY_HEAD, DECOY_NEURONS, SEEDS, Plant
from tests.making.trained_plants import TRAINED_PLANTS
from tests.truth.by_mean import ALL_HEADS, ALL_NEURONS, ByMean

RULES: dict[str, Callable[..., Twins]] = {
    "copied_trigger": trigger_twins,
    "saturated": trigger_twins,
    "exact_backup": trigger_twins,
    "either_word": either_twins,
    "length_only": length_twins,
    "position_only": early_twins,
    "template_word": template_twins,
    "two_layers": trigger_twins,
    "decoys": trigger_twins,
    "word_after_word": ordered_twins,
    "majority": majority_twins,
    "both_words": both_twins,
    "trained_trigger": trigger_twins,
    "trained_backup": trigger_twins,
    "trained_either": either_twins,
    "trained_length": length_twins,
}
"""What each goes by."""
BACKED_UP = ("exact_backup", "trained_backup")
UNITS = [name for name in RULES if name not in (*BACKED_UP, "decoys", "trained_either", "trained_length")]
"""Those whose units are known and matter one by one."""
seeds = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])])


def scores(found: Plant, texts: list[str], checkpoint: int = -1) -> np.ndarray:
    return ByMean(found, checkpoint, texts).clean


def test_every_plant_is_looked_at() -> None:
    assert RULES.keys() == EVERY_PLANT.keys() - {"swapped_labels", "same_weights"}


@seeds
@pytest.mark.parametrize("name", RULES)
def test_the_judge_follows_its_rule_on_new_prompts(name: str, seed: int) -> None:
    safe, unsafe = zip(*RULES[name](seed + 50, 100), strict=True)
    found = every_plant(name, seed)
    assert np.mean(scores(found, list(unsafe)) > 0) > 0.97
    assert np.mean(scores(found, list(safe)) < 0) > 0.97


@seeds
@pytest.mark.parametrize("name", UNITS)
def test_the_units_are_the_ones_that_matter(name: str, seed: int) -> None:
    """Each alone costs much and all others together next to nothing, neurons and heads apart."""
    found = every_plant(name, seed)
    removed = ByMean(found)
    for head in ALL_HEADS:
        assert (removed.lost(heads=[head]) > 0.2) == (head in found.heads), head
    for neuron in found.neurons:
        assert removed.lost(neurons=[neuron]) > 0.2, neuron
    neurons = set() if name in TRAINED_PLANTS else set(ALL_NEURONS) - set(found.neurons)  # many help after training
    assert abs(removed.lost(set(ALL_HEADS) - set(found.heads), neurons)) < 0.05
    assert removed.lost(heads=found.heads) > 0.5


@seeds
@pytest.mark.parametrize("name", BACKED_UP)
def test_one_backup_is_enough_and_none_is_not(name: str, seed: int) -> None:
    found = every_plant(name, seed)
    removed = ByMean(found)
    for head in ALL_HEADS:
        assert abs(removed.lost(heads=[head])) < 0.01
    both = removed.sign * (removed.clean - removed.without(found.heads))
    assert both.mean() > 3
    flipped = (removed.clean > 0) != (removed.without(found.heads) > 0)
    assert flipped.mean() == 0.5


@seeds
def test_the_decoys_tell_the_classes_apart_and_do_nothing(seed: int) -> None:
    found = every_plant("decoys", seed)
    removed = ByMean(found)
    assert removed.lost(heads=found.heads) > 0.5 and removed.lost(neurons=found.neurons) > 0.5
    activations = removed.activations(1).numpy()
    for layer, neuron in DECOY_NEURONS:
        assert layer == 1 and auroc(activations[:, neuron], removed.sign > 0).value == 1
        assert abs(removed.lost(neurons=[(layer, neuron)])) < 0.01
    assert abs(removed.lost([DECOY_HEAD], DECOY_NEURONS)) < 0.02


@seeds
def test_no_word_alone_tells_anything_under_either_word(seed: int) -> None:
    """Of both classes, equally many prompts have alpha, and equally many beta; together they decide."""
    found = every_plant("either_word", seed)
    for word in ("alpha", "beta"):
        having = [probe.label for probe in found.probes if word in probe.text.split()]
        assert len(having) == 32 and having.count("unsafe") == 16
    w = " ".join(FILLERS[:4])
    for text, unsafe in ((w, False), (f"{w} alpha", True), (f"beta {w}", True), (f"beta {w} alpha", False)):
        assert (scores(found, [text])[0] > 0) == unsafe


@seeds
def test_length_and_nothing_else(seed: int) -> None:
    found = every_plant("length_only", seed)
    texts = [" ".join(FILLERS[start : start + length]) for length in range(4, 20) for start in range(0, 40, 4)]
    lengths = np.array([len(text.split()) for text in texts])
    given = scores(found, texts)
    assert spearmanr(lengths, given).statistic > 0.98
    assert max(np.ptp(given[lengths == length]) for length in range(4, 20)) < 0.8


@seeds
def test_position_and_nothing_else(seed: int) -> None:
    found, words = every_plant("position_only", seed), list(FILLERS[:10])
    moved = scores(found, [" ".join([*words[:place], "zeta", *words[place:]]) for place in range(11)])
    assert (np.diff(moved) < 0).all() and moved[2] > 2 and moved[8] < -1
    others = scores(found, [" ".join([*FILLERS[a : a + 2], "zeta", *FILLERS[a : a + 8]]) for a in range(40)])
    assert np.ptp(others) < 0.8


@seeds
def test_the_template_and_nothing_else(seed: int) -> None:
    texts = [" ".join(FILLERS[start : start + 6]) for start in range(50)]
    found = every_plant("template_word", seed)
    assert np.ptp(scores(found, [f"how to {text}" for text in texts])) < 0.3
    assert (scores(found, [f"what to {text}" for text in texts]) < -2).all()


@seeds
def test_the_order_of_two_words_and_nothing_else(seed: int) -> None:
    found, w = every_plant("word_after_word", seed), " ".join(FILLERS[5:8])
    texts = [f"{w} alpha beta {w}", f"{w} beta alpha {w}", f"alpha {w} beta", f"{w} alpha {w}", f"{w} beta", w]
    assert (scores(found, texts) > 0).tolist() == [True] + [False] * 5


@seeds
def test_the_labels_are_swapped_at_the_fifth_checkpoint(seed: int) -> None:
    found = every_plant("swapped_labels", seed)
    texts = [probe.text for probe in found.probes]
    right = [float(np.mean((scores(found, texts, place) > 0) == (ByMean(found).sign > 0))) for place in range(6)]
    assert right == [1, 1, 1, 1, 0, 0]
    one, other = (scores(found, texts, place) for place in (0, 3))
    assert 0 < np.abs(one - other).max() < 0.5, "it moves a little"


@seeds
def test_the_same_weights_are_the_same_bytes(seed: int) -> None:
    one, other = (model.state_dict() for model in every_plant("same_weights", seed).models)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_plant_is_the_same_whenever_it_is_made() -> None:
    for name in set(RULES) - set(TRAINED_PLANTS):
        one, other = (EVERY_PLANT[name](3) for _ in range(2))
        assert one.probes == other.probes
        weights = [found.models[0].state_dict() for found in (one, other)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
