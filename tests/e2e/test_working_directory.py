"""Commands called in a run directory that holds modules of every name we import: none of them runs."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from midwatch import app
from tests.dashboard.browser import free_port, healthy
from tests.e2e.inputs import write_prompts, write_train_config
from tests.e2e.processes import ENVIRONMENT, results_of
from tests.making.commands_here import midwatch_here
from tests.making.forms import short_and_long
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import LIMIT_S, wait_until

ROOT = Path(__file__).parents[2]
OURS = ("midwatch", "shared", "trainer", "analyzer", "dashboard", "journeys")
IMPLICIT = ("queue", "ctypes", "sitecustomize", "usercustomize", "tornado", "pyarrow", "altair", "click", "numba")
"""What Python and our libraries import by themselves."""


def imported() -> set[str]:
    """Every name that our code imports from elsewhere, anywhere in it."""
    found = set()
    for path in (path for package in OURS[1:] for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return {name.partition(".")[0] for name in found} - set(OURS)


NAMES = tuple(sorted({*imported(), *IMPLICIT}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one checkpoint and the traps."""
    path = describe(tmp_path / "run")
    add_checkpoint(path, 10, judge_template(tmp_path), 1.0)
    return with_traps(path)


def with_traps(path: Path) -> Path:
    """A run in whose directory modules of every name lie; an import of one leaves a file in `sprung` beside it."""
    sprung = path.parent / "sprung"
    sprung.mkdir()
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
    assert {"json", "torch", "transformers", "safetensors", "streamlit", "plotly", "ribs", "peft"} <= set(NAMES)
    assert called(run, "--version", safely=False).returncode != 0
    assert "midwatch" in sprung(run)


@pytest.mark.parametrize("command", short_and_long(["watch . --once", "analyze . --force"]))
def test_the_analyzer_runs_none_of_them(run: Path, command: str) -> None:
    done = called(run, *command.split(), "--only", "tokens", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert results_of(run)
    assert not sprung(run)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with results of two checkpoints, and then the traps."""
    folder = tmp_path_factory.mktemp("analysed")
    path = describe(folder / "run")
    for step in (10, 20):
        add_checkpoint(path, step, judge_template(folder), step / 10)
    assert midwatch_here("analyze", path, "--only", "tokens", "--only", "progress").returncode == 0
    write_prompts(folder / "prompts.jsonl")
    return with_traps(path)


IN_A_WORKER = {
    "evaluate": ("evaluate . --data ../prompts.jsonl", "_midwatch/evaluations"),
    "attack": ("attack . --budget 60 --data ../prompts.jsonl", "_midwatch/attacks"),
    "ask": ('ask . "how do i bake bread" --part score', "_midwatch/asked"),
}
"""Command -> how it is called, and the folder that it fills."""
WITHOUT = {
    "track": "track . --to tensorboard",
    "report": "report . --to ../report.html",
    "mirror": "mirror s3://bucket/run ../copy --anonymous --endpoint http://127.0.0.1:9",
    "init": "init . --force",
    "export": "export . --to ../export",
    "overview": "overview .",
    "status": "status .",
    "compare": "compare .",
    "failures": "failures .",
    "doctor": "doctor .",
    "retry": "retry .",
    "cancel": "cancel . 0",
    "render": "render .",
    "prepare": "prepare ../prepared --data ../prompts.jsonl",
}
"""Commands that compute nothing with a judge; those first that import most."""
TRAINING = {
    "train": "train --output-dir out --config ../train.yaml --epochs 1",
    "demo": "demo --output-dir out --epochs 1 --no-serve --train-config ../train.yaml",
    "pipeline": "pipeline --output-dir out --config ../pipeline.yaml",
}


@pytest.mark.parametrize("command", short_and_long(IN_A_WORKER, 0))
def test_what_is_asked_of_a_judge_runs_none_of_them(analysed: Path, command: str) -> None:
    words, filled = IN_A_WORKER[command]
    done = called(analysed, *shlex.split(words))
    assert done.returncode == 0, done.stderr
    assert any((analysed / filled).iterdir())
    assert not sprung(analysed)


@pytest.mark.parametrize("command", short_and_long(WITHOUT, 4))
def test_no_other_command_runs_any_of_them(analysed: Path, command: str) -> None:
    done = called(analysed, *shlex.split(WITHOUT[command]))
    assert "Traceback" not in done.stderr
    assert not sprung(analysed)


@pytest.mark.parametrize("command", short_and_long(TRAINING))
def test_what_trains_runs_none_of_them(tmp_path: Path, command: str) -> None:
    train = yaml.safe_load(write_train_config(tmp_path).read_text())
    names = ("freeze_layers", "max_length", "batch_size", "learning_rate", "patience")
    pipeline = {"data": train["data"], "model": train["model"], "epochs": 1, "budget": 60}
    pipeline |= {"train": {name: train[name] for name in names}, "prepare": {"probes_per_class": 12}}
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
    place = tmp_path / "place"
    place.mkdir()
    done = called(with_traps(place), *shlex.split(TRAINING[command]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(place.glob("out/**/checkpoint-*"))
    assert not sprung(place)


def test_every_command_is_called_here() -> None:
    known = {command.name for command in app.registered_commands}
    called_alone = {"watch", "analyze", "dashboard"}
    assert known == called_alone | IN_A_WORKER.keys() | WITHOUT.keys() | TRAINING.keys()


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
