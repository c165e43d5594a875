"""What trainer_state.json says, as far as it can be believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.checkpoints.trainer_state import number, planned, trainer_state


@pytest.mark.parametrize("value", [3, 3.0])
def test_numbers(value: object) -> None:
    assert number(value) == 3.0


@pytest.mark.parametrize(
    "value", [True, None, "3", [], float("nan"), float("inf"), -float("inf"), pytest.param(10**400, id="huge")]
)
def test_what_is_no_number(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"num_train_epochs": 3, "max_steps": 40}, (3.0, 40)),
        ({"num_train_epochs": 0.5, "max_steps": 1}, (0.5, 1)),
        ({"num_train_epochs": 0, "max_steps": 0}, (None, None)),
        ({"num_train_epochs": -1, "max_steps": -1}, (None, None)),
        ({"num_train_epochs": "3", "max_steps": 40.0}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_how_long_the_training_is_to_be(said: dict, expected: tuple) -> None:
    """A Trainer that is given no number of steps writes -1 or 0 for it."""
    assert planned(said) == expected


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert trainer_state(tmp_path) == {}
    for text in ("{", "[]"):
        (tmp_path / "trainer_state.json").write_text(text)
        assert trainer_state(tmp_path) == {}
    (tmp_path / "trainer_state.json").write_text(json.dumps({"global_step": 3}))
    assert trainer_state(tmp_path) == {"global_step": 3}
