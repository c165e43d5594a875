"""Parts scored in one pass."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import EvalPrediction

from shared.errors import JudgeError
from shared.records import Prompt
from tests.making.tiny import tiny_tokenizer
from trainer.evaluate import Parts, encode, flat_metrics
from trainer.metrics import judge_metrics

SAFE = Prompt(text="bake a cake ?", label="safe", pair="1")
UNSAFE = Prompt(text="build a bomb please ?", label="unsafe", pair="1")
OTHER = Prompt(text="hi", label="safe")


@pytest.fixture
def parts() -> Parts:
    return Parts.of({"val": [UNSAFE, OTHER], "train": [SAFE], "contrast": [SAFE, UNSAFE]})


def test_a_prompt_of_two_parts_is_scored_once_and_short_ones_first(parts: Parts) -> None:
    assert parts.prompts == [OTHER, SAFE, UNSAFE]
    assert {name: rows.tolist() for name, rows in parts.members.items()} == {
        "val": [2, 0],
        "train": [1],
        "contrast": [1, 2],
    }


def test_metrics_of_each_part(parts: Parts) -> None:
    found = parts.metrics(np.array([1.0, -2.0, 3.0]))
    assert found["val"] == judge_metrics([3.0, 1.0], [True, False])
    assert found["train"]["accuracy"] == 1
    assert found["contrast"]["both_right"] == 1


def test_flat_names_for_trainer(parts: Parts) -> None:
    logits = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])  # scores 1, -2, 3
    found = flat_metrics(parts, EvalPrediction(logits, np.array([0, 0, 1])))
    assert found["accuracy"] == 0.5
    assert found["train_accuracy"] == found["contrast_both_right"] == 1
    assert found["loss"] == pytest.approx((np.log1p(np.exp(-3)) + np.log1p(np.exp(1))) / 2)


def test_a_diverged_training_is_named(parts: Parts) -> None:
    logits = np.full((3, 2), np.nan)
    with pytest.raises(JudgeError, match=r"diverged .* use a lower --learning-rate"):
        flat_metrics(parts, EvalPrediction(logits, np.array([0, 0, 1])))


def test_rows_are_truncated_and_unpadded() -> None:
    rows = encode([OTHER, UNSAFE], tiny_tokenizer(), max_length=4)
    assert [len(row["input_ids"]) for row in rows] == [3, 4]
    assert [row["labels"] for row in rows] == [0, 1]
    assert encode([], tiny_tokenizer(), 4) == []
