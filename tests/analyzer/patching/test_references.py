"""Which prompts are used, what each is compared with, and which go into one batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.model.batches import Encoded
from analyzer.patching.references import MIN_PAIRS, References, by_role, choose_references
from tests.making.judges import context, random_probes, tiny_judge


def chosen(pairs: int, prompts: int = 16) -> References:
    return choose_references(context(tiny_judge("bert"), random_probes(12, pairs=pairs)), prompts)


def test_twins_where_enough_pairs_align() -> None:
    found = chosen(MIN_PAIRS)
    assert (found.kind, found.n, found.n_pairs, found.notes) == ("twin", 16, 8, ())
    few = chosen(MIN_PAIRS - 1)
    assert (few.kind, few.n) == ("mean", 16)
    assert few.notes[0].startswith("Only 7 contrast pairs align token by token, and 8 are needed")
    assert (few.twins == -1).all()


@pytest.mark.parametrize(("prompts", "used"), [(16, 16), (7, 6), (6, 6), (1, 2)])
def test_pairs_are_used_whole_and_once(prompts: int, used: int) -> None:
    found = chosen(10, prompts)
    assert found.n == used == len(set(found.indices.tolist()))
    assert found.n_pairs == used // 2
    assert (found.twins.reshape(-1, 2)[:, ::-1] == found.indices.reshape(-1, 2)).all(), "twins side by side"
    assert found.groups.tolist() == [pair for pair in range(used // 2) for _ in range(2)]
    assert (found.sign.reshape(-1, 2).sum(1) == 0).all()


def test_where_means_are_the_reference_only_whole_pairs_are_groups() -> None:
    found = chosen(4, 24)
    probes = random_probes(12, pairs=4)
    names = [probes[index].pair for index in found.indices]
    whole = {name for name in names if name and names.count(name) == 2}
    assert found.kind == "mean" and found.n_pairs == len(whole) > 0
    for name in whole:
        assert len({group for group, each in zip(found.groups, names, strict=True) if each == name}) == 1
    assert found.sign.tolist() == [1.0 if probes[index].label == "unsafe" else -1.0 for index in found.indices]


def by_hand(*lengths: int) -> tuple[References, list[Encoded]]:
    """Pairs of such lengths."""
    count = 2 * len(lengths)
    encoded = [
        Encoded("", tuple(range(length)), (False,) * length, ((0, 0),) * length, False)
        for length in lengths
        for _ in range(2)
    ]
    places = np.arange(count)
    twins = places.reshape(-1, 2)[:, ::-1].ravel()
    return References("twin", places, twins, np.tile([1.0, -1.0], len(lengths)), places // 2), encoded


def test_batches_hold_what_fits_and_the_longest_come_first() -> None:
    references, encoded = by_hand(5, 10, 9, 8)
    assert list(references.batches(encoded, 40)) == [[2, 3, 4, 5], [6, 7, 0, 1]]
    assert list(references.batches(encoded, 39)) == [[2, 3], [4, 5, 6, 7], [0, 1]], "4 rows of 10 are 40 tokens"
    assert list(references.batches(encoded, 80, rows_each=2)) == [[2, 3, 4, 5], [6, 7, 0, 1]]
    assert list(references.batches(encoded, 79, rows_each=2)) == [[2, 3], [4, 5, 6, 7], [0, 1]]
    assert list(references.batches(encoded, 1)) == [[2, 3], [4, 5], [6, 7], [0, 1]], "a pair is never parted"


def test_a_pair_joins_longer_ones_where_its_padding_costs_less_than_a_call() -> None:
    """A call is 64 tokens: two rows may be 31 shorter than the longest, four rows 15."""
    together, apart = [[0, 1, 2, 3]], [[0, 1], [2, 3]]
    for short, rows, wanted in ((225, 1, together), (223, 1, apart), (241, 2, together), (239, 2, apart)):
        references, encoded = by_hand(256, short)
        assert list(references.batches(encoded, 10_000, rows_each=rows, call=64)) == wanted


def test_the_place_of_each_twin_in_its_batch() -> None:
    references, _ = by_hand(5, 10, 9)
    assert references.partners([4, 5, 0, 1]) == [1, 0, 3, 2]
    assert chosen(2).partners([0, 1]) is None


def test_means_by_role_and_nothing_at_padding() -> None:
    mean = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = by_role(mean, torch.tensor([[0, 2, 1, 3]]), torch.float32)
    assert found.tolist() == [[[1, 2], [5, 6], [3, 4], [0, 0]]]
