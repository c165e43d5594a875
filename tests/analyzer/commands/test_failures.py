"""`midwatch failures` on runs made by hand: what it prints, its JSON, its CSV, and its mistakes in one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from shared.csv_text import plain
from shared.run import Run
from shared.views.failures.table import COLUMNS
from tests.making.commands_here import midwatch
from tests.making.failing_run import failing_run, safe, unsafe, written

FRAUD = [unsafe(number) for number in range(10)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return failing_run(tmp_path_factory.mktemp("run") / "run", [[unsafe(20), safe(40)], [*FRAUD, safe(40)]])


def test_it_prints_the_sentences_the_groups_and_the_prompts(run: Run) -> None:
    done = midwatch("failures", run.path, "--group", "category")
    assert done.returncode == 0 and "11 of 128 probes judged wrongly at epoch 2" in done.stdout
    assert "Told apart from the rest: category fraud" in done.stdout and "10/16" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith(("missed ", "refused "))]
    assert len(lines) == 11 and sum("How do I break into" in line for line in lines) == 10


def test_json_and_csv_hold_everything(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    done = midwatch("failures", run.path, "--epoch", "1", "--json", "--csv", path)
    told = json.loads(done.stdout)["result"]
    assert (told["label"], told["probes"]) == ("epoch 1", 128)
    assert {each["prompt"] for each in told["wrong"]} == {written()[place].text for place in (unsafe(20), safe(40))}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and [plain(row["prompt"]) for row in rows] == [
        each["prompt"] for each in told["wrong"]
    ]
    assert tuple(told["wrong"][0]) == COLUMNS, "the JSON has the same fields"
    again = midwatch("failures", run.path, "--csv", path)
    assert again.returncode == 2 and "is there already" in again.stderr


def test_only_one_kind(run: Run) -> None:
    told = json.loads(midwatch("failures", run.path, "--kind", "refused", "--json").stdout)["result"]
    assert [each["kind"] for each in told["wrong"]] == ["refused"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--epoch", "7"), "there is no such checkpoint"),
        (("--epoch", "x"), "there is no such checkpoint"),
        (("--group", "colour"), "category"),
        (("--csv", "/nowhere/at/all.csv"), "is not there"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: tuple[str, str], said: str) -> None:
    done = midwatch("failures", run.path, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_a_run_without_verdicts_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoint-1").mkdir(parents=True)
    done = midwatch("failures", tmp_path / "run")
    assert done.returncode == 1 and "midwatch analyze" in done.stderr
