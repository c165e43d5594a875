"""Content digests: what changes them, what does not, and which tensors they say were trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.checkpoints.digest import ContentDigest, changed_tensors, compute_digest, other_digests, read_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.soundness import validate
from shared.errors import CheckpointRejected

DRAW = np.random.default_rng(0)
TENSORS = {name: DRAW.standard_normal((32, 16)).astype(np.float32) for name in ("emb", "layer0", "layer1", "head")}


def make(path: Path, tensors: dict[str, np.ndarray] = TENSORS, config: str = "{}") -> Path:
    path.mkdir()
    (path / "config.json").write_text(config)
    (path / "tokenizer.json").write_text("{}")
    (path / "trainer_state.json").write_text(path.name)
    save_file(tensors, path / "model.safetensors")
    return path


def digest(path: Path, cache: Path) -> ContentDigest:
    return compute_digest(path, validate(path), path.name, fingerprint(path), cache)


def test_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    one = make(tmp_path / "checkpoint-1")
    two = tmp_path / "checkpoint-2"
    shutil.copytree(one, two)
    (two / "trainer_state.json").write_text("another step")
    assert digest(one, tmp_path / "cache").digest == digest(two, tmp_path / "cache").digest


@pytest.mark.parametrize("what", ["one bit", "dtype", "shape", "name", "config", "tokenizer", "file"])
def test_anything_that_matters_changes_it(tmp_path: Path, what: str) -> None:
    before = digest(make(tmp_path / "checkpoint-1"), tmp_path / "cache").digest
    tensors = {name: tensor.copy() for name, tensor in TENSORS.items()}
    if what == "one bit":
        tensors["head"].view(np.uint32)[3, 3] ^= 1
    elif what == "dtype":
        tensors["head"] = tensors["head"].view(np.int32)
    elif what == "shape":
        tensors["head"] = tensors["head"].reshape(16, 32)
    elif what == "name":
        tensors["tail"] = tensors.pop("head")
    path = make(tmp_path / "checkpoint-2", tensors, '{"a": 1}' if what == "config" else "{}")
    if what == "tokenizer":
        (path / "tokenizer.json").write_text("[]")
    elif what == "file":
        (path / "chat_template.jinja").write_text("{{ x }}")
    assert digest(path, tmp_path / "cache").digest != before


def test_sharding_does_not_matter_to_the_tensors(tmp_path: Path) -> None:
    import json

    one = make(tmp_path / "checkpoint-1")
    two = make(tmp_path / "checkpoint-2")
    (two / "model.safetensors").unlink()
    save_file({"emb": TENSORS["emb"]}, two / "a.safetensors")
    save_file({name: TENSORS[name] for name in ("layer0", "layer1", "head")}, two / "b.safetensors")
    places = {"emb": "a.safetensors"} | dict.fromkeys(("layer0", "layer1", "head"), "b.safetensors")
    (two / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert digest(one, tmp_path / "cache").digest == digest(two, tmp_path / "cache").digest


def test_the_cache_is_for_exactly_these_files(tmp_path: Path) -> None:
    path, cache = make(tmp_path / "checkpoint-1"), tmp_path / "cache"
    found = digest(path, cache)
    assert read_digest(cache, "checkpoint-1", fingerprint(path)) == found
    (path / "config.json").write_text('{"b": 1}')
    assert read_digest(cache, "checkpoint-1", fingerprint(path)) is None
    (cache / "checkpoint-1.json").write_text("torn")
    assert read_digest(cache, "checkpoint-1", tuple(found.files)) is None


def test_which_tensors_were_trained(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    trained = {"layer1", "head"}
    steps = []
    for step in (1, 2, 3):
        tensors = {name: tensor + (step if name in trained else 0) for name, tensor in TENSORS.items()}
        steps.append(digest(make(tmp_path / f"checkpoint-{step}", tensors), cache))
    others = other_digests(cache, "checkpoint-2")
    assert [other.checkpoint for other in others] == ["checkpoint-1", "checkpoint-3"]
    assert changed_tensors(steps[1], others) == trained
    assert changed_tensors(steps[1], []) is None, "one checkpoint alone says nothing"
    assert changed_tensors(steps[1], [steps[1]]) is None, "and neither does a copy of it"
    other_model = steps[0].model_copy(update={"tensors": {"x": "1"}})
    assert changed_tensors(steps[1], [other_model]) is None


def test_mostly_zeros_never_reached_the_disk(tmp_path: Path) -> None:
    zeros = {name: np.zeros_like(tensor) for name, tensor in TENSORS.items()} | {"head": TENSORS["head"]}
    with pytest.raises(CheckpointRejected, match="mostly zeros") as caught:
        digest(make(tmp_path / "checkpoint-1", zeros), tmp_path / "cache")
    assert caught.value.code == "zero_filled"


def test_some_zeros_are_how_models_start(tmp_path: Path) -> None:
    some = TENSORS | {"bias": np.zeros((32, 16), np.float32)}
    assert digest(make(tmp_path / "checkpoint-1", some), tmp_path / "cache").digest
