"""What is wrong with a checkpoint, by code; and that what transformers saves is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.checkpoints.soundness import validate
from shared.errors import CheckpointRejected


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint-5"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


def shard(path: Path, name: str, *keys: str) -> None:
    save_file({key: np.ones(4, np.float32) for key in keys}, path / name)


def index(path: Path, places: object, total: int | None = None) -> None:
    value = {"weight_map": places} | ({"metadata": {"total_size": total}} if total is not None else {})
    (path / "model.safetensors.index.json").write_text(json.dumps(value))


def code(path: Path) -> str:
    with pytest.raises(CheckpointRejected) as caught:
        validate(path)
    assert path.name in str(caught.value)
    assert str(caught.value).endswith(".")
    return caught.value.code


def test_a_single_file(checkpoint: Path) -> None:
    shard(checkpoint, "model.safetensors", "a", "b")
    weights = validate(checkpoint)
    assert weights.files == ["model.safetensors"]
    assert weights.tensors.keys() == {"a", "b"}


def test_shards(checkpoint: Path) -> None:
    shard(checkpoint, "one.safetensors", "a")
    shard(checkpoint, "two.safetensors", "b", "c")
    index(checkpoint, {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}, 48)
    assert validate(checkpoint).files == ["one.safetensors", "two.safetensors"]


@pytest.mark.parametrize("tied", [True, False])
def test_shards_as_transformers_writes_them(tmp_path: Path, tied: bool) -> None:
    from tests.making.tiny import tiny_causal_lm

    model = tiny_causal_lm("llama", tie_word_embeddings=tied)
    model.save_pretrained(tmp_path / "checkpoint-5", max_shard_size="20KB")
    weights = validate(tmp_path / "checkpoint-5")
    assert len(weights.files) > 1
    assert weights.tensors.keys() == model.state_dict().keys() - ({"lm_head.weight"} if tied else set())


@pytest.mark.parametrize(
    ("places", "total", "expected"),
    [
        ({"a": "one.safetensors", "b": "gone.safetensors"}, None, "missing_shard"),
        ({"a": "one.safetensors"}, 17, "index_mismatch"),
        ({"a": "one.safetensors"}, 15, "index_mismatch"),
        ({"a": "one.safetensors", "x": "one.safetensors"}, None, "index_mismatch"),
        ({"x": "one.safetensors"}, None, "index_mismatch"),
        ({"a": "../one.safetensors"}, None, "unsafe_name"),
        ({"a": "/etc/passwd"}, None, "unsafe_name"),
        ({"a": "one.bin"}, None, "unsafe_name"),
        ({"a": 3}, None, "unsafe_name"),
        ({"a": ".hidden.safetensors"}, None, "unsafe_name"),
        ({}, None, "bad_index"),
        (["a"], None, "bad_index"),
    ],
)
def test_indexes_that_lie(checkpoint: Path, places: object, total: int | None, expected: str) -> None:
    shard(checkpoint, "one.safetensors", "a")
    index(checkpoint, places, total)
    assert code(checkpoint) == expected


def test_one_tensor_in_two_shards(checkpoint: Path) -> None:
    shard(checkpoint, "one.safetensors", "a")
    shard(checkpoint, "two.safetensors", "a", "b")
    index(checkpoint, {"a": "one.safetensors", "b": "two.safetensors"})
    assert code(checkpoint) == "index_mismatch"
    shard(checkpoint, "one.safetensors", "a", "c")
    index(checkpoint, {"a": "two.safetensors", "b": "two.safetensors", "c": "one.safetensors"})
    assert code(checkpoint) == "index_mismatch", "whichever of them the index means"


def test_a_single_file_beside_an_index_is_ambiguous(checkpoint: Path) -> None:
    shard(checkpoint, "model.safetensors", "a")
    index(checkpoint, {"a": "model.safetensors"})
    assert code(checkpoint) == "ambiguous"


def test_pickles_are_refused_and_never_opened(checkpoint: Path) -> None:
    (checkpoint / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    assert code(checkpoint) == "pickle"


def test_optimizer_alone_is_no_weights(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").write_bytes(b"x")
    (checkpoint / "training_args.bin").write_bytes(b"x")
    assert code(checkpoint) == "no_weights"


@pytest.mark.parametrize(("text", "expected"), [(None, "no_config"), ("{", "bad_config"), ("[]", "bad_config")])
def test_configs(checkpoint: Path, text: str | None, expected: str) -> None:
    (checkpoint / "config.json").unlink()
    if text is not None:
        (checkpoint / "config.json").write_text(text)
    shard(checkpoint, "model.safetensors", "a")
    assert code(checkpoint) == expected


def adapter(checkpoint: Path, base: object) -> None:
    (checkpoint / "config.json").unlink()
    (checkpoint / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": base})
    )
    shard(checkpoint, "adapter_model.safetensors", "lora_A")


def test_an_adapter_needs_its_base(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    adapter(checkpoint, "org/base")
    assert code(checkpoint) == "needs_base"
    snapshot = tmp_path / "home" / "hub" / "models--org--base" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(CheckpointRejected, match="no safetensors weights") as refused:
        validate(checkpoint)
    assert refused.value.code == "needs_base"
    shard(snapshot, "model.safetensors", "a")
    assert validate(checkpoint).base == snapshot


def test_an_adapter_with_a_local_base(checkpoint: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    shard(base, "model.safetensors", "a")
    adapter(checkpoint, str(base))
    assert validate(checkpoint).base == base


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda base: (base / "model.safetensors").write_bytes(b"\1" * 100),
            "base/model.safetensors announces a header",
        ),
        (lambda base: index(base, {"a": "../../model.safetensors"}), "names a file '../../model.safetensors'"),
        (lambda base: index(base, {"a": "gone.safetensors"}), "base lacks gone.safetensors"),
        (lambda base: (base / "config.json").write_text("{"), "base/config.json is not valid JSON"),
        (
            lambda base: (base / "config.json").write_text('{"num_labels": 1e12}'),
            "base/config.json says num_labels 1e+12",
        ),
    ],
)
def test_a_damaged_base_is_told_as_such_and_may_be_mended(
    checkpoint: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    shard(base, "model.safetensors", "a")
    adapter(checkpoint, str(base))
    validate(checkpoint)
    damage(base)
    if (base / "model.safetensors.index.json").exists():
        (base / "model.safetensors").unlink()
    with pytest.raises(CheckpointRejected) as refused:
        validate(checkpoint)
    assert refused.value.code == "needs_base"
    sentence = str(refused.value)
    assert sentence.startswith("checkpoint-5 waits for its base model: ") and said in sentence
    assert f"(in {base}); download it again, or give another copy with `midwatch init" in sentence


def test_an_adapter_that_names_no_base(checkpoint: Path) -> None:
    adapter(checkpoint, None)
    assert code(checkpoint) == "bad_config"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        *(({"quantization_config": told}, "quantization_config") for told in ("bitsandbytes", [1], 4, False)),
        ({"id2label": ["safe", "unsafe"]}, "id2label"),
        ({"text_config": "llama"}, "text_config"),
        ({"text_config": {"rope_scaling": "linear"}}, "rope_scaling"),
        ({"architectures": "BertModel"}, "architectures"),
        ({"hidden_act": 3}, "hidden_act"),
    ],
)
def test_fields_are_of_the_type_they_always_have(checkpoint: Path, config: dict[str, object], said: str) -> None:
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointRejected, match=f"^{said} in {checkpoint.name}/config.json is not a"):
        validate(checkpoint)


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 10**9},
        {"num_labels": 10**12},
        {"hidden_size": 10**400},
        {"text_config": {"vocab_size": 10**9}},
        {"intermediate_size": 1e300},
        {"max_position_embeddings": 10**12},
        {"text_config": {"n_positions": 1e9}},
        {"num_local_experts": 10**7},
    ],
)
def test_a_model_that_no_weights_could_fill_is_refused(checkpoint: Path, config: dict[str, object]) -> None:
    """Building it would hold the worker, or take all memory."""
    shard(checkpoint, "model.safetensors", "a")
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointRejected, match="more than its weights can hold"):
        validate(checkpoint)


def test_sizes_of_every_day_pass(checkpoint: Path) -> None:
    shard(checkpoint, "model.safetensors", "a")
    sizes = {"num_hidden_layers": 126, "vocab_size": 901_629, "max_position_embeddings": 10**7, "hidden_size": "x"}
    (checkpoint / "config.json").write_text(json.dumps(sizes))
    assert validate(checkpoint).tensors
