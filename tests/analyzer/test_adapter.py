"""PEFT adapters over a local base: scored as the merged model, and refused where something does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from analyzer.adapter import UNTRAINED
from analyzer.judge import load_judge
from analyzer.passes import forward_pass
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord
from tests.analyzer.judges import random_probes
from tests.tiny import save_tiny_judge, tiny_tokenizer

RECORD = JudgeRecord(max_length=40)


def adapter(tmp_path: Path, family: str = "llama", *, trained: bool = True, prompted: bool = False) -> Path:
    """A LoRA checkpoint over a base that lies beside it, as peft saves it."""
    base = save_tiny_judge(tmp_path / "base", family, causal=prompted, initializer_range=0.3)
    auto = AutoModelForCausalLM if prompted else AutoModelForSequenceClassification
    options = {} if prompted else {"num_labels": 2}
    torch.manual_seed(0)
    model = auto.from_pretrained(base, **options)
    head = {} if prompted else {"modules_to_save": ["score"]}
    config = LoraConfig(
        r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM" if prompted else "SEQ_CLS", **head
    )
    wrapped = get_peft_model(model, config)
    for name, parameter in wrapped.named_parameters():
        if trained and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path / "run" / "checkpoint-10"
    wrapped.save_pretrained(path)
    tiny_tokenizer(family).save_pretrained(path)
    wrapped.merge_and_unload().save_pretrained(tmp_path / "merged")
    tiny_tokenizer(family).save_pretrained(tmp_path / "merged")
    return path


@pytest.mark.parametrize("prompted", [False, True])
def test_an_adapter_is_judged_as_the_merged_model(tmp_path: Path, prompted: bool) -> None:
    path = adapter(tmp_path, prompted=prompted)
    record = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, max_length=40) if prompted else RECORD
    probes = random_probes(4)
    judge = load_judge(path, record)
    ours = forward_pass(judge, probes).scores
    assert np.allclose(ours, forward_pass(load_judge(tmp_path / "merged", record), probes).scores, atol=1e-5)
    assert judge.anatomy.wiring is not None and not judge.warnings
    if prompted:
        base = forward_pass(load_judge(tmp_path / "base", record), probes).scores
        assert np.abs(ours - base).max() > 1e-3, "the adapter changes something"


def test_an_adapter_that_changes_nothing_says_so(tmp_path: Path) -> None:
    assert load_judge(adapter(tmp_path, trained=False), RECORD).warnings == (UNTRAINED,)


def test_a_base_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = adapter(tmp_path)
    weights = path / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(key for key in tensors if "layers.1" in key)
    tensors[name.replace("layers.1", "layers.7")] = tensors.pop(name)
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(CheckpointRejected, match="fit nothing in its base model"):
        load_judge(path, RECORD)


def test_a_classifier_without_its_head_is_refused(tmp_path: Path) -> None:
    path = adapter(tmp_path)
    weights = path / "adapter_model.safetensors"
    save_file({k: v for k, v in load_file(weights).items() if "score" not in k}, weights, {"format": "pt"})
    config = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(json.dumps(config | {"modules_to_save": None}))
    base = tmp_path / "base" / "model.safetensors"
    save_file({k: v for k, v in load_file(base).items() if "score" not in k}, base, {"format": "pt"})
    with pytest.raises(CheckpointRejected, match="modules_to_save"):
        load_judge(path, RECORD)
