"""Nothing in a folder of ours is reached through a link; what leads to it may be one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Literal

import pytest

from shared import files
from shared.errors import LinkInTheWay, MidwatchError
from shared.files import read_json, write_bytes_atomic
from shared.own_folders import list_directory, make_directory, open_log, remove_directory
from shared.pages.render import render_run
from shared.results import ResultStore
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.fakes import fake_records


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A directory outside, with a file in each place that we would write to or delete."""
    folder = tmp_path / "home"
    for name in ("tokens", "checkpoint-120/tokens", ".checkpoint-120.abcdefgh"):
        (folder / name).mkdir(parents=True)
        (folder / name / "letter").write_text("dear")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() if path.is_file() else "" for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("link", ["_midwatch", "_midwatch/a", "_midwatch/a/tokens", "training_visualizations"])
def test_a_link_is_refused_by_all_that_writes_and_deletes(tmp_path: Path, precious: Path, link: str) -> None:
    place = tmp_path / "run" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(precious)
    inner, before = place / "checkpoint-120", contents(precious)
    for act in (
        lambda: make_directory(inner / "new"),
        lambda: remove_directory(inner),
        lambda: remove_directory(place),
        lambda: list_directory(inner),
        lambda: write_bytes_atomic(inner / "file", b""),
        lambda: open_log(inner / "log", "wb"),
    ):
        with pytest.raises(LinkInTheWay, match=f"run/{link} is a symbolic link.*remove it"):
            act()
    assert contents(precious) == before


def test_a_log_is_not_written_through_a_link(tmp_path: Path, precious: Path) -> None:
    log = tmp_path / "run" / "_midwatch" / "train.log"
    log.parent.mkdir(parents=True)
    log.symlink_to(precious / "tokens" / "letter")
    with pytest.raises(LinkInTheWay):
        open_log(log, "wb")
    assert (precious / "tokens" / "letter").read_text() == "dear"


def test_the_way_to_our_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    folder = tmp_path / "run" / "_midwatch" / "pins"
    make_directory(folder / "checkpoint-1" / "inner")
    assert list_directory(folder) == ["checkpoint-1"]
    remove_directory(folder / "checkpoint-1")
    assert list((tmp_path / "disk" / "_midwatch" / "pins").iterdir()) == []


def test_a_link_inside_a_deleted_directory_is_not_followed(tmp_path: Path, precious: Path) -> None:
    folder = tmp_path / "_midwatch" / "pins" / "checkpoint-1"
    folder.mkdir(parents=True)
    (folder / "out").symlink_to(precious)
    before = contents(precious)
    remove_directory(folder)
    assert not folder.exists()
    assert contents(precious) == before


@pytest.mark.parametrize("dir_fd", [True, False], ids=["by descriptor", "by path"])
def test_what_is_gone_or_no_directory_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dir_fd: bool
) -> None:
    if not dir_fd:
        monkeypatch.setattr(os, "supports_dir_fd", set())
    folder = tmp_path / "_midwatch" / "pins"
    folder.mkdir(parents=True)
    remove_directory(folder / "checkpoint-1")
    (folder / "checkpoint-1").write_text("a stranger's")
    remove_directory(folder / "checkpoint-1")
    assert (folder / "checkpoint-1").read_text() == "a stranger's"


def test_figures_are_not_drawn_through_a_link(tmp_path: Path, precious: Path) -> None:
    run, before = make_fake_run(tmp_path / "run", epochs=1), contents(precious)
    shutil.rmtree(run.visualizations, ignore_errors=True)
    run.visualizations.symlink_to(precious)
    with pytest.raises(LinkInTheWay, match="training_visualizations"):
        render_run(run)
    assert contents(precious) == before


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_result_is_neither_committed_nor_removed_through_a_link(
    tmp_path: Path, precious: Path, depth: int
) -> None:
    (tmp_path / "run").mkdir()
    run, record = Run.at(tmp_path / "run"), fake_records(1)[0]
    place = Path(record.checkpoint, record.analysis, record.key)
    link = run.results.joinpath(*place.parts[:depth])
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    before, store = contents(precious), ResultStore(run.results)
    with pytest.raises(LinkInTheWay):
        store.commit(record)
    with pytest.raises(LinkInTheWay):
        store.remove(*place.parts)
    if depth < 3:
        with pytest.raises(MidwatchError):
            store.sweep()
    assert contents(precious) == before


@pytest.mark.parametrize("mode", ["ab", "wb"])
def test_a_log_that_is_a_hard_link_or_a_pipe_is_not_written(
    tmp_path: Path, precious: Path, mode: Literal["ab", "wb"]
) -> None:
    log = tmp_path / "run" / "_midwatch" / "analyzer.log"
    log.parent.mkdir(parents=True)
    os.link(precious / "tokens" / "letter", log)
    with pytest.raises(LinkInTheWay, match="is a hard link to a file that lies elsewhere, too; remove it"):
        open_log(log, mode)
    assert log.read_text() == "dear"
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(OSError, match=r"analyzer\.log"):
        open_log(log, mode)


def test_a_log_is_appended_to_or_written_anew(tmp_path: Path) -> None:
    log = tmp_path / "run" / "_midwatch" / "analyzer.log"
    steps: list[tuple[Literal["ab", "wb"], bytes]] = [("wb", b"x"), ("ab", b"xx"), ("wb", b"x")]
    for mode, expected in steps:
        with open_log(log, mode) as file:
            file.write(b"x")
        assert log.read_bytes() == expected


@pytest.mark.parametrize("link", ["_midwatch", "_midwatch/a", "_midwatch/a/tokens", "_midwatch/a/tokens/letter"])
def test_nothing_is_read_through_a_link(tmp_path: Path, precious: Path, link: str) -> None:
    (precious / "a" / "tokens").mkdir(parents=True)
    target = precious / link.removeprefix("_midwatch").removeprefix("/")
    for place in (precious / "a" / "tokens" / "letter", precious / "tokens"):
        place.with_suffix(".json").write_text('{"secret": 1}')
    shutil.copy(precious / "tokens.json", precious / "a" / "tokens" / "letter")
    place = tmp_path / "run" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(target)
    path = tmp_path / "run" / "_midwatch" / "a" / "tokens" / "letter"
    with pytest.raises(LinkInTheWay, match=f"run/{link} is a symbolic link"):
        read_json(path)
    assert json.loads(path.read_text()) == {"secret": 1}, "it is there, for whoever follows"


def test_a_link_that_slips_in_after_the_look_is_not_written_through(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a race: the folder becomes a link when the last look at it is over."""
    folder, before = tmp_path / "run" / "_midwatch" / "pins", contents(precious)

    def slip(path: Path) -> None:
        make_directory(path)
        folder.rmdir()
        folder.symlink_to(precious)

    monkeypatch.setattr(files, "make_directory", slip)
    with pytest.raises(LinkInTheWay):
        write_bytes_atomic(folder / "file", b"")
    assert contents(precious) == before


def test_errors_name_the_whole_path(tmp_path: Path) -> None:
    (tmp_path / "_midwatch").mkdir()
    with pytest.raises(FileNotFoundError, match=r"_midwatch/a/b\.json"):
        read_json(tmp_path / "_midwatch" / "a" / "b.json")
    (tmp_path / "_midwatch" / "a").write_text("")
    with pytest.raises(NotADirectoryError, match="_midwatch/a"):
        make_directory(tmp_path / "_midwatch" / "a" / "b")
