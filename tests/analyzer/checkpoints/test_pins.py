"""Pins keep bytes alive, touch nothing, and are honest about what they cannot hold."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.pins import PinStore, verify
from shared.errors import CheckpointChanged

PLENTY = 2**30


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint-10"
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "config.json").write_text("{}")
    (path / "optimizer.pt").write_text("never read")
    os.utime(path, (1000, 1000))
    return path


@pytest.fixture
def store(tmp_path: Path) -> PinStore:
    return PinStore(tmp_path / "pins", PLENTY)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def candidate(source: Path) -> Candidate:
    return Candidate(source.name, 10, 1.0, source, fingerprint(source), 5.0, True)


def test_a_pin_outlives_its_source(source: Path, store: PinStore) -> None:
    wanted = candidate(source)
    pin = store.pin(wanted)
    assert pin is not None
    shutil.rmtree(source)
    assert (pin.directory / "model.safetensors").read_bytes() == b"weights"
    assert not (pin.directory / "optimizer.pt").exists()
    held = PinStore(store.root, PLENTY).held()
    assert [h.candidate for h in held] == [wanted], "after a restart the pin says all there is to know"
    verify(pin.directory, True, source, wanted.files)


def test_weights_are_linked_and_small_files_copied(source: Path, store: PinStore) -> None:
    pin = store.pin(candidate(source))
    assert pin is not None
    assert (pin.directory / "model.safetensors").samefile(source / "model.safetensors")
    assert not (pin.directory / "config.json").samefile(source / "config.json")


def test_a_large_file_of_another_kind_is_linked_too(
    source: Path, store: PinStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.checkpoints.pins.COPY_BELOW", 10)
    (source / "tokenizer.json").write_bytes(bytes(10))
    (source / "vocab.txt").write_bytes(bytes(9))
    pin = store.pin(candidate(source))
    assert pin is not None
    assert (pin.directory / "tokenizer.json").samefile(source / "tokenizer.json")
    assert not (pin.directory / "vocab.txt").samefile(source / "vocab.txt")


def test_the_checkpoints_directory_is_not_touched(source: Path, store: PinStore) -> None:
    before = source.stat().st_mtime_ns
    pin = store.pin(candidate(source))
    assert pin is not None
    store.release(source.name)
    assert source.stat().st_mtime_ns == before == 1000 * 10**9, "Trainer's rotation sorts by it"
    assert names(source) == ["config.json", "model.safetensors", "optimizer.pt"]


def test_pinning_twice_is_pinning_once(source: Path, store: PinStore) -> None:
    first, second = store.pin(candidate(source)), store.pin(candidate(source))
    assert first == second


def test_another_content_replaces_the_pin(source: Path, store: PinStore) -> None:
    store.pin(candidate(source))
    (source / "config.json").write_text('{"a": 1}')
    pin = store.pin(candidate(source))
    assert pin is not None
    assert (pin.directory / "config.json").read_text() == '{"a": 1}'
    assert len(store.held()) == 1


def test_the_byte_budget(source: Path, tmp_path: Path) -> None:
    size = sum(file.size for file in fingerprint(source))
    assert PinStore(tmp_path / "small", size - 1).pin(candidate(source)) is None
    assert PinStore(tmp_path / "enough", size).pin(candidate(source)) is not None


def test_the_byte_budget_is_for_all_pins_together(source: Path, tmp_path: Path) -> None:
    other = shutil.copytree(source, tmp_path / "checkpoint-20")
    size = sum(file.size for file in fingerprint(source))
    store = PinStore(tmp_path / "pins", 2 * size - 1)
    assert store.pin(candidate(source)) is not None
    assert store.pin(candidate(other)) is None
    store.release(source.name)
    assert store.pin(candidate(other)) is not None


def test_without_a_budget_pins_fill_half_of_what_would_be_free_without_them(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting what is pinned frees nothing: its bytes are missing from what is free before and after."""
    size = sum(file.size for file in fingerprint(source))
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk._replace(free=3 * size))
    store = PinStore(tmp_path / "pins", None)
    kept = []
    for step in range(20, 70, 10):
        other = shutil.copytree(source, tmp_path / f"checkpoint-{step}")
        kept.append(store.pin(candidate(other)) is not None)
    assert kept == [True, True, True, False, False]
    assert "fill its disk" in store.why_not["checkpoint-50"]


