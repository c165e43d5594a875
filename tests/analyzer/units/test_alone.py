"""Units removed one by one: on whose prompts, beside whom, and how attribution agrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.session.context import Context
from analyzer.units.alone import Alone, removed_alone
from analyzer.units.effects import Unit, random_others
from analyzer.units.mean_attribution import FOLDS, shared_mean_attribution
from analyzer.units.removal import Removal
from shared.findings.parts import Interval
from shared.findings.units import UnitAblation
from tests.making.judges import context
from tests.making.planted_heads import head_probes, one_head_judge
from tests.making.trained import rule_probes, trained_judge

SUITE = frozenset({"heads", "neurons"})


def test_a_unit_is_told_from_its_own_prompts() -> None:
    made = context(one_head_judge(), head_probes(), suite=SUITE)
    removal = Removal(made, list(range(48)), "heads")
    means = made.with_units().unit_means
    assert means is not None
    rows = np.arange(8, 40)
    found = removed_alone(
        removal, {(0, 2): rows, (1, 0): removal.all}, [(0, 1)], dict.fromkeys([(0, 2), (1, 0), (0, 1)], 0.0)
    )
    (scores,) = ablated_scores(made.judge, made.encoded, means, [Ablation(heads={0: [2]})], 4096)
    sign = np.array([1.0 if each.label == "unsafe" else -1.0 for each in made.probes])
    lost = sign * (made.forward.scores - scores)
    told = found.told[(0, 2)]
    assert told.drop.value == pytest.approx(lost[rows].mean(), abs=1e-5) and told.n == 32
    assert told.share is not None
    assert told.share.value == pytest.approx(lost[rows].sum() / (sign * made.forward.scores)[rows].sum(), abs=1e-6)
    assert told.flips == int(((scores > 0) != (made.forward.scores > 0))[rows].sum())
    assert told.carries and not found.told[(1, 0)].carries and list(found.told) == [(0, 2), (1, 0)]
    few = removed_alone(removal, {(0, 2): np.arange(20)}, [(0, 1)], {(0, 2): 0.0, (0, 1): 0.0})
    assert not few.told[(0, 2)].carries, "ten pairs"
    against = removed_alone(removal, {(1, 0): removal.all}, [(0, 2)], {(1, 0): 0.0, (0, 2): 0.0})
    assert not against.told[(1, 0)].carries and against.random[0] > 4


def test_carrying_is_known_of_removed_units_only() -> None:
    drop = Interval(value=1, low=1, high=1)
    told = {(0, 1): UnitAblation(drop=drop, share=None, flips=0, n=1, carries=True)}
    told[(1, 0)] = told[(0, 1)].model_copy(update={"carries": False})
    assert Alone(told, None, []).carrying((2, 2)).tolist() == [[-1, 1], [0, -1]]


def test_random_others_are_of_the_chosen_ones_layers() -> None:
    drawn = random_others([(0, 1), (0, 2)], (3, 8), 4, seed=0)
    assert len(set(drawn)) == 4 and all(layer == 0 and unit not in (1, 2) for layer, unit in drawn)
    assert {layer for layer, _ in random_others([(1, n) for n in range(8)], (3, 8), 20, seed=0)} == {0, 2}
    assert random_others([(0, 0)], (1, 1), 5, seed=0) == []


def moved(made: Context, index: int, kind: str, unit: Unit, way: float) -> float:
    """One prompt's score with one unit a part of the way to its mean, by a plain hook and a loop over tokens."""
    wiring, means = made.judge.anatomy.wiring, made.with_units().unit_means
    assert wiring is not None and means is not None
    layer, number = unit
    size = wiring.head_size if kind == "heads" else 1
    columns = slice(number * size, (number + 1) * size)
    table = torch.from_numpy(getattr(means, kind)[layer])

    def hook(_module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        values = args[0].clone()
        for token in range(values.shape[1]):
            role = 0 if token == 0 else 1 if token == values.shape[1] - 1 else 2
            values[0, token, columns] += way * (table[role, columns] - values[0, token, columns])
        return (values,)

    block = wiring.layers[layer].attention if kind == "heads" else wiring.layers[layer].mlp
    handle = block.out.register_forward_pre_hook(hook)
    ids = torch.tensor([made.encoded[index].ids])
    with torch.inference_mode():
        logits = made.judge.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
    handle.remove()
    return float(logits[1] - logits[0])


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_attribution_against_the_mean_is_mean_ablation_to_first_order(family: str) -> None:
    """The slope at the prompt of the way to the mean, by differences."""
    made = context(trained_judge(family), rule_probes(8), suite=SUITE)
    found, step = shared_mean_attribution(made, 6), 1e-2
    assert sorted(found.indices) == list(range(16)) and set(found.fold) == set(range(FOLDS))

    def slope(place: int, kind: str, unit: Unit) -> float:
        index = found.indices[place]
        sign = 1.0 if made.probes[index].label == "unsafe" else -1.0
        ahead, behind = (moved(made, index, kind, unit, way) for way in (step, -step))
        return sign * (behind - ahead) / (2 * step)

    for unit in ((0, 1), (2, 5)):
        wanted = [slope(place, "heads", unit) for place in range(16)]
        assert found.heads[:, unit[0], unit[1]] == pytest.approx(wanted, abs=5e-3, rel=2e-2)
    unit = np.unravel_index(np.abs(found.by_fold.sum(0)).argmax(), found.ablated.shape)
    strongest = (int(unit[0]), int(unit[1]))
    slopes = np.array([slope(place, "neurons", strongest) for place in range(16)])
    for fold in range(FOLDS):
        assert found.by_fold[fold][strongest] == pytest.approx(slopes[found.fold == fold].sum(), abs=1e-2, rel=2e-2)
    assert found.ablated[strongest] == pytest.approx(slopes[:6].mean(), abs=5e-3, rel=2e-2)
