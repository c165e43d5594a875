"""Adapters of other kinds than a plain LoRA, and such as PEFT would choke on, wait for, or pass over."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LNTuningConfig, PeftConfig, RandLoraConfig, ShiraConfig, VeraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from analyzer.checkpoints.soundness import check_serves
from analyzer.model.adapter import UNTRAINED
from analyzer.model.adapter_patterns import check_patterns
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected, JudgeError
from shared.records import JudgeRecord
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

RECORD = JudgeRecord(max_length=40)
PROMPTED = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, max_length=40)
KINDS: dict[str, Callable[..., PeftConfig]] = {
    "IA3": lambda **more: IA3Config(**more, feedforward_modules=["down_proj"]),
    "LN_TUNING": lambda **more: LNTuningConfig(**{**more, "target_modules": ["input_layernorm"]}),
    "RANDLORA": lambda **more: RandLoraConfig(**more, r=2),
    "SHIRA": lambda **more: ShiraConfig(**more, r=2),
    "VERA": lambda **more: VeraConfig(**more, r=2),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_judge(tmp_path_factory.mktemp("a") / "base", "llama", layers=2, initializer_range=0.3)


def adapter(base: Path, path: Path, kind: str, *, trained: bool = True) -> Path:
    """A checkpoint with such an adapter over the base, as peft saves it."""
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    given = {"task_type": "SEQ_CLS", "target_modules": ["q_proj", "down_proj"], "modules_to_save": ["score"]}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what peft says of its own code
        torch.manual_seed(0)
        wrapped: Any = get_peft_model(model, KINDS[kind](**given))
        for name, parameter in wrapped.named_parameters():
            if trained and parameter.requires_grad and "score" not in name:
                parameter.data += 0.1 * torch.randn(parameter.shape)
        wrapped.save_pretrained(path)
    tiny_tokenizer("llama").save_pretrained(path)
    return path


def told(path: Path, changes: dict[str, Any]) -> Path:
    """The adapter with other settings."""
    file = path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return path


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_only_an_adapter_that_changes_nothing_is_called_untrained(
    base: Path, tmp_path: Path, kind: str, trained: bool
) -> None:
    judge = load_judge(adapter(base, tmp_path / "checkpoint-1", kind, trained=trained), RECORD)
    assert judge.warnings == (() if trained else (UNTRAINED,))


@pytest.mark.parametrize(
    ("task", "record", "said"),
    [
        ("CAUSAL_LM", RECORD, "is a CAUSAL_LM adapter, and the run's classifier judge is a sequence classifier"),
        ("SEQ_CLS", PROMPTED, "is a SEQ_CLS adapter, and the run's prompted judge is a causal language model"),
        ("TOKEN_CLS", RECORD, "is a TOKEN_CLS adapter, and a judge is a sequence classifier"),
        ("QUESTION_ANS", PROMPTED, "is a QUESTION_ANS adapter, and a judge is a sequence classifier"),
    ],
)
def test_an_adapter_of_another_task_is_refused_by_its_files_and_when_loaded(
    base: Path, tmp_path: Path, task: str, record: JudgeRecord, said: str
) -> None:
    path = told(adapter(base, tmp_path / "checkpoint-1", "IA3"), {"task_type": task})
    for refuse in (lambda: check_serves(path, record.kind), lambda: load_judge(path, record)):
        with pytest.raises(CheckpointRejected, match=f"^checkpoint-1 {said}") as refused:
            refuse()
        assert refused.value.code == "no_judge"


@pytest.mark.parametrize("changes", [{"task_type": "GUESSING"}, {"feedforward_modules": ["up_proj"]}])
def test_what_peft_chokes_on_is_one_sentence(base: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    path = told(adapter(base, tmp_path / "checkpoint-1", "IA3"), changes)
    with pytest.raises(JudgeError, match=r"^checkpoint-1 cannot be put on its base model by PEFT: ") as refused:
        load_judge(path, RECORD)
    assert "\n" not in str(refused.value)


def test_settings_that_peft_passes_over_are_told_and_its_warnings_are_not(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    path = told(adapter(base, tmp_path / "checkpoint-1", "IA3"), {"new_way": True, "old_way": None})
    with caplog.at_level(logging.DEBUG, "analyzer"):
        (said,) = load_judge(path, RECORD).warnings
    assert "does not know what adapter_config.json says of new_way, and leaves it out" in said
    assert not recwarn.list
    heard = [each.getMessage() for each in caplog.records if each.__dict__.get("event") == "library_said"]
    assert any("new_way" in each and "\n" not in each for each in heard)


@pytest.mark.parametrize("pattern", [r"(\w?\w?)+!", ".*.*.*.*.*.*.*.*.*.*.*.*!", "(.?){40}!"])
def test_a_pattern_that_takes_for_ever_is_given_up(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"target_modules": pattern}))
    with pytest.raises(CheckpointRejected, match="has a pattern in target_modules that takes for ever on"):
        check_patterns(tmp_path, ["base_model.model.layers.11.self_attention.q_projection.default"], limit_s=0.05)
    check_patterns(tmp_path, ["short"], limit_s=5)


def test_a_damaged_base_is_not_called_the_checkpoint(base: Path, tmp_path: Path) -> None:
    path = adapter(base, tmp_path / "checkpoint-1", "IA3")
    broken = tmp_path / "other-base"
    broken.mkdir()
    for file in base.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointRejected, match=r"^other-base: its safetensors file is damaged"):
        load_judge(path, RECORD, base=broken)


def test_a_seam_of_the_head_is_no_update(base: Path, tmp_path: Path) -> None:
    """A head that is saved whole differs from the base's, which had none; the updates are zero all the same."""
    path = adapter(base, tmp_path / "checkpoint-1", "VERA", trained=False)
    weights = path / "adapter_model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor + ("score" in name) for name, tensor in tensors.items()}, weights, {"format": "pt"})
    assert load_judge(path, RECORD).warnings == (UNTRAINED,)
