"""Content digests: what changes them, what does not, and which tensors they say were trained."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import analyzer.checkpoints.digest as digest_module
from analyzer.checkpoints.base_model import base_digest
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
        tensors["head"] = tensors["head"].view(np.float16)
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
    others = list(other_digests(cache, "checkpoint-2"))
    assert [other.checkpoint for other in others] == ["checkpoint-1", "checkpoint-3"]
    assert changed_tensors(steps[1], others) == trained
    assert changed_tensors(steps[1], []) is None, "one checkpoint alone says nothing"
    assert changed_tensors(steps[1], [steps[1]]) is None, "and neither does a copy of it"
    other_model = steps[0].model_copy(update={"tensors": {"x": "1"}})
    assert changed_tensors(steps[1], [other_model]) is None


def test_trained_is_what_differs_from_any_other_checkpoint(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    changes = ({}, {"head": 1.0}, {"head": 1.0, "layer1": 1.0})
    made = [{name: tensor + change.get(name, 0) for name, tensor in TENSORS.items()} for change in changes]
    one, two, three = [digest(make(tmp_path / f"checkpoint-{n}", each), cache) for n, each in enumerate(made, 1)]
    assert changed_tensors(two, [one, three]) == {"head", "layer1"}
    assert changed_tensors(two, [one]) == {"head"}


def adapter(path: Path, base: Path, scale: float = 1.0) -> Path:
    """As PEFT begins: the one matrix random, the other zero."""
    path.mkdir()
    (path / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)})
    )
    tensors = {"lora_A": scale * TENSORS["emb"], "lora_B": np.zeros((64, 16), np.float32)}
    save_file(tensors, path / "adapter_model.safetensors")
    return path


def test_an_adapter_begins_with_zeros_and_is_of_its_base(tmp_path: Path) -> None:
    cache, base, other = tmp_path / "cache", make(tmp_path / "base"), make(tmp_path / "other")
    one = digest(adapter(tmp_path / "checkpoint-1", base), cache)
    same = digest(adapter(tmp_path / "checkpoint-2", base), cache)
    assert one.digest == same.digest
    later = digest(adapter(tmp_path / "checkpoint-3", base, 2.0), cache)
    assert changed_tensors(later, [one]) == {"lora_A"}
    elsewhere = digest(adapter(tmp_path / "checkpoint-4", other), cache)
    assert elsewhere.digest != one.digest
    assert changed_tensors(elsewhere, [later]) is None, "over another base nothing can be compared"
    (base / "config.json").write_text('{"a": 1}')
    retrained = digest(adapter(tmp_path / "checkpoint-5", base), cache)
    assert retrained.digest != one.digest
    assert changed_tensors(retrained, [later]) is None


def test_what_is_known_of_an_adapter_holds_for_its_base_as_it_was(tmp_path: Path) -> None:
    cache, base = tmp_path / "cache", make(tmp_path / "base")
    path = adapter(tmp_path / "checkpoint-1", base)
    known, before = digest(path, cache), base_digest(base)
    assert read_digest(cache, path.name, fingerprint(path), before) == known
    make(tmp_path / "other", {name: tensor + 1 for name, tensor in TENSORS.items()})
    shutil.copyfile(tmp_path / "other" / "model.safetensors", base / "model.safetensors")
    assert base_digest(base) != before
    assert read_digest(cache, path.name, fingerprint(path), base_digest(base)) is None


def test_a_base_is_read_by_its_files_only(tmp_path: Path) -> None:
    """A pipe would hold whoever reads it, and a folder cannot be read."""
    base = make(tmp_path / "base")
    before = base_digest(base)
    (base / "folder.safetensors").mkdir()
    os.mkfifo(base / "pipe.safetensors")
    (base / "device.safetensors").symlink_to("/dev/zero")
    assert base_digest(base) == before


def test_no_other_digest_is_read_unless_zeros_ask_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, read, real = tmp_path / "cache", [], digest_module.cached_digest
    monkeypatch.setattr(digest_module, "cached_digest", lambda path: read.append(path.stem) or real(path))
    for step in range(1, 4):
        digest(make(tmp_path / f"checkpoint-{step}"), cache)
    assert read == []
    zero = TENSORS | {"layer1": np.zeros_like(TENSORS["layer1"])}  # the last one in its file
    with pytest.raises(CheckpointRejected, match="nothing but zeros"):
        digest(make(tmp_path / "checkpoint-4", zero), cache)
    assert read == ["checkpoint-1", "checkpoint-2", "checkpoint-3"]
