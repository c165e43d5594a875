"""`--json`: one object of one shape on stdout, whatever the command, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from midwatch import app
from shared.run import Run
from shared.version import __version__
from tests.making.commands_here import midwatch
from tests.making.fake_run import make_fake_run

DOCUMENT = Path(__file__).parents[3] / "docs" / "json.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_fake_run(tmp_path_factory.mktemp("json") / "run", epochs=3)


def told(*words: object, code: int = 0) -> dict[str, Any]:
    done = midwatch(*words, "--json")
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert done.stdout.isascii()
    assert set(found) == {"schema_version", "midwatch", "command", "path", "result"}
    assert (found["schema_version"], found["midwatch"], found["command"]) == (1, __version__, words[0])
    return found


def test_status_of_a_run_and_of_a_folder(run: Run, tmp_path: Path) -> None:
    found = told("status", run.path)
    assert found["path"] == str(run.path)
    [one] = found["result"]["runs"]
    assert (one["path"], one["state"], len(one["checkpoints"])) == (str(run.path), "idle", 3)
    for name in ("a", "b"):
        make_fake_run(tmp_path / name, epochs=1)
    both = told("status", tmp_path)["result"]["runs"]
    assert {Path(each["path"]).name for each in both} == {"a", "b"}


def test_overview_has_the_row_of_every_checkpoint(run: Run) -> None:
    [one] = told("overview", run.path)["result"]["runs"]
    assert [row["checkpoint"] for row in one["checkpoints"]] == [
        "checkpoint-120",
        "checkpoint-240",
        "checkpoint-360",
    ]
    assert one["best"] in {row["checkpoint"] for row in one["checkpoints"]} and one["max_fpr"] == 0.2
    assert all(0 <= row["auc_low"] <= row["auc"] <= row["auc_high"] <= 1 for row in one["checkpoints"])
    assert told("overview", run.path, "--max-fpr", "0")["result"]["runs"][0]["max_fpr"] == 0


def test_overview_in_words_says_the_same(run: Run, tmp_path: Path) -> None:
    [one] = told("overview", run.path)["result"]["runs"]
    done = midwatch("overview", run.path)
    assert done.stdout.startswith("run: " + " ".join(one["sentences"]))
    assert "epoch 3" in done.stdout and "against the best" in done.stdout
    nothing = midwatch("overview", tmp_path)
    assert nothing.returncode == 1 and nothing.stderr.count("\n") == 1 and nothing.stdout == ""


def test_report_render_and_export_say_what_they_wrote(run: Run, tmp_path: Path) -> None:
    [page] = told("report", run.path, "--to", tmp_path / "r.html")["result"]["files"]
    assert page == {"path": str(tmp_path / "r.html"), "bytes": (tmp_path / "r.html").stat().st_size}
    drawn = told("render", run.path)["result"]["files"]
    assert {"index.html", "training_progress.html"} <= {Path(each["path"]).name for each in drawn}
    words = ("--to", tmp_path / "tables", "--format", "csv", "--pictures", "none")
    tables = told("export", run.path, *words)["result"]
    assert tables["folder"] == str(tmp_path / "tables") and tables["pictures"] == 0
    assert json.loads((tmp_path / "tables" / "export.json").read_text())["tables"] == tables["tables"]


def test_doctor_reports_what_is_broken_and_fails(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    found = told("doctor", tmp_path, "--device", "cpu", code=1)["result"]["findings"]
    assert {"state": "broken", "what": "description"}.items() <= next(
        each for each in found if each["what"] == "description"
    ).items()
    assert any(each["state"] == "good" for each in found)


def test_a_failure_leaves_stdout_empty(tmp_path: Path) -> None:
    for name in ("status", "overview", "report", "render", "export"):
        words = ("--to", tmp_path / "x") if name == "export" else ()
        done = midwatch(name, tmp_path, *words, "--json")
        assert done.returncode and done.stdout == "" and done.stderr.count("\n") == 1, name


def test_every_command_with_the_option_is_documented() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    able = {name for name, command in commands.items() if any("--json" in each.opts for each in command.params)}
    assert able == set(
        re.findall(r"^\| `([a-z]+)` \|", DOCUMENT.read_text().partition("| command |")[2], re.MULTILINE)
    )
    assert {"status", "doctor", "evaluate", "attack", "report", "overview", "export", "ask"} <= able
