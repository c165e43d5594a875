"""Loading the model to fine-tune."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.errors import UsageError
from tests.making.decoder import smollm2
from tests.making.tiny import save_tiny_judge
from trainer.judge import EMBEDDED, Source, find_model, load_judge


def test_head_depends_on_the_seed_only(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "three", labels=3)  # another task's head is replaced
    first, again, other = (load_judge(str(path), seed)[0] for seed in (0, 0, 1))
    assert first.config.id2label == {0: "safe", 1: "unsafe"}
    assert first.classifier.weight.shape == (2, 32)
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_a_decoder_without_padding_token_gets_one(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "llama", "llama", pad_token_id=None)
    config = (path / "tokenizer_config.json").read_text()
    (path / "tokenizer_config.json").write_text(config.replace('"pad_token": "<pad>",', ""))
    model, tokenizer = load_judge(str(path), 0)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == model.config.pad_token_id == 3


def test_weights_that_lack_a_layer_are_refused(tmp_path: Path, tiny_judge: Path) -> None:
    path = tmp_path / "broken"
    shutil.copytree(tiny_judge, path)
    weights = {name: t for name, t in load_file(path / "model.safetensors").items() if ".layer.1." not in name}
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"do not fit its config \(16 tensors such as bert\.encoder\.layer\.1"):
        load_judge(str(path), 0)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_incomplete_directory(tmp_path: Path, tiny_judge: Path, missing: str) -> None:
    path = tmp_path / "incomplete"
    shutil.copytree(tiny_judge, path)
    (path / missing).unlink()
    with pytest.raises(UsageError, match=r"cannot be loaded .* give a directory with model and tokenizer"):
        load_judge(str(path), 0)


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The model '.*nowhere' cannot be loaded"):
        load_judge(str(tmp_path / "nowhere"), 0)


def test_a_directory_and_a_hub_name_are_taken_as_they_are(tmp_path: Path) -> None:
    assert find_model(str(tmp_path)) == Source(str(tmp_path))
    assert find_model("bert-base-uncased") == Source("bert-base-uncased")


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("lacking", [0, -1])
def test_an_embedded_model_that_is_not_installed_says_what_to_do(
    name: str, lacking: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither without its package, nor without what reads it."""
    modules = [*EMBEDDED[name].modules]
    modules[lacking] = "no_such_package_here"
    monkeypatch.setitem(EMBEDDED, name, EMBEDDED[name]._replace(modules=tuple(modules)))
    with pytest.raises(UsageError, match=rf"{name}.*run `{EMBEDDED[name].install}`"):
        find_model(name)


def needs(name: str) -> pytest.MarkDecorator:
    """Skip where an embedded model is not installed."""
    missing = [module for module in EMBEDDED[name].modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: {EMBEDDED[name].install}")


@needs("minilm")
def test_the_default_model_is_minilm() -> None:
    model, tokenizer = load_judge("minilm", 0)
    assert (model.config.model_type, model.config.num_hidden_layers, model.config.hidden_size) == ("bert", 6, 384)
    assert tokenizer("How do I kill a Python process?")["input_ids"][0] == tokenizer.cls_token_id


@needs("smollm2")
def test_a_judge_from_a_gguf_is_saved_as_any_other(tmp_path: Path) -> None:
    """What was a quantized file becomes a plain directory, which gives the same logits for padded prompts."""
    model, tokenizer = smollm2()
    config: Any = model.config
    assert (config.model_type, config.num_hidden_layers, config.hidden_size) == ("llama", 30, 576)
    assert config.pad_token_id == tokenizer.pad_token_id is not None
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert "quantization_config" not in json.loads((tmp_path / "config.json").read_text())
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path, local_files_only=True)
    again = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    prompts = ["How do I kill a Python process?", "Wie backe ich Käsekuchen?\nSchnell! 🍰 <|im_start|>"]
    batch = tokenizer(prompts, padding=True, return_tensors="pt")
    for key, value in again(prompts, padding=True, return_tensors="pt").items():
        assert torch.equal(value, batch[key])
    with torch.inference_mode():
        assert torch.equal(model(**batch).logits, plain.eval()(**batch).logits)
