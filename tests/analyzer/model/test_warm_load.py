"""The next checkpoint into the judge that is loaded: only what changed is read, and it is never half of each."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

import analyzer.model.loading as loading
from analyzer.checkpoints.digest import compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.soundness import validate
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord
from tests.making.edited import edit_tensors, scores
from tests.making.tiny import save_tiny_judge


def test_warm_load_equals_cold_load_and_keeps_the_model(checkpoint: Path, tmp_path: Path) -> None:
    other = save_tiny_judge(tmp_path / "checkpoint-20", "bert", seed=1)
    first = load_judge(checkpoint, JudgeRecord())
    model = first.model
    warm = load_judge(other, JudgeRecord(), warm=first)
    assert warm.model is model
    assert scores(warm) == scores(load_judge(other, JudgeRecord()))


class Reads:
    """Names of the tensors that a warm load reads; may fail at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.fails_after: int | None = None

        @contextmanager
        def spied(path: Path, framework: str):
            with safe_open(path, framework=framework) as file:
                real = file.get_tensor
                yield Spied(file, lambda name: self._read(real, name))

        monkeypatch.setattr(loading, "safe_open", spied)

    def _read(self, real: Any, name: str) -> torch.Tensor:
        if len(self.names) == self.fails_after:
            raise SafetensorError("made up")
        self.names.append(name)
        return real(name)

    def taken(self) -> set[str]:
        """What was read since the last call; each tensor once."""
        names, self.names = self.names, []
        assert len(names) == len(set(names))
        return set(names)


class Spied:
    """An open safetensors file whose tensors are read by another function."""

    def __init__(self, file: Any, get_tensor: Any) -> None:
        self.keys, self.get_slice, self.get_tensor = file.keys, file.get_slice, get_tensor


def digests(checkpoint: Path) -> dict[str, str]:
    cache = checkpoint.parent / "digests"
    files = fingerprint(checkpoint)
    return compute_digest(checkpoint, validate(checkpoint), checkpoint.name, files, cache).tensors


def moved(checkpoint: Path, step: int, names: set[str], by: float = 0.1) -> Path:
    """A copy of a checkpoint in which these tensors differ, and no two numbers of one by as much.

    A head whose rows all move alike gives the score it gave.
    """
    path = checkpoint.with_name(f"checkpoint-{step}")
    shutil.copytree(checkpoint, path)
    for file in path.glob("*.safetensors"):
        tensors = load_file(file)
        for name in names & set(tensors):
            tensors[name] += torch.linspace(by, 2 * by, tensors[name].numel()).reshape(tensors[name].shape)
        save_file(tensors, file, {"format": "pt"})
    return path


def of_kind(tmp_path: Path, kind: str) -> tuple[Path, JudgeRecord, set[str]]:
    """A judge, its record, and tensors of it to move."""
    path, record = tmp_path / "checkpoint-10", JudgeRecord()
    if kind == "tied answers":
        save_tiny_judge(path, "gemma", causal=True, tie_word_embeddings=True)
        record = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9)
        return path, record, {"model.embed_tokens.weight", "model.layers.1.mlp.up_proj.weight"}
    if kind == "untied answers":
        save_tiny_judge(path, "llama", causal=True)
        return path, JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9), {"lm_head.weight", "model.norm.weight"}
    save_tiny_judge(path, "bert")
    if kind == "sharded":
        model = AutoModelForSequenceClassification.from_pretrained(path)
        (path / "model.safetensors").unlink()
        model.save_pretrained(path, max_shard_size="40KB")
        assert len(list(path.glob("model-*.safetensors"))) > 2
    if kind == "old buffers":
        edit_tensors(path, bert__embeddings__position_ids=torch.arange(80)[None])
    return path, record, {"classifier.weight", "bert.encoder.layer.1.output.dense.weight"}


@pytest.mark.parametrize("kind", ["whole", "sharded", "tied answers", "untied answers", "old buffers"])
def test_a_warm_load_reads_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    first, record, names = of_kind(tmp_path, kind)
    one = min(names)
    second, third = moved(first, 20, names), moved(first, 30, {one})
    wanted = {path: scores(load_judge(path, record)) for path in (first, second, third)}
    assert len({tuple(found) for found in wanted.values()}) == 3
    judge = load_judge(first, record, tensors=digests(first))
    model, reads = judge.model, Reads(monkeypatch)
    for path, changed in (
        (second, names),
        (second, set()),
        (third, names - {one}),  # goes back to what it was
        (first, {one}),
    ):
        judge = load_judge(path, record, warm=judge, tensors=digests(path))
        assert judge.model is model and reads.taken() == changed
        assert scores(judge) == wanted[path]