def test_without_hard_links_it_is_analysed_in_place(
    source: Path, store: PinStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert store.pin(candidate(source)) is None
    assert names(store.root) == [], "nothing half-made stays"


def test_a_change_while_pinning(source: Path, store: PinStore) -> None:
    wanted = candidate(source)
    (source / "config.json").write_text('{"late": 1}')
    with pytest.raises(CheckpointChanged):
        store.pin(wanted)
    shutil.rmtree(source)
    with pytest.raises(CheckpointChanged):
        store.pin(wanted)
    assert store.held() == []


def test_half_made_pins_are_collected_and_nothing_else(source: Path, store: PinStore) -> None:
    pin = store.pin(candidate(source))
    assert pin is not None
    tempfile.mkdtemp(dir=store.root, prefix=".checkpoint-9.")
    (store.root / "checkpoint-8").mkdir()
    strangers = [".checkpoint-9.old", "checkpoint-8-copy", "notes"]
    for name in strangers:
        (store.root / name).mkdir()
    store.collect()
    assert names(store.root) == sorted(["checkpoint-10", *strangers])


def overwrite_in_place(source: Path) -> None:
    (source / "model.safetensors").write_bytes(b"WEIGHTS and more")


def overwrite_by_rename(source: Path) -> None:
    (source / "new").write_bytes(b"WEIGHTS")
    (source / "new").replace(source / "model.safetensors")


@pytest.mark.parametrize("overwrite", [overwrite_in_place, overwrite_by_rename])
@pytest.mark.parametrize("pinned", [True, False])
def test_an_overwritten_checkpoint_is_noticed(source: Path, store: PinStore, overwrite, pinned: bool) -> None:
    wanted = candidate(source)
    pin = store.pin(wanted)
    assert pin is not None
    place = pin.directory if pinned else source
    verify(place, pinned, source, wanted.files)
    overwrite(source)
    with pytest.raises(CheckpointChanged, match="checkpoint-10"):
        verify(place, pinned, source, wanted.files)


def test_overwritten_in_place_and_then_deleted_shows_in_the_pin(source: Path, store: PinStore) -> None:
    wanted = candidate(source)
    pin = store.pin(wanted)
    assert pin is not None
    overwrite_in_place(source)
    shutil.rmtree(source)
    with pytest.raises(CheckpointChanged, match="checkpoint-10"):
        verify(pin.directory, True, source, wanted.files)


def test_deleted_in_place_is_noticed(source: Path) -> None:
    wanted = candidate(source)
    (source / "config.json").unlink()
    with pytest.raises(CheckpointChanged):
        verify(source, False, source, wanted.files)


def test_another_name_in_place_is_noticed(source: Path) -> None:
    wanted = candidate(source)
    (source / "config.json").rename(source / "config.json.old")
    with pytest.raises(CheckpointChanged):
        verify(source, False, source, wanted.files)


def test_a_deletion_under_way_does_not_matter_to_a_pin(source: Path, store: PinStore) -> None:
    wanted = candidate(source)
    pin = store.pin(wanted)
    assert pin is not None
    (source / "config.json").unlink()
    verify(pin.directory, True, source, wanted.files)


def test_what_has_not_settled_says_since_when_until_it_has(source: Path, store: PinStore) -> None:
    wanted = candidate(source)
    assert store.pin(wanted, unsettled_since=7.0) is not None
    assert store.pin(wanted, unsettled_since=9.0).unsettled_since == 7.0  # type: ignore[union-attr]
    assert PinStore(store.root, PLENTY).held()[0].unsettled_since == 7.0
    assert store.pin(wanted).unsettled_since is None  # type: ignore[union-attr]
    assert PinStore(store.root, PLENTY).held()[0].unsettled_since is None


def test_a_pin_shows_what_is_written_into_its_source(source: Path, store: PinStore) -> None:
    pin = store.pin(candidate(source))
    assert pin is not None
    assert pin.intact
    shutil.copyfile(source / "config.json", source / "another.json")
    with (source / "model.safetensors").open("r+b") as weights:
        shutil.rmtree(source)
        assert pin.intact, "what is deleted is still whole"
        weights.truncate(3)
    assert not pin.intact


def test_a_deletion_that_begins_when_all_is_taken_spoils_nothing(
    source: Path, store: PinStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, write = candidate(source), os.utime

    def last_file_taken(path: Path, **times: object) -> None:
        write(path, **times)  # type: ignore[arg-type]
        (source / "config.json").unlink()

    monkeypatch.setattr(os, "utime", last_file_taken)
    pin = store.pin(wanted)
    assert pin is not None
    assert pin.intact
    assert (pin.directory / "config.json").read_text() == "{}"


def test_why_there_is_no_pin_is_remembered_until_there_is_one(source: Path, tmp_path: Path) -> None:
    store = PinStore(tmp_path / "pins", 1)
    assert store.pin(candidate(source)) is None
    assert "--pin-budget" in store.why_not[source.name]
    roomy = PinStore(tmp_path / "pins", PLENTY, store.why_not)
    assert roomy.pin(candidate(source)) is not None
    assert roomy.why_not == {}


def test_a_link_that_took_a_files_place_is_not_followed(source: Path, store: PinStore, tmp_path: Path) -> None:
    wanted = candidate(source)
    (tmp_path / "secret").write_text("{}")
    (source / "config.json").unlink()
    (source / "config.json").symlink_to(tmp_path / "secret")
    assert store.pin(wanted) is None
    assert names(store.root) == []


def test_a_pin_that_was_written_anew_is_read_anew(source: Path, store: PinStore) -> None:
    reader, pin = PinStore(store.root, PLENTY), store.pin(candidate(source), 7.0)
    assert pin is not None
    assert [each.unsettled_since for each in reader.held()] == [7.0]
    store.settle(pin)
    assert [each.unsettled_since for each in reader.held()] == [None]
    store.release(pin.candidate.name)
    assert reader.held() == []
