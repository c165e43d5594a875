"""Ablations: against a plain hook on each prompt alone, in every family; and what their controls draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analyzer.model.batches import collate
from analyzer.patching.ablation import Ablation, ablated_scores, patched_scores
from analyzer.patching.references import choose_references
from analyzer.statistics.ranks import spearman
from analyzer.units.effects import LEAST, by_layer, disputed, random_like, same_layers, strongest_units
from tests.making.by_hand import ByHand
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.tiny import FAMILIES


@pytest.mark.parametrize("family", [*FAMILIES, "t5", "umt5"])
def test_an_ablation_is_editing_the_activations(family: str) -> None:
    made = context(tiny_judge(family, layers=3), random_probes(6), suite=frozenset({"neurons"}))
    means = made.with_units().unit_means
    assert means is not None
    ablations = [
        Ablation(neurons={1: [3, 5]}),
        Ablation(heads={0: [2]}),
        Ablation(neurons={2: [1]}, heads={1: [0, 3]}),
        Ablation(neurons={0: list(range(64))}),
    ]
    found = ablated_scores(made.judge, made.encoded, means, ablations, 4096)
    small = ablated_scores(made.judge, made.encoded, means, ablations, 1)
    for number, ablation in enumerate(ablations):
        by_hand = [literally(made, index, ablation, means) for index in range(len(made.probes))]
        assert np.allclose(found[number], by_hand, atol=2e-5, rtol=1e-4)
    assert np.allclose(found, small, atol=2e-5, rtol=1e-4)


def literally(made: Any, index: int, ablation: Ablation, means: Any) -> float:
    """One prompt alone, each unit set to the mean of its token's role by a loop."""
    judge = made.judge
    wiring = judge.anatomy.wiring
    prompt = made.encoded[index]
    size = len(prompt.ids)
    hooks = []

    def edit(columns: list[int], table: np.ndarray) -> Any:
        def hook(_module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            values = args[0].clone()
            for token in range(size):
                role = 0 if token == 0 else 1 if token == size - 1 else 2
                for column in columns:
                    values[0, token, column] = float(table[role, column])
            return (values,)

        return hook

    for layer, units in ablation.neurons.items():
        hooks.append(
            wiring.layers[layer].mlp.out.register_forward_pre_hook(edit(list(units), means.neurons[layer]))
        )
    for layer, units in ablation.heads.items():
        columns = [unit * wiring.head_size + place for unit in units for place in range(wiring.head_size)]
        hooks.append(
            wiring.layers[layer].attention.out.register_forward_pre_hook(edit(columns, means.heads[layer]))
        )
    batch = collate([prompt], judge.anatomy.pad_id, "cpu")
    with torch.inference_mode():
        logits = judge.model(input_ids=batch.ids, attention_mask=batch.mask).logits[0]
    for hook in hooks:
        hook.remove()
    return float(logits[1] - logits[0])


def test_progress_is_told_by_prompts() -> None:
    made = context(tiny_judge("bert"), random_probes(6), suite=frozenset({"neurons"}))
    means = made.with_units().unit_means
    assert means is not None
    told: list[tuple[int, int]] = []
    ablations = [Ablation(neurons={1: [3]})]
    ablated_scores(made.judge, made.encoded, means, ablations, 64, lambda *each: told.append(each))
    assert [total for _, total in told] == [12] * len(told)
    done = [count for count, _ in told]
    assert len(done) > 1 and done == sorted(set(done)) and done[-1] == 12


def test_random_controls_are_others_of_the_same_layers() -> None:
    chosen = [(0, 1), (0, 2), (2, 0)]
    drawn = random_like(chosen, chosen, (3, 8), 20, seed=0)
    assert len(drawn) == 20
    for one in drawn:
        assert {layer: len(units) for layer, units in one.items()} == {0: 2, 2: 1}
        assert not {1, 2} & set(one[0]) and 0 not in one[2]
    assert len({str(one) for one in drawn}) == 20
    assert len(random_like([(0, 0)], [(0, 0)], (1, 4), 20, seed=0)) == 3, "no more than there are"
    three = [(0, 0), (0, 1), (0, 2)]
    assert random_like(three, three, (1, 4), 20, seed=0) == [], "only one other head is left"
    assert random_like([], [], (1, 4), 20, seed=0) == []
    assert random_like([(0, 1)], three, (1, 5), 20, seed=0) in ([{0: [3]}, {0: [4]}], [{0: [4]}, {0: [3]}])
    assert by_layer(chosen) == {0: [1, 2], 2: [0]}


def test_where_a_layer_has_too_few_others_the_nearest_stand_in() -> None:
    chosen = [(2, 0), (2, 1), (2, 2), (0, 1)]
    assert same_layers(chosen, chosen, (4, 4)) == {2: 1, 1: 2, 0: 1}
    drawn = random_like(chosen, chosen, (4, 4), 20, seed=0)
    assert len(drawn) == 18, "3 pairs of layer 1's would be 6 times 3 of layer 0's"
    for one in drawn:
        assert one[2] == [3] and len(one[1]) == 2 and len(one[0]) == 1 and 1 not in one[0]


def test_what_is_called_strong() -> None:
    effect = np.array([[0.0, -2.0], [1.0, LEAST]])
    assert strongest_units(effect, 10) == [(0, 1), (1, 0)]
    assert strongest_units(np.zeros((2, 2)), 3) == []
    assert strongest_units(effect, 10, least=None) == [(0, 1), (1, 0), (1, 1), (0, 0)]
    assert spearman([1, 2, 3], [2, 4, 9]) == pytest.approx(1)
    assert spearman([1, 2], [2, 1]) is None and spearman([1, 1, 1], [1, 2, 3]) is None


def test_a_dispute_is_beyond_the_noise() -> None:
    class Effects:
        plain = np.array([[1.0, -1.0, 3.0, 1.0]])
        integrated = np.array([[1.1, 1.0, 1.0, -1.0]])
        error = np.array([[0.1, 0.1, 0.1, 5.0]])

    found = [disputed(Effects, 0, unit) for unit in range(4)]  # type: ignore[arg-type]
    assert found == [False, True, True, False]


@pytest.mark.parametrize("family", ["bert", "llama", "t5"])
def test_a_patched_unit_has_its_twins_value(family: str) -> None:
    """Against plain hooks on prompts of one length, whatever the batches."""
    made = context(tiny_judge(family, layers=3), random_probes(10, pairs=10), suite=frozenset({"heads"}))
    references = choose_references(made, 20)
    encoded = [made.encoded[index] for index in references.indices]
    chosen = [(0, 1), (2, 3), (1, 0)]
    ablations = [Ablation(heads={layer: [head]}) for layer, head in chosen]
    exact = ByHand(made, references).these_units("heads", chosen)
    clean = made.forward.scores[references.indices]
    for budget in (4096, 1):
        scores = patched_scores(made.judge, encoded, ablations, budget)
        lost = (references.sign * (clean - scores)).mean(1)
        assert lost == pytest.approx(exact, abs=2e-5)
    with pytest.raises(ValueError, match="one layer"):
        patched_scores(made.judge, encoded, [Ablation(heads={0: [1], 1: [1]})], 4096)
