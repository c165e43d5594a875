"""The base of a run's adapters is read once: a later adapter in it is, bit for bit, what a fresh load gives."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LNTuningConfig, LoraConfig, PeftModel, VeraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from analyzer.model import loading
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

PROMPTED = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, max_length=40)
QUIET = pytest.mark.filterwarnings(
    "ignore:Setting `save_embedding_layers` to `True`:UserWarning",
    "ignore:Unsupported layer type:UserWarning",  # of norms, which it does adapt
    "ignore:Model (with|has) `tie_word_embeddings=True`:UserWarning",
)
KINDS: dict[str, Any] = {
    "lora": LoraConfig(target_modules=["q_proj", "down_proj"], modules_to_save=["score"]),
    "dora": LoraConfig(target_modules=["q_proj", "v_proj"], use_dora=True, modules_to_save=["score"]),
    "bias": LoraConfig(target_modules=["query"], bias="all", modules_to_save=["classifier"]),
    "embeddings": LoraConfig(target_modules=["embed_tokens", "q_proj"], modules_to_save=["score"]),
    "norms": LNTuningConfig(target_modules=["norm"], modules_to_save=["score"]),
    "ia3": IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], modules_to_save=["score"]
    ),
    "vera": VeraConfig(target_modules=["q_proj", "v_proj"], modules_to_save=["score"], r=4),
    "pissa": LoraConfig(target_modules=["q_proj"], init_lora_weights="pissa", modules_to_save=["score"]),
    "olora": LoraConfig(target_modules=["q_proj"], init_lora_weights="olora", modules_to_save=["score"]),
    "repeated": LoraConfig(
        target_modules=["q_proj"], layer_replication=[[0, 2], [0, 2]], modules_to_save=["score"]
    ),
}


def two_adapters(tmp_path: Path, family: str, config: Any, *, prompted: bool = False) -> list[Path]:
    """Two checkpoints of one run: the same base, other values in each tensor of the adapter."""
    base = save_tiny_judge(tmp_path / "base", family, causal=prompted, initializer_range=0.3)
    auto = AutoModelForCausalLM if prompted else AutoModelForSequenceClassification
    config = copy.deepcopy(config)
    config.task_type = "CAUSAL_LM" if prompted else "SEQ_CLS"
    wrapped: Any = get_peft_model(auto.from_pretrained(base), config)
    paths = [tmp_path / "run" / f"checkpoint-{step}" for step in (10, 20)]
    for seed, path in enumerate(paths):
        wrapped.save_pretrained(path)
        tiny_tokenizer(family).save_pretrained(path)
        noise = torch.Generator().manual_seed(seed)
        tensors = load_file(path / "adapter_model.safetensors")
        moved = {
            name: tensor + 0.2 * torch.randn(tensor.shape, generator=noise) for name, tensor in tensors.items()
        }
        for name in moved:  # with bias="all" PEFT saves a head's bias twice
            moved[name] = moved.get(name.replace("modules_to_save.", ""), moved[name]).clone()
        save_file(moved, path / "adapter_model.safetensors", {"format": "pt"})
    return paths


def assert_same_weights(one: Judge, other: Judge) -> None:
    ours, wanted = one.model.state_dict(), other.model.state_dict()
    assert ours.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(ours[name], wanted[name])] == []


@QUIET
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_later_adapter_in_the_kept_base_is_a_fresh_load(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_adapters(tmp_path, "bert" if kind == "bias" else "llama", KINDS[kind])
    record = JudgeRecord(max_length=40)
    fresh = [load_judge(path, record) for path in (first, second)]
    warm = load_judge(first, record)
    monkeypatch.setattr(loading, "_load", None)  # nothing is loaded anew from here on
    later = load_judge(second, record, warm=warm)
    assert_same_weights(later, fresh[1])
    assert any(not torch.equal(a, b) for a, b in zip(*(j.model.state_dict().values() for j in fresh), strict=True))
    back = load_judge(first, record, warm=later)
    assert_same_weights(back, fresh[0])


@QUIET
@pytest.mark.parametrize("target", ["embed_tokens", "lm_head", "layers"])
def test_what_shares_a_tensor_with_an_adapted_layer_is_not_adapted(tmp_path: Path, target: str) -> None:
    """As PEFT runs the adapter that was trained: tied embeddings, and layers that are repeated."""
    config = LoraConfig(target_modules=[target])
    if target == "layers":
        config = LoraConfig(target_modules=["q_proj"], layer_replication=[[0, 2], [0, 2]])
    family = "llama" if target == "layers" else "gemma"
    first, second = two_adapters(tmp_path, family, config, prompted=True)
    ids = torch.arange(5, 20)[None]
    warm = load_judge(second, PROMPTED, warm=load_judge(first, PROMPTED))
    wrapped: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), str(second))
    with torch.no_grad():
        wanted = wrapped.eval()(input_ids=ids).logits
        assert torch.allclose(warm.model(input_ids=ids).logits, wanted, atol=1e-4)


@QUIET
def test_of_a_tied_unembedding_too(tmp_path: Path) -> None:
    """Which the adapter changes, and not the embeddings that it was tied to."""
    config = LoraConfig(target_modules=["lm_head", "q_proj"])
    first, second = two_adapters(tmp_path, "gemma", config, prompted=True)
    later = load_judge(second, PROMPTED, warm=load_judge(first, PROMPTED))
    assert_same_weights(later, load_judge(second, PROMPTED))
    assert later.model.get_output_embeddings().weight is not later.model.get_input_embeddings().weight


def test_another_config_or_base_is_loaded_anew(tmp_path: Path) -> None:
    first, second = two_adapters(tmp_path, "llama", KINDS["lora"])
    warm = load_judge(first, JudgeRecord(max_length=40))
    text = (second / "adapter_config.json").read_text()
    (second / "adapter_config.json").write_text(text.replace('"lora_alpha": 8', '"lora_alpha": 16'))
    later = load_judge(second, JudgeRecord(max_length=40), warm=warm)
    assert later.base is not warm.base
    assert_same_weights(later, load_judge(second, JudgeRecord(max_length=40)))
    base = save_tiny_judge(tmp_path / "other", "llama", seed=5, initializer_range=0.3)
    shutil.copyfile(base / "model.safetensors", tmp_path / "base" / "model.safetensors")
    assert load_judge(second, JudgeRecord(max_length=40), warm=later).base is not later.base


def test_one_that_does_not_fit_the_kept_base_is_refused(tmp_path: Path) -> None:
    first, second = two_adapters(tmp_path, "llama", KINDS["lora"])
    warm = load_judge(first, JudgeRecord(max_length=40))
    weights = second / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(key for key in tensors if "layers.1" in key)
    tensors[name.replace("layers.1", "layers.7")] = tensors.pop(name)
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(CheckpointRejected, match="fit nothing in its base model"):
        load_judge(second, JudgeRecord(max_length=40), warm=warm)
