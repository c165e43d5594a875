"""Commands called in a run directory that holds modules of every name we import: none of them runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboard.browser import free_port, healthy
from tests.e2e.processes import ENVIRONMENT, results_of
from tests.making.commands_here import midwatch_here
from tests.making.forms import short_and_long
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[2]
OURS = ("midwatch", "shared", "trainer", "analyzer", "dashboard", "journeys")
STANDARD = ("json", "re", "logging", "pathlib", "queue", "ctypes", "hashlib", "sitecustomize", "usercustomize")
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "plotly", "pydantic", "psutil", "rich")
MORE = ("typer", "yaml", "watchdog", "streamlit", "tornado", "pandas", "pyarrow", "altair", "click", "peft")
NAMES = (*STANDARD, *LIBRARIES, *MORE)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one checkpoint and the traps; an import leaves a file in `tmp_path/sprung`."""
    path, sprung = describe(tmp_path / "run"), tmp_path / "sprung"
    sprung.mkdir()
    add_checkpoint(path, 10, judge_template(tmp_path), 1.0)
    for name in NAMES:
        (path / f"{name}.py").write_text(f"open({str(sprung / name)!r}, 'w').close()\n")
    for name in OURS:
        (path / name).mkdir()
        (path / name / "__init__.py").write_text(f"open({str(sprung / name)!r}, 'w').close()\n")
    (path / ".streamlit").mkdir()
    (path / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "elsewhere"\n')
    return path


def sprung(run: Path) -> list[str]:
    return sorted(path.name for path in (run.parent / "sprung").iterdir())


def environment(**more: str) -> dict[str, str]:
    """What a user's shell may have; nothing in it protects."""
    return {**ENVIRONMENT, "PYTHONPATH": str(ROOT), **more}


def called(run: Path, *words: str, safely: bool = True) -> subprocess.CompletedProcess[str]:
    """`midwatch WORDS...` in the run; the installed script has its own directory on the path, as -P has none."""
    options = ["-P"] if safely else []
    command = [sys.executable, *options, "-m", "midwatch", *words]
    return subprocess.run(command, cwd=run, env=environment(), capture_output=True, text=True, timeout=LIMIT_S)


def test_the_traps_work(run: Path) -> None:
    assert called(run, "--version", safely=False).returncode != 0
    assert "midwatch" in sprung(run)


@pytest.mark.parametrize("command", short_and_long(["watch . --once", "analyze . --force"]))
def test_the_analyzer_runs_none_of_them(run: Path, command: str) -> None:
    done = called(run, *command.split(), "--only", "tokens", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert results_of(run)
    assert not sprung(run)


def test_the_analyzer_beside_a_training_runs_none_of_them(run: Path) -> None:
    code = (
        "from pathlib import Path; from rich.console import Console; from trainer.beside import catch_up; "
        "catch_up(Path('.'), 1, 'basic', Console())"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=run, env=environment(), capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert results_of(run), done.stderr
    assert not sprung(run)


def test_the_dashboard_runs_none_of_them(run: Path) -> None:
    port = free_port()
    command = [sys.executable, "-P", "-m", "midwatch", "dashboard", ".", "--port", str(port)]
    log = run.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=run, env=environment(), stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or healthy(f"http://127.0.0.1:{port}"), "the dashboard")
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(LIMIT_S)
    assert not sprung(run)


@pytest.mark.parametrize("link", ["_midwatch/pins", "_midwatch/results/checkpoint-10/tokens"])
def test_nothing_is_deleted_through_a_link(tmp_path: Path, link: str) -> None:
    run, home = describe(tmp_path / "run"), tmp_path / "home"
    add_checkpoint(run, 10, judge_template(tmp_path), 1.0)
    for name in ("letters", ".letters"):
        (home / name).mkdir(parents=True)
        (home / name / "one").write_text("dear")
    (run / link).parent.mkdir(parents=True, exist_ok=True)
    (run / link).symlink_to(home)
    done = midwatch_here("analyze", ".", "--device", "cpu", cwd=run)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"midwatch: {run / link} is a symbolic link")
    assert all((home / name / "one").read_text() == "dear" for name in ("letters", ".letters"))
