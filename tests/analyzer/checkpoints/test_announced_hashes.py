"""Damage inside a tensor, with every size right: seen where the training noted digests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.checkpoints.announced_hashes import check_hashes
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Gate
from shared.errors import CheckpointRejected
from shared.run import Run
from trainer.announce import announce

NOW = 2_000_000_000.0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = tmp_path / "checkpoint-10"
    path.mkdir()
    save_file({"a.weight": np.ones((64, 64), np.float32)}, path / "model.safetensors")
    (path / "config.json").write_text("{}")
    return Run.at(tmp_path)


def flip_a_bit(path: Path) -> None:
    """As a disk does: nothing tells of it, no time of change either."""
    info, data = path.stat(), bytearray(path.read_bytes())
    data[-1000] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize("noted", [True, False])
def test_a_flipped_bit_is_seen_where_digests_were_noted(run: Run, noted: bool) -> None:
    directory = run.path / "checkpoint-10"
    announce(run.path, 10, 1.0, {}, hash_weights=noted)
    assert Gate(run).look("checkpoint-10", NOW).candidate is not None
    check_hashes(run, directory, "checkpoint-10", fingerprint(directory))
    flip_a_bit(directory / "model.safetensors")
    assert Gate(run).look("checkpoint-10", NOW).candidate is not None, "by its looks it is the same"
    if noted:
        with pytest.raises(CheckpointRejected, match=r"/model\.safetensors is not what its training") as caught:
            check_hashes(run, directory, "checkpoint-10", fingerprint(directory))
        assert caught.value.code == "damaged"
    else:
        check_hashes(run, directory, "checkpoint-10", fingerprint(directory))


def test_a_note_that_is_none_or_leads_out_says_nothing(run: Run) -> None:
    commit = announce(run.path, 10, 1.0, {}, hash_weights=True)
    (run.path / "secret").write_text("")
    directory = run.path / "checkpoint-10"
    files = tuple(file._replace(name="../secret") for file in fingerprint(directory))
    commit.write_text(commit.read_text().replace('"model.safetensors"', '"../secret"'))
    check_hashes(run, directory, "checkpoint-10", files)
    commit.write_text("{")
    check_hashes(run, directory, "checkpoint-10", files)
    commit.unlink()
    check_hashes(run, directory, "checkpoint-10", files)


def test_an_older_pin_of_a_step_that_was_saved_again_is_not_called_damaged(run: Run) -> None:
    directory, pinned = run.path / "checkpoint-10", run.path / "pinned"
    announce(run.path, 10, 1.0, {}, hash_weights=True)
    files = fingerprint(directory)
    directory.rename(pinned)
    directory.mkdir()
    save_file({"a.weight": np.zeros((64, 64), np.float32)}, directory / "model.safetensors")
    (directory / "config.json").write_text("{}")
    os.utime(directory / "model.safetensors", (NOW, NOW))
    announce(run.path, 10, 1.0, {}, hash_weights=True)
    check_hashes(run, pinned, "checkpoint-10", files)
    flip_a_bit(directory / "model.safetensors")
    with pytest.raises(CheckpointRejected, match="another SHA-256"):
        check_hashes(run, directory, "checkpoint-10", fingerprint(directory))
