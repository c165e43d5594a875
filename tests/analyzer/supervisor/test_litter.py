"""What killed writers leave goes, and nothing else does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from analyzer.supervisor.litter import OLD_S, remove_litter
from shared.errors import LinkInTheWay
from shared.files import write_bytes_atomic
from shared.run import Run
from tests.making.stage import Stage

OURS = (
    "_midwatch/.status.json.0123abcd.tmp",
    "_midwatch/attempts/.checkpoint-10.json.ab_d1234.tmp",
    "_midwatch/.writable.4711",
    "_midwatch/.trial.1",
    "_midwatch/.lease.0123456789abcdef0123456789abcdef",
    "_midwatch/evaluations/checkpoint-10/x/.page.html.0123abcd.tmp",
    "training_visualizations/.index.html.0123abcd.tmp",
)
STRANGERS = (
    "_midwatch/notes.tmp",
    "_midwatch/.notes.tmp",
    "_midwatch/.lease.breaking",
    "_midwatch/commits/.checkpoint-10.4711.tmp",
    "_midwatch/commits/.a.0123abcd.tmp",
    "training_visualizations/.git",
    ".status.json.0123abcd.tmp",
)


def make(run: Path, names: tuple[str, ...], age_s: float) -> None:
    for name in names:
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
        os.utime(path, (time.time() - age_s,) * 2)


def left(run: Path, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if (run / name).exists()]


def test_what_is_old_and_ours_goes(tmp_path: Path) -> None:
    make(tmp_path, OURS + STRANGERS, OLD_S + 10)
    remove_litter(Run.at(tmp_path), time.time())
    assert left(tmp_path, OURS) == []
    assert left(tmp_path, STRANGERS) == list(STRANGERS)


def test_what_may_still_be_written_stays(tmp_path: Path) -> None:
    make(tmp_path, OURS, OLD_S - 60)
    remove_litter(Run.at(tmp_path), time.time())
    assert left(tmp_path, OURS) == list(OURS)


def test_what_a_killed_writer_really_leaves_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names above are those of today's writer."""

    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    path = tmp_path / "_midwatch" / "status.json"
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", die)
        patched.setattr(os, "unlink", die)
        with pytest.raises(Killed):
            write_bytes_atomic(path, b"{}")
    assert len(list(path.parent.iterdir())) == 1
    remove_litter(Run.at(tmp_path), time.time() + OLD_S + 10)
    assert list(path.parent.iterdir()) == []


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    make(home, OURS, 2 * OLD_S)
    (run / "_midwatch").mkdir(parents=True)
    (run / "_midwatch" / "attempts").symlink_to(home / "_midwatch")
    remove_litter(Run.at(run), time.time())
    (run / "training_visualizations").symlink_to(home / "training_visualizations")
    with pytest.raises(LinkInTheWay):
        remove_litter(Run.at(run), time.time())
    assert left(home, OURS) == list(OURS)


def test_an_analyzer_clears_up_at_its_start_and_later(stage: Stage) -> None:
    make(stage.target, OURS, 2 * OLD_S)
    stage.steps(2)
    assert left(stage.target, OURS) == []
    make(stage.target, OURS[:1], 2 * OLD_S)
    stage.steps(3, OLD_S)
    assert left(stage.target, OURS) == []
