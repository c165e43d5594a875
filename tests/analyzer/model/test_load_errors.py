"""What a model's own code raises becomes one sentence; what says nothing of the checkpoint passes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from analyzer.model.load_errors import in_one_sentence
from analyzer.model.loading import load_judge
from shared.errors import LONGEST, CannotCompute, JudgeError, reason_of
from tests.making.sweep import judge_record, save_small


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such model\nat all"), "no such model"),
        (
            ValueError("Class validation error:\n    ValueError: heads must divide"),
            "Class validation error: ValueError: heads must divide",
        ),
        (ValueError("x" * 1000), "x" * (LONGEST - 3) + "..."),
    ],
)
def test_the_reason_is_the_line_that_says_something(error: Exception, said: str) -> None:
    assert reason_of(error) == said
    with pytest.raises(JudgeError) as caught, in_one_sentence("checkpoint-1", "cannot be run"):
        raise error
    assert str(caught.value) == f"checkpoint-1 cannot be run: {said}"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("rope"), "KeyError: 'rope'"),
        (AssertionError(), "AssertionError"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (TypeError("'NoneType' object is not iterable"), "TypeError: 'NoneType' object is not iterable"),
        (
            AttributeError("'str' object has no attribute 'items'"),
            "AttributeError: 'str' object has no attribute 'items'",
        ),
    ],
)
def test_what_is_said_of_code_comes_with_what_to_do(error: Exception, said: str) -> None:
    with pytest.raises(JudgeError) as caught, in_one_sentence("checkpoint-1", "cannot be run"):
        raise error
    assert str(caught.value) == (
        f"checkpoint-1 cannot be run: the library's own code fails on it ({said}); save it again, or load it with "
        "the library alone."
    )


@pytest.mark.parametrize(
    "error", [CannotCompute("ours"), MemoryError(), torch.OutOfMemoryError("full"), RuntimeError("CUDA error: x")]
)
def test_what_is_no_fault_of_the_model_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, in_one_sentence("checkpoint-1", "cannot be run"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_attention_heads": 5}, "cannot be loaded as a sequence classifier: "),
        ({"model_type": "made-up"}, "cannot be loaded as a sequence classifier: "),
        ({"hidden_act": "made-up"}, "has hidden_act 'made-up', which the installed transformers does not know: "),
    ],
)
def test_a_config_that_transformers_chokes_on(
    tmp_path: Path, changes: dict[str, object], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_small(tmp_path / "checkpoint-1", "bert")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | changes))
    with caplog.at_level(logging.DEBUG, "analyzer"), pytest.raises(JudgeError) as caught:
        load_judge(path, judge_record("classifier"))
    assert str(caught.value).startswith(f"checkpoint-1 {said}")
    assert "\n" not in str(caught.value)
    assert [entry.__dict__.get("event") for entry in caplog.records] == ["unloadable"]


def test_a_config_that_transformers_prints_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It logs the config as an error where a field cannot be set, and raises; only the sentence is ours to say."""
    path = save_small(tmp_path / "checkpoint-1", "bert")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"use_return_dict": True}))
    capfd.readouterr()
    with pytest.raises(JudgeError, match="cannot be loaded as a sequence classifier: the library's own code fails"):
        load_judge(path, judge_record("classifier"))
    assert "BertConfig" not in capfd.readouterr().err


def test_a_kind_of_model_that_transformers_has_no_judge_of(tmp_path: Path) -> None:
    path = save_small(tmp_path / "checkpoint-1", "emu3", "causal")
    with pytest.raises(JudgeError, match=r"has no causal language model of the kind 'emu3\w*': give a"):
        load_judge(path, judge_record("prompted"))


def test_a_model_that_loads_and_does_not_run(tmp_path: Path) -> None:
    path = save_small(tmp_path / "checkpoint-1", "xmod")
    with pytest.raises(JudgeError, match="is a xmod, which cannot be run on a prompt here: Input language unknown"):
        load_judge(path, judge_record("classifier"))


def test_a_feed_forward_in_chunks_is_no_hindrance(tmp_path: Path) -> None:
    path = save_small(tmp_path / "checkpoint-1", "bert", chunk_size_feed_forward=4)
    judge = load_judge(path, judge_record("classifier"))
    assert judge.anatomy.depth == 2 and judge.anatomy.mlp_writes is not None
