"""An adapter's settings are refused before PEFT believes them."""

from __future__ import annotations

from typing import Any

import pytest
from peft import PeftType

from analyzer.checkpoints.adapter_settings import MERGED, NOT_MERGED, check_settings
from shared.errors import CheckpointRejected

LORA = {"peft_type": "LORA"}
UNSLOTH = (
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|mlp).*?(?:k_proj).*?)"
    r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:mlp)\.(?:up_proj))"
)


@pytest.mark.parametrize(
    "given",
    [
        {"target_modules": "(a+)+$"},
        {"exclude_modules": "(([a-z_.0-9]+)+)+!"},
        {"modules_to_save": ["score", "(a+)+$"]},
        {"rank_pattern": {"(a+)+$": 4}},
        {"target_modules": "(a|a)+$"},
        {"target_modules": "(a{1,50}){1,50}$"},
        {"alpha_pattern": {"((": 4}},
        {"layers_pattern": ["(a*)*"]},
        {"layers_pattern": "(a*)*"},
        {"target_modules": "a" * 5000},
        {"modules_to_save": [None]},
    ],
)
def test_a_pattern_that_would_hold_the_worker_is_refused(given: dict[str, Any]) -> None:
    (field,) = given
    with pytest.raises(
        CheckpointRejected, match=f"^checkpoint-5/adapter_config.json has a pattern in {field} that"
    ):
        check_settings(given | LORA, "checkpoint-5")


@pytest.mark.parametrize("rank", [10**9, 10**30, -1, "two", 2.5, [2], True])
def test_a_rank_is_a_rank(rank: Any) -> None:
    for given in ({"r": rank}, {"rank_pattern": {"q_proj": rank}}):
        with pytest.raises(CheckpointRejected, match="a rank is a whole number"):
            check_settings(given | LORA, "checkpoint-5")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"peft_type": None}, "does not say what kind of adapter it is"),
        ({"peft_type": "FLORA"}, "is of a kind of adapter that is not known here ('FLORA'); train"),
        ({"peft_type": 3}, "has peft_type '3', where a kind of adapter is wanted"),
        ({"modules_to_save": "score"}, "has modules_to_save 'score', where a list of names of modules is wanted"),
        ({"target_modules": {"q_proj": 1}}, "where names of modules or a pattern is wanted"),
        ({"rank_pattern": [4]}, "where a table of ranks is wanted"),
        ({"lora_alpha": "16"}, "has lora_alpha '16', where a number is wanted"),
        ({"task_type": ["SEQ_CLS"]}, "where a task is wanted"),
    ],
)
def test_settings_of_another_type(given: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointRejected) as refused:
        check_settings(LORA | given, "checkpoint-5")
    assert str(refused.value).startswith("checkpoint-5/adapter_config.json ") and said in str(refused.value)


def test_every_kind_that_peft_knows_is_known_here() -> None:
    """One that comes new is tried (tests/analyzer/model/test_adapter_kinds.py) before it is called known."""
    assert {kind.value for kind in PeftType} <= {*MERGED, *NOT_MERGED}


def test_what_cannot_be_merged_is_refused_with_the_way_out() -> None:
    with pytest.raises(CheckpointRejected, match=r"PREFIX_TUNING adapter, which .* cannot be merged; train"):
        check_settings({"peft_type": "PREFIX_TUNING"}, "checkpoint-5")
    with pytest.raises(CheckpointRejected, match="path_initial_model_for_weight_conversion"):
        check_settings(LORA | {"init_lora_weights": "pissa_niter_16"}, "checkpoint-5")


def test_a_name_of_a_module_to_import_is_refused() -> None:
    given = LORA | {"megatron_config": {"a": 1}, "megatron_core": "megatron.core.evil"}
    with pytest.raises(CheckpointRejected, match="names a module to import"):
        check_settings(given, "checkpoint-5")
    check_settings(LORA | {"megatron_config": None, "megatron_core": "megatron.core"}, "checkpoint-5")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"peft_type": "LORA", "r": 8, "target_modules": "all-linear", "modules_to_save": ["score", "classifier"]},
        {"target_modules": UNSLOTH},
        {"target_modules": r".*\.(q|v)_proj$", "init_lora_weights": "pissa"},
        {"target_modules": ["q_proj"], "rank_pattern": {r"^model\.layers\.\d+\.self_attn": 16}},
        {"r": 0, "peft_type": "OFT", "rank_pattern": None, "modules_to_save": None},
    ],
)
def test_what_people_train_passes(given: dict[str, Any]) -> None:
    check_settings(LORA | given, "checkpoint-5")
