"""Which weights are the same, told from bytes; what their activations are held to is in `test_order_of_arrival`."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.checkpoints.digest import BASE, ContentDigest
from analyzer.evolution.frozen_check import first_changed, largest_difference, same_layers
from analyzer.session.frozen_layers import weights_by_place
from tests.making.judges import tiny_judge

LAYER = "bert.encoder.layer.{}.output.dense.weight"
NAMES = ["bert.embeddings.word_embeddings.weight", LAYER.format(0), LAYER.format(1), "classifier.weight"]


def weights(base: str = "", **other: str) -> np.ndarray:
    """Digests by place, of a checkpoint where each tensor is named after itself unless told otherwise."""
    tensors = {name: other.get(f"at{place}", name) for place, name in enumerate(NAMES)}
    others = {BASE: base} if base else {}
    digest = ContentDigest(checkpoint="checkpoint-1", files=[], digest="", tensors=tensors, others=others)
    return weights_by_place(digest, tiny_judge("bert"))


@pytest.mark.parametrize("place", range(4))
def test_a_change_is_told_where_it_is(place: int) -> None:
    one, other = weights(), weights(**{f"at{place}": "another"})
    assert one.shape == (4, 32) and one.dtype == np.uint8
    assert (one != other).any(1).tolist() == [row == place for row in range(4)]
    assert same_layers(one, other) == (None, 0, 1, 2)[place]
    assert first_changed(one, other) == (2, 0, 1, 2)[place]


def test_the_same_and_another_base_model() -> None:
    assert np.array_equal(weights(), weights())
    assert same_layers(weights(), weights()) == 2
    assert same_layers(weights(), weights(base="b")) is None, "an adapter's own tensors are not all there is"
    assert same_layers(weights(), weights()[:2]) is None and same_layers(weights()[:2], weights()[:2]) is None


def test_the_largest_difference_is_relative() -> None:
    assert largest_difference(np.array([[1.0, 2.2]]), np.array([[1.0, 2.0]])) == pytest.approx(0.1)
