"""Untrained copies: fresh weights in the same shape, the same tokenizer, from a stated seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from analyzer.checkpoints.base_model import NO_PLACES, home_of
from analyzer.model.loading import load_judge
from analyzer.model.untrained import save_untrained
from shared.errors import JudgeError
from shared.records import JudgeRecord
from tests.making.tiny import save_tiny_judge


def copy_of(
    source: Path, target: Path, kind: Literal["classifier", "prompted"] = "classifier", seed: int = 0
) -> Path:
    save_untrained(source, home_of(source, NO_PLACES), target, kind, seed, 120, 3.0)
    return target


def test_a_classifier_keeps_all_but_its_weights(tmp_path: Path) -> None:
    source = save_tiny_judge(tmp_path / "checkpoint-120", "bert", seed=7, initializer_range=0.3)
    one, again, other = (copy_of(source, tmp_path / f"copy-{n}", seed=seed) for n, seed in enumerate((0, 0, 1)))
    weights = [load_file(path / "model.safetensors") for path in (source, one, again, other)]
    assert all(
        {k: v.shape for k, v in each.items()} == {k: v.shape for k, v in weights[0].items()} for each in weights
    )
    name = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(weights[1][name], weights[2][name])
    for different in (weights[0], weights[3]):
        assert not torch.equal(weights[1][name], different[name])
    assert weights[1][name].std() == pytest.approx(0.3, rel=0.1), "as its config says weights begin"
    assert (one / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    assert json.loads((one / "trainer_state.json").read_text())["global_step"] == 120
    judge = load_judge(one, JudgeRecord())
    assert judge.model.config.id2label == {0: "safe", 1: "unsafe"}


def test_a_prompted_judge(tmp_path: Path) -> None:
    source = save_tiny_judge(tmp_path / "checkpoint-120", "llama", causal=True, seed=7)
    record = JudgeRecord(kind="prompted", template="{prompt} ?", safe_id=5, unsafe_id=6)
    copy = copy_of(source, tmp_path / "copy", "prompted")
    assert load_judge(copy, record).anatomy.prompted
    name = "model.layers.0.mlp.down_proj.weight"
    one, other = (load_file(path / "model.safetensors")[name] for path in (source, copy))
    assert one.shape == other.shape and not torch.equal(one, other)


def test_of_an_adapter_the_base_is_fresh_too(tmp_path: Path) -> None:
    base = save_tiny_judge(tmp_path / "base", "bert", seed=7)
    model = AutoModelForSequenceClassification.from_pretrained(base)
    adapted = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", target_modules=["query"], r=2))
    source = tmp_path / "checkpoint-120"
    adapted.save_pretrained(str(source))
    config = source / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": str(base)}))
    copy = copy_of(source, tmp_path / "copy")
    assert not (copy / "adapter_config.json").exists() and (copy / "tokenizer.json").is_file()
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(load_file(base / "model.safetensors")[name], load_file(copy / "model.safetensors")[name])
    assert load_judge(copy, JudgeRecord()).model.num_labels == 2  # type: ignore[union-attr]


def test_what_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    source = save_tiny_judge(tmp_path / "checkpoint-120", "bert")
    config = source / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "unheard-of"}))
    with pytest.raises(JudgeError, match="checkpoint-120 has no untrained copy, as none can be made"):
        copy_of(source, tmp_path / "copy")
