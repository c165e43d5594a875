"""What a shell offers, and that a press of Tab loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.completion import offered
from shared.processes import child_environment
from shared.run import Run
from shared.views import all_views
from tests.making.fake_run import make_fake_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    make_fake_run(folder / "runs" / "judge", epochs=2)
    (folder / "rubbish").mkdir()
    (folder / ".hidden" / "checkpoint-1").mkdir(parents=True)
    return folder


def test_runs_and_what_leads_to_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert offered("run", {}, "") == ["runs"]
    assert offered("run", {}, "runs/") == ["runs/judge"] == offered("runs", {}, "runs/ju")
    assert offered("run", {}, f"{folder}/ru") == [f"{folder}/runs"]
    assert offered("run", {}, "ru/no/such") == [] == offered("run", {}, "x\0y")


def test_checkpoints_epochs_and_steps_of_the_run_before(folder: Path) -> None:
    given = {"run": folder / "runs" / "judge"}
    assert offered("checkpoint", given, "") == ["checkpoint-240", "checkpoint-120", "best", "last"]
    assert offered("epochs", given, "") == ["1", "2", "last"]
    assert offered("epochs", given, "1,") == ["1,1", "1,2", "1,last"]
    assert offered("steps", given, "12") == ["120"]
    assert offered("epochs", {"run": folder / "none"}, "") == [] == offered("steps", {"run": folder / "none"}, "")


def test_requests_that_wait(folder: Path) -> None:
    run = Run.at(folder / "runs" / "judge")
    run.requests.mkdir(parents=True)
    (run.requests / "ask-00.json").write_text("{}")
    assert offered("request", {"run": run.path}, "a") == ["ask-00"]


def test_analyses_are_those_that_there_are() -> None:
    assert offered("only", {}, "") == sorted(view.name for view in all_views())
    assert offered("only", {}, "ne") == ["neurons"]


def complete(words: str, cwd: Path) -> list[str]:
    """What bash is told for a line whose last word is being typed."""
    code = (
        "import sys; from midwatch import app; sys.argv[0] = 'midwatch'\n"
        "try:\n  app(prog_name='midwatch')\nfinally:\n"
        "  heavy = {'torch', 'transformers', 'streamlit', 'plotly', 'numpy'} & set(sys.modules)\n"
        "  print('heavy:', sorted(heavy), file=sys.stderr)"
    )
    typed = {
        "_MIDWATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=child_environment(**typed, PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[2])])),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "heavy: []" in done.stderr, done.stderr
    return done.stdout.split()


def test_a_shell_is_told(folder: Path) -> None:
    assert "overview" in complete("midwatch ov", folder)
    assert complete("midwatch watch runs/", folder) == ["runs/judge"]
    assert complete("midwatch analyze runs/judge --epochs ", folder) == ["1", "2", "last"]
    assert complete("midwatch analyze runs/judge --suite a", folder) == ["advanced"]