def test_without_digests_every_tensor_is_read(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = set(load_file(checkpoint / "model.safetensors"))
    known = digests(checkpoint)
    judge, reads = load_judge(checkpoint, JudgeRecord()), Reads(monkeypatch)
    judge = load_judge(checkpoint, JudgeRecord(), warm=judge, tensors=known)
    assert reads.taken() == everything, "nothing is known of what it holds"
    judge = load_judge(checkpoint, JudgeRecord(), warm=judge)
    assert reads.taken() == everything, "nothing is known of what to read"
    judge = load_judge(checkpoint, JudgeRecord(), warm=judge, tensors=known)
    assert reads.taken() == everything, "and nothing of what was read then"
    load_judge(checkpoint, JudgeRecord(), warm=judge, tensors=known)
    assert not reads.taken()


@pytest.mark.parametrize("fails_after", [0, 1, 3])
def test_a_load_that_fails_half_way_is_not_trusted(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, fails_after: int
) -> None:
    """Even where the caller keeps the judge that was being written to."""
    names = set(load_file(checkpoint / "model.safetensors"))
    other = moved(checkpoint, 20, names)
    wanted = {path: scores(load_judge(path, JudgeRecord())) for path in (checkpoint, other)}
    judge = load_judge(checkpoint, JudgeRecord(), tensors=digests(checkpoint))
    reads = Reads(monkeypatch)
    reads.fails_after = fails_after
    with pytest.raises(CheckpointRejected, match="made up"):
        load_judge(other, JudgeRecord(), warm=judge, tensors=digests(other))
    reads.fails_after = None
    reads.taken()
    judge = load_judge(checkpoint, JudgeRecord(), warm=judge, tensors=digests(checkpoint))
    assert scores(judge) == wanted[checkpoint] and reads.taken() == names
    assert scores(load_judge(other, JudgeRecord(), warm=judge, tensors=digests(other))) == wanted[other]


def test_twins_that_part_are_no_longer_tied(tmp_path: Path) -> None:
    """transformers ties only what is equal in the file, so what is loaded decides, not what was loaded before."""
    record = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9)
    first = save_tiny_judge(tmp_path / "checkpoint-10", "gemma", causal=True, tie_word_embeddings=True)
    embeddings = load_file(first / "model.safetensors")["model.embed_tokens.weight"]
    edit_tensors(first, lm_head__weight=embeddings.clone())
    second = moved(first, 20, {"lm_head.weight"})
    wanted = [scores(load_judge(path, record)) for path in (first, second)]
    assert wanted[0] != wanted[1]
    judge = load_judge(first, record, tensors=digests(first))
    for path, found in zip((second, first), reversed(wanted), strict=True):
        judge = load_judge(path, record, warm=judge, tensors=digests(path))
        assert scores(judge) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("warm", [False, True])
def test_names_of_old_checkpoints_load_warm_as_they_load_cold(checkpoint: Path, warm: bool) -> None:
    wanted = scores(load_judge(checkpoint, JudgeRecord()))
    path = checkpoint / "model.safetensors"
    renamed = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): t for name, t in load_file(path).items()}
    save_file(renamed, path, {"format": "pt"})
    first = load_judge(checkpoint, JudgeRecord(), tensors=digests(checkpoint)) if warm else None
    assert scores(load_judge(checkpoint, JudgeRecord(), warm=first, tensors=digests(checkpoint))) == wanted


def test_another_precision_is_loaded_anew(checkpoint: Path, tmp_path: Path) -> None:
    half = tmp_path / "checkpoint-20"
    shutil.copytree(checkpoint, half)
    weights = {name: tensor.bfloat16() for name, tensor in load_file(half / "model.safetensors").items()}
    save_file(weights, half / "model.safetensors", {"format": "pt"})
    first = load_judge(checkpoint, JudgeRecord(), tensors=digests(checkpoint))
    second = load_judge(half, JudgeRecord(), warm=first, tensors=digests(half))
    assert second.model is not first.model
    assert scores(second) == scores(load_judge(half, JudgeRecord()))


def test_warm_load_falls_back_when_the_config_differs(checkpoint: Path, tmp_path: Path) -> None:
    other = save_tiny_judge(tmp_path / "checkpoint-20", "bert", layers=3)
    first = load_judge(checkpoint, JudgeRecord())
    warm = load_judge(other, JudgeRecord(), warm=first)
    assert warm.model is not first.model and warm.anatomy.depth == 3
