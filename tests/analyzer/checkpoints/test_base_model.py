"""Where an adapter's base model is looked for, and what tells one base from another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from analyzer.checkpoints.base_model import BLOCK, SAMPLES, BasePlaces, base_digest
from analyzer.checkpoints.digest import compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.soundness import validate
from shared.errors import CheckpointRejected


def model(place: Path, seed: int = 0, size: int = 64) -> Path:
    place.mkdir(parents=True)
    (place / "config.json").write_text('{"model_type": "bert"}')
    generator = torch.Generator().manual_seed(seed)
    save_file({"w": torch.randn(size, generator=generator)}, place / "model.safetensors", {"format": "pt"})
    return place


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "runs" / "mine" / "checkpoint-5"
    place.mkdir(parents=True)
    save_file({"base_model.model.w.lora_A.weight": torch.ones(2)}, place / "adapter_model.safetensors")
    return place


def named(adapter: Path, base: str) -> Path:
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": base}))
    return adapter


@pytest.mark.parametrize(
    "where", ["runs/mine/checkpoint-5/models/base", "runs/mine/models/base", "runs/models/base"]
)
def test_a_relative_name_is_meant_from_checkpoint_run_or_folder(adapter: Path, tmp_path: Path, where: str) -> None:
    base = model(tmp_path / where)
    assert BasePlaces().of(named(adapter, "models/base")).resolve() == base.resolve()


def test_what_a_pin_holds_is_meant_from_its_source(adapter: Path, tmp_path: Path) -> None:
    base, pin = model(tmp_path / "runs" / "base"), tmp_path / "elsewhere" / "pin"
    shutil.copytree(named(adapter, "../base"), pin)
    with pytest.raises(CheckpointRejected, match="waits for its base model"):
        BasePlaces().of(pin)
    assert BasePlaces().of(pin, adapter).resolve() == base.resolve()


@pytest.mark.parametrize("moved_to", ["runs/base-8b", "runs/mine/base-8b"])
def test_a_moved_base_is_found_by_its_name(adapter: Path, tmp_path: Path, moved_to: str) -> None:
    base = model(tmp_path / moved_to)
    assert BasePlaces().of(named(adapter, "/gone/models/base-8b")) == base


def test_of_a_run_analysed_before_only_the_same_base_counts(adapter: Path, tmp_path: Path) -> None:
    old, digests = model(tmp_path / "old" / "base"), tmp_path / "digests"
    weights = validate(named(adapter, str(old)))
    compute_digest(adapter, weights, adapter.name, fingerprint(adapter), digests)
    shutil.rmtree(tmp_path / "old")
    other = model(tmp_path / "runs" / "base", seed=1)
    with pytest.raises(CheckpointRejected, match="not on this machine"):
        BasePlaces(digests=digests).of(adapter)
    assert BasePlaces().of(adapter) == other, "nothing is known of the old one"
    shutil.rmtree(other)
    again = model(tmp_path / "runs" / "base")
    assert BasePlaces(digests=digests).of(adapter) == again


def test_the_user_s_word_wins_and_must_be_a_model(adapter: Path, tmp_path: Path) -> None:
    model(tmp_path / "runs" / "base")
    mine = model(tmp_path / "mine")
    assert BasePlaces(str(mine)).of(named(adapter, "base")) == mine
    with pytest.raises(CheckpointRejected, match=r"holds no model .* `midwatch init .* --base DIR`") as refused:
        BasePlaces(str(tmp_path / "nothing")).of(adapter)
    assert refused.value.code == "needs_base"


@pytest.mark.parametrize(
    "name", ["..", "../..", "/", ".", "a\0b", "x" * 5000, "org/..", "~nobody/x", "a\nb", "/b\ud800"]
)
def test_names_that_are_none(adapter: Path, name: str) -> None:
    with pytest.raises(CheckpointRejected) as refused:
        BasePlaces().of(named(adapter, name))
    assert str(refused.value).isprintable(), "it goes into logs, pages and JSON"


def test_a_base_that_is_itself_an_adapter_is_refused(adapter: Path, tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    (base / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "another"}))
    for places in (BasePlaces(), BasePlaces(str(base))):
        with pytest.raises(CheckpointRejected, match="base is itself an adapter; merge it") as refused:
            places.of(named(adapter, str(base)))
        assert refused.value.code == "needs_base"


def test_the_hub_s_main_comes_before_other_snapshots(adapter: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "hub" / "models--org--base"
    main = model(folder / "snapshots" / "a")
    model(folder / "snapshots" / "b", seed=1)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("a\n")
    assert BasePlaces().of(named(adapter, "org/base")) == main


def test_a_digest_goes_with_the_content_not_with_the_place(tmp_path: Path) -> None:
    large = BLOCK * SAMPLES  # numbers of 4 bytes: more than the samples cover
    one, two = model(tmp_path / "one", size=large), model(tmp_path / "two", size=large)
    other = model(tmp_path / "three", seed=1, size=large)
    assert base_digest(one) == base_digest(two) != base_digest(other)
    (two / "config.json").write_text("{}")
    assert base_digest(one) != base_digest(two)
