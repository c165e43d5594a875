"""Zeros that belong in a checkpoint, and files that were not written to their end, as real safetensors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import analyzer.checkpoints.digest as digest_module
from analyzer.checkpoints.digest import ContentDigest, compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.safetensors_header import read_header
from analyzer.checkpoints.soundness import validate
from analyzer.checkpoints.zeros import holes
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord
from tests.making.edited import edit_tensors
from tests.making.tiny import save_tiny_judge

WEIGHTS = "model.safetensors"
SIZE = {"hidden_size": 128, "intermediate_size": 256}
"""Matrices of 64 KiB and more: larger than what any file system allots at once."""


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    return save_tiny_judge(tmp_path / "checkpoint-1", "bert", **SIZE)


def digest(path: Path, cache: str = "cache") -> ContentDigest:
    return compute_digest(path, validate(path), path.name, fingerprint(path), path.parent / cache)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointRejected) as caught:
        digest(path)
    assert caught.value.code == "zero_filled"
    return str(caught.value)


def tells_holes(folder: Path) -> bool:
    probe = folder / "probe"
    with probe.open("wb") as file:
        file.truncate(2**20)
    with probe.open("rb") as file:
        return bool(holes(file.fileno(), 2**20))


def cut(path: Path, place: int, how: str) -> None:
    """Only the first `place` bytes reached the disk."""
    data = path.read_bytes()
    path.unlink()
    with path.open("wb") as file:
        if how == "preallocated":
            os.posix_fallocate(file.fileno(), 0, len(data))
        elif how == "at full size":
            file.truncate(len(data))
        file.write(data[:place])
        file.write(bytes(len(data) - place) if how == "zeros" else b"")
        os.fsync(file.fileno())
    assert path.stat().st_size == len(data)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("how", ["preallocated", "at full size", "zeros"])
def test_a_half_written_file_is_refused(judge: Path, how: str, share: float) -> None:
    path = judge / WEIGHTS
    cut(path, int(share * path.stat().st_size), how)
    sentence = refused(judge)
    assert "model.safetensors" in sentence and "was not written to its end; save or copy it again" in sentence
    if tells_holes(judge.parent):
        assert ("has a hole" in sentence) is (how != "zeros")


@pytest.mark.parametrize("how", ["preallocated", "at full size"])
def test_so_it_is_where_the_file_system_tells_no_holes(
    judge: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_module, "holes", lambda *_: [])
    cut(judge / WEIGHTS, (judge / WEIGHTS).stat().st_size // 2, how)
    assert "nothing but zeros from" in refused(judge)


def test_a_system_without_holes_tells_none(judge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(judge / WEIGHTS, 9000, "at full size")
    monkeypatch.delattr(os, "SEEK_HOLE")
    with (judge / WEIGHTS).open("rb") as file:
        assert holes(file.fileno(), 1) == []
    monkeypatch.undo()

    def unsupported(*_: int) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "lseek", unsupported)
    with (judge / WEIGHTS).open("rb") as file:
        assert holes(file.fileno(), 1) == []


def test_the_end_of_what_was_written_may_be_the_end_of_a_tensor(judge: Path) -> None:
    """Zeros from the start of a matrix on, without a hole: only where they end tells."""
    spans = read_header(judge / WEIGHTS)
    cut(judge / WEIGHTS, spans["bert.encoder.layer.1.intermediate.dense.weight"].begin, "zeros")
    assert "to its end" in refused(judge)


def test_a_tail_of_what_may_be_zero_must_not_begin_in_a_tensor(judge: Path) -> None:
    """The classifier is last and may start at zero; the pooler before it ends in zeros here."""
    spans = read_header(judge / WEIGHTS)
    assert list(spans)[-1] == "classifier.weight"
    before = spans["bert.pooler.dense.weight"]
    cut(judge / WEIGHTS, before.end, "zeros")
    assert digest(judge).digest
    cut(judge / WEIGHTS, before.end - 2048, "zeros")
    assert "zeros from the middle of bert.pooler.dense.weight to its end" in refused(judge)


ZERO_OUTPUT = "bert__encoder__layer__1__attention__output__dense__weight"


@pytest.mark.parametrize(
    "changes",
    [
        {ZERO_OUTPUT: torch.zeros(128, 128)},
        {"bert__encoder__layer__0__attention__self__query__weight": torch.zeros(128, 128)},
        {"bert__encoder__layer__1__output__dense__bias": torch.zeros(128), "classifier__bias": torch.zeros(2)},
        {"classifier__weight": torch.zeros(2, 128)},
        {"bert__embeddings__token_type_embeddings__weight": torch.zeros(2, 128)},
    ],
    ids=["attention output", "any matrix with data behind it", "biases", "head", "token types"],
)
def test_zeros_that_belong_there_are_accepted(judge: Path, changes: dict[str, torch.Tensor]) -> None:
    edit_tensors(judge, **changes)
    assert digest(judge).digest
    assert load_judge(judge, JudgeRecord()).model is not None


def test_a_copy_may_leave_out_zeros_that_belong_there(judge: Path, tmp_path: Path) -> None:
    """GNU cp makes holes of them."""
    edit_tensors(judge, **{ZERO_OUTPUT: torch.zeros(128, 128)})
    copy = tmp_path / "checkpoint-2"
    shutil.copytree(judge, copy)
    (copy / WEIGHTS).unlink()
    command = ["cp", "--sparse=always", str(judge / WEIGHTS), str(copy / WEIGHTS)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this cp makes no holes")
    assert digest(copy).digest == digest(judge).digest


def test_a_hole_is_where_another_checkpoint_has_the_same_zeros(judge: Path) -> None:
    """Queries do not start at zero: without the other checkpoint a hole in them is refused."""
    name = "bert__encoder__layer__0__attention__self__query__weight"
    edit_tensors(judge, **{name: torch.zeros(128, 128)})
    span = read_header(judge / WEIGHTS)[name.replace("__", ".")]
    other = judge.parent / "checkpoint-2"
    shutil.copytree(judge, other)
    data = (other / WEIGHTS).read_bytes()
    (other / WEIGHTS).unlink()
    with (other / WEIGHTS).open("wb") as file:
        file.write(data[: span.begin])
        file.seek(span.end)
        file.write(data[span.end :])
    if not tells_holes(judge.parent):
        pytest.skip("this file system tells no holes")
    assert "has a hole" in refused(other)
    digest(judge)
    assert digest(other).digest == digest(judge).digest


def adapter(path: Path, base: Path, tensors: dict[str, np.ndarray]) -> Path:
    path.mkdir()
    (path / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)})
    )
    save_file(tensors, path / "adapter_model.safetensors")
    return path


def test_an_adapter_at_step_0_is_accepted_and_a_half_written_one_is_not(judge: Path) -> None:
    draw = np.random.default_rng(0)
    tensors = {}
    for layer in range(4):
        place = f"base_model.model.bert.encoder.layer.{layer}.attention.self.query"
        tensors[f"{place}.lora_A.weight"] = draw.standard_normal((16, 1024)).astype(np.float32)
        tensors[f"{place}.lora_B.weight"] = np.zeros((1024, 16), np.float32)
    path = adapter(judge.parent / "checkpoint-0", judge, tensors)
    assert digest(path).digest
    weights = path / "adapter_model.safetensors"
    cut(weights, weights.stat().st_size // 2, "zeros")
    assert "lora_A" in refused(path)


@pytest.mark.parametrize(
    ("drawn", "zero"),
    [
        ("lora_B", "lora_embedding_A"), ("lora_B", "lora_E"), ("hada_w2_a", "hada_w2_b"), ("", "oft_R.weight"),
        ("lokr_w2_a", "lokr_w2_b"), ("lokr_w1", "lokr_w2"), ("", "boft_R"), ("", "miss_block"),
        ("delora_A", "delora_B"),
    ],
)  # fmt: skip
def test_what_other_adapters_start_at_zero_is_accepted(judge: Path, drawn: str, zero: str) -> None:
    """Last in its file, where nothing but its name tells it from what was never written."""
    place = "base_model.model.bert.encoder.layer"
    tensors = {f"{place}.1.query.{zero}": np.zeros((16, 1024), np.float32)}
    if drawn:
        draw = np.random.default_rng(0)
        tensors[f"{place}.0.query.{drawn}"] = draw.standard_normal((16, 1024)).astype(np.float32)
    assert digest(adapter(judge.parent / "checkpoint-0", judge, tensors)).digest
    other = {name.replace(zero, "weight"): value for name, value in tensors.items()}
    assert "nothing but zeros" in refused(adapter(judge.parent / "checkpoint-1b", judge, other))


def all_but(names: tuple[str, ...]) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    return lambda tensors: {
        name: value if name in names else np.zeros_like(value) for name, value in tensors.items()
    }


@pytest.mark.parametrize("keep", [(), ("bert.embeddings.word_embeddings.weight",)])
def test_a_file_of_zeros_was_never_written(judge: Path, keep: tuple[str, ...]) -> None:
    save_file(all_but(keep)(load_file(judge / WEIGHTS)), judge / WEIGHTS)
    assert "nothing but zeros" in refused(judge)


def test_a_tensor_with_one_number_in_it_is_not_zero(judge: Path) -> None:
    """Wherever it is: the last one is in no sample of the bytes."""
    tensors = all_but(())(load_file(judge / WEIGHTS))
    for tensor in tensors.values():
        tensor.flat[-1] = 1
    save_file(tensors, judge / WEIGHTS)
    assert digest(judge).digest
