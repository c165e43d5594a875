"""The analyzer beside the training, with a real process in its place."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import trainer.beside
from tests.making.waiting import LIMIT_S, wait_until
from trainer.beside import analyzer_beside, catch_up, watch_command

STAND_IN = """
import pathlib, signal, sys, time
run = pathlib.Path(sys.argv[1])
with (run / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[2:]) + "\\n")
if "--once" in sys.argv:
    sys.exit({once})
signal.signal(signal.SIGTERM, lambda *_: ((run / "stopped").touch(), sys.exit(0)))
(run / "ready").touch()
{then}
"""
FOREVER = "time.sleep(600)"


def stand_in(monkeypatch: pytest.MonkeyPatch, then: str = FOREVER, once: int = 0) -> None:
    code = STAND_IN.format(then=then, once=once)

    def command(run: Path, interval: int, suite: str, *options: str) -> list[str]:
        return [sys.executable, "-c", code, str(run), str(interval), suite, *options]

    monkeypatch.setattr(trainer.beside, "watch_command", command)


def wait_for(path: Path) -> None:
    wait_until(path.exists, str(path))


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_command_is_the_one_a_user_types() -> None:
    command = watch_command(Path("runs/a"), 2, "advanced", "--cores", "1")
    words = f"-P -m midwatch watch {Path('runs/a').absolute()} --interval 2 --suite advanced --cores 1"
    assert command == [sys.executable, *words.split(" ")]


def test_runs_beside_and_is_stopped_gently(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch)
    with analyzer_beside(tmp_path, 2, "advanced", 1, console()):
        wait_for(tmp_path / "ready")
        assert not (tmp_path / "stopped").exists()
    assert (tmp_path / "stopped").exists()
    assert (tmp_path / "calls").read_text() == "2 advanced --cores 1\n"


def test_a_failing_training_stops_the_analyzer_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch)
    with pytest.raises(ZeroDivisionError), analyzer_beside(tmp_path, 1, "basic", 1, console()):
        wait_for(tmp_path / "ready")
        raise ZeroDivisionError
    assert (tmp_path / "stopped").exists()


def test_a_failing_analyzer_does_not_fail_the_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, then="print('no memory'); sys.exit(3)")
    shown = console()
    processes: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **o: processes.append(start(*a, **o)) or processes[-1])
    with analyzer_beside(tmp_path, 1, "basic", 1, shown):
        processes[0].wait(LIMIT_S)
    assert "ended on its own (exit code 3)" in text(shown)
    assert "no memory" in (tmp_path / "_midwatch" / "analyzer.log").read_text()


def test_catches_up_once_and_says_when_it_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch)
    catch_up(tmp_path, 1, "basic", console())
    assert (tmp_path / "calls").read_text() == "1 basic --once\n"
    shown = console()
    stand_in(monkeypatch, once=4)
    catch_up(tmp_path, 1, "basic", shown)
    assert "exit code 4; run `midwatch watch" in text(shown)
