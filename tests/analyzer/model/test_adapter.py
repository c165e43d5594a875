"""PEFT adapters over a local base: scored as the merged model, and refused where something does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from analyzer.checkpoints.digest import ContentDigest, changed_tensors, compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.soundness import validate
from analyzer.model.adapter import UNTRAINED
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import forward_pass, record
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.session.frozen_layers import frozen_boundary
from analyzer.session.frozen_prefix import FrozenPrefix, PrefixStore
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord
from tests.analyzer.session.test_frozen_prefix import assert_equal, layers_run, prompts_through
from tests.making.judges import random_probes
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

RECORD = JudgeRecord(max_length=40)
EMBEDDINGS_TOO = pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers` to `True`:UserWarning")
"""PEFT says that it saves them along."""


def adapter(
    tmp_path: Path,
    family: str = "llama",
    *,
    trained: bool = True,
    prompted: bool = False,
    layers: int = 2,
    **more: Any,
) -> Path:
    """A LoRA checkpoint over a base that lies beside it, as peft saves it; `more` overrides its config."""
    base = save_tiny_judge(tmp_path / "base", family, causal=prompted, layers=layers, initializer_range=0.3)
    auto = AutoModelForCausalLM if prompted else AutoModelForSequenceClassification
    torch.manual_seed(0)
    model = auto.from_pretrained(base, **({} if prompted else {"num_labels": 2}))
    options: dict[str, Any] = {"r": 2, "target_modules": ["q_proj", "down_proj"]}
    options |= {"task_type": "CAUSAL_LM"} if prompted else {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}
    config = LoraConfig(**options | more)
    wrapped: Any = get_peft_model(model, config)
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


def trained_on(first: Path, step: int, *parts: str) -> Path:
    """A later checkpoint of the run: the adapter's tensors whose names hold one of `parts` have moved."""
    path = first.with_name(f"checkpoint-{step}")
    shutil.copytree(first, path)
    weights = path / "adapter_model.safetensors"
    noise = torch.Generator().manual_seed(step)
    tensors = load_file(weights)
    moved = {name for name in tensors if any(part in name for part in parts)}
    assert moved
    for name in moved:
        tensors[name] += 0.1 * torch.randn(tensors[name].shape, generator=noise)
    save_file(tensors, weights, {"format": "pt"})
    return path


def digest(path: Path) -> ContentDigest:
    return compute_digest(path, validate(path), path.name, fingerprint(path), path.parent / "digests")


def boundary(one: Path, *others: Path, record: JudgeRecord = RECORD) -> tuple[int, bool] | None:
    """What the bytes of these checkpoints say of the layers that train."""
    found = digest(one)
    changed = changed_tensors(found, [digest(other) for other in others])
    return None if changed is None else frozen_boundary(changed, found.tensors, load_judge(one, record))


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (["layers.1.", "layers.2.", "score"], (1, True)),
        (["layers.2.self_attn"], (2, True)),
        (["layers.0.mlp", "layers.2."], (0, True)),
        (["score"], (3, True)),
    ],
)
def test_bytes_of_adapters_tell_which_layers_train(
    tmp_path: Path, parts: list[str], wanted: tuple[int, bool]
) -> None:
    first = adapter(tmp_path, layers=3)
    assert boundary(first) is None, "one checkpoint alone says nothing"
    assert boundary(trained_on(first, 20, *parts), first) == wanted


def test_layers_without_an_adapter_are_the_base_s(tmp_path: Path) -> None:
    first = adapter(tmp_path, layers=3, layers_to_transform=[1, 2], layers_pattern="layers")
    assert boundary(trained_on(first, 20, "lora_B"), first) == (1, True)


@EMBEDDINGS_TOO
def test_an_adapter_of_the_embeddings_unfreezes_them(tmp_path: Path) -> None:
    first = adapter(tmp_path, target_modules=["embed_tokens", "q_proj"])
    assert boundary(trained_on(first, 20, "embed_tokens.lora_embedding_B"), first) == (2, False)
    assert boundary(trained_on(first, 30, "layers.1."), first) == (1, True)


@EMBEDDINGS_TOO
@pytest.mark.filterwarnings("ignore:Model (with|has) `tie_word_embeddings=True`:UserWarning")
@pytest.mark.parametrize("family", ["gemma", "llama"])
def test_an_adapter_of_an_unembedding_leaves_the_embedding_alone(tmp_path: Path, family: str) -> None:
    """Also where the two are one tensor (Gemma): unmerged, PEFT changes what is said and not what is read."""
    record = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, max_length=40)
    first = adapter(tmp_path, family, prompted=True, target_modules=["lm_head", "q_proj"])
    second = trained_on(first, 20, "lm_head.lora_B")
    assert boundary(second, first, record=record) == (2, True)
    one, two = (load_judge(path, record).model.get_input_embeddings().weight for path in (first, second))
    assert torch.equal(torch.as_tensor(one), torch.as_tensor(two))


def test_another_base_or_another_scale_is_another_run(tmp_path: Path) -> None:
    first = adapter(tmp_path)
    second = trained_on(first, 20, "layers.1.")
    config = json.loads((second / "adapter_config.json").read_text())
    (second / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 99}))
    assert boundary(second, first) is None
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "base", moved)
    (second / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(moved)}))
    assert boundary(second, first) is None


def test_the_prefix_of_adapters(tmp_path: Path) -> None:
    """Layers below what the adapter trains are computed once; another base or scale begins anew."""
    first = adapter(tmp_path, layers=3)
    second = trained_on(first, 20, "layers.2.", "score")
    config = json.loads((second / "adapter_config.json").read_text())
    rescaled = trained_on(second, 30, "score")
    (rescaled / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 99}))
    other = trained_on(second, 40, "score")
    base = save_tiny_judge(tmp_path / "other", "llama", layers=3, seed=1)
    (other / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(base)}))
    lower = trained_on(second, 50, "layers.1.")
    store = PrefixStore()
    whole = 2 * 4
    for path, through in (
        (first, [whole] * 3),
        (second, [1, 1, 1 + whole]),  # one prompt is checked
        (rescaled, [whole] * 3),
        (other, [whole] * 3),
        (lower, [whole] * 3),
    ):
        judge = load_judge(path, RECORD)
        with layers_run(judge) as seen:
            found = passed(judge, FrozenPrefix(store, digest(path), 2))
        assert_equal(found, passed(judge, None))
        assert prompts_through(seen) == through, path.name


def passed(judge: Judge, prefix: FrozenPrefix | None) -> Any:
    """The forward pass over some prompts, with everything that is recorded."""
    encoded = encode(judge.tokenizer, [probe.text for probe in random_probes(4)], judge.max_length, judge.template)
    if prefix is None:
        return record(judge, encoded, 100, means=True)
    return prefix.record(judge, encoded, 100, means=True)
