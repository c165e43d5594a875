"""Links in the Hub's cache are followed into its own blobs, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.hub_cache import is_snapshot, refused_link
from analyzer.checkpoints.not_ours import refuse_to_write_in
from shared.checkpoint_names import ROOT
from shared.errors import UsageError
from shared.run import Run


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A model as huggingface_hub lays it out."""
    model = tmp_path / "models--org--judge"
    path = model / "snapshots" / "abc123"
    path.mkdir(parents=True)
    (model / "blobs").mkdir()
    for number, name in enumerate(("config.json", "model.safetensors")):
        (model / "blobs" / f"sha{number}").write_text(name)
        (path / name).symlink_to(f"../../blobs/sha{number}")
    return path


def refused(path: Path, *, in_cache: bool = True) -> str | None:
    return refused_link(path, fingerprint(path, ROOT), in_cache=in_cache)


def test_its_own_blobs(snapshot: Path) -> None:
    assert is_snapshot(snapshot)
    assert refused(snapshot) is None
    assert refused(snapshot, in_cache=False) == "config.json", "not as a checkpoint of a run"


def test_a_link_out_of_the_blobs(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("w")
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to(tmp_path / "secret")
    assert refused(snapshot) == "model.safetensors"


def test_a_blob_that_is_itself_a_link(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("w")
    blob = snapshot.parents[1] / "blobs" / "sha1"
    blob.unlink()
    blob.symlink_to(tmp_path / "secret")
    assert refused(snapshot) == "model.safetensors"


def test_blobs_that_are_a_link_to_elsewhere(snapshot: Path, tmp_path: Path) -> None:
    blobs = snapshot.parents[1] / "blobs"
    blobs.rename(tmp_path / "home")
    blobs.symlink_to(tmp_path / "home")
    assert refused(snapshot) == "config.json"


def test_the_same_links_elsewhere(snapshot: Path, tmp_path: Path) -> None:
    other = tmp_path / "judge"
    other.mkdir()
    (other / "model.safetensors").symlink_to(snapshot / "model.safetensors")
    assert refused(other) == "model.safetensors"


def test_nothing_is_written_into_the_cache_or_a_trainers_checkpoint(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--out judge-midwatch"):
        refuse_to_write_in(Run.at(snapshot))
    refuse_to_write_in(Run.at(snapshot, tmp_path / "out"))
    checkpoint = tmp_path / "run" / "checkpoint-10"
    checkpoint.mkdir(parents=True)
    with pytest.raises(UsageError, match="give its run"):
        refuse_to_write_in(Run.at(checkpoint))
    refuse_to_write_in(Run.at(checkpoint, tmp_path / "out"))
    refuse_to_write_in(Run.at(tmp_path / "run"))


def test_nothing_is_written_into_one_of_several_checkpoints_of_an_own_loop(tmp_path: Path) -> None:
    alone, several = tmp_path / "model" / "final", tmp_path / "run"
    for place in (alone, several / "epoch_3", several / "final"):
        place.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (place / name).write_text("{}")
    with pytest.raises(UsageError, match=r"one of the checkpoints of .*run, .* --out DIR"):
        refuse_to_write_in(Run.at(several / "final"))
    refuse_to_write_in(Run.at(several / "final", tmp_path / "out"))
    refuse_to_write_in(Run.at(several))
    refuse_to_write_in(Run.at(alone))
