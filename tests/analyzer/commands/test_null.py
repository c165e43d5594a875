"""`midwatch analyze --null`: an untrained copy, apart from the run, and the table of what it would claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.commands.null import NOT_COMPUTED, Said, report, what_it_says
from shared.errors import MidwatchError
from shared.files import write_record
from shared.prompts.probes import write_probes
from shared.records import JudgeRecord, RunRecord
from shared.results import ResultStore
from shared.run import Run
from shared.views import get
from tests.making.commands_here import midwatch_here
from tests.making.fakes import fake_records
from tests.making.judges import random_probes
from tests.making.runs import add_checkpoint, snapshot
from tests.making.tiny import save_tiny_judge

ALL_QUIET = [Said("tokens", "Nothing to explain: ...", False), Said("heads", NOT_COMPUTED, False)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = tmp_path / "run"
    path.mkdir()
    template = save_tiny_judge(tmp_path / "template", "bert")
    write_record(path / "run.json", RunRecord(judge=JudgeRecord(max_length=40), frozen_layers=1))
    write_probes(path / "probes.jsonl", random_probes(20, pairs=8))
    add_checkpoint(path, 120, template, 3.0)
    return Run.at(path)


def test_nothing_is_claimed_of_a_copy_and_the_run_is_left_alone(run: Run) -> None:
    before = snapshot(run.path / "checkpoint-120")
    done = midwatch_here(
        "analyze", run.path, "--null", "--only", "layers", "--only", "comparison", "--device", "cpu"
    )
    assert done.returncode == 0, done.stderr
    lines = [
        line.split(maxsplit=3) for line in done.stdout.splitlines() if line.startswith(("layers", "comparison"))
    ]
    assert [line[:3] for line in lines] == [["layers", "claims", "nothing"], ["comparison", "claims", "nothing"]]
    assert "othing to explain: the separation of unsafe and safe is" in done.stdout
    assert "None of 2 analyses claims anything of a judge that learned nothing." in done.stdout
    assert snapshot(run.path / "checkpoint-120") == before
    assert run.checkpoints() == ["checkpoint-120"] and not run.results.exists() and not run.visualizations.exists()
    copy = Run.at(run.null / "untrained-0")
    assert {path.name for path in copy.visualizations.glob("*.html")} >= {"epoch_3_circuit_comparison.html"}
    assert copy.checkpoints() == [], "weights are made again from the seed, not kept"
    assert ResultStore(copy.results).newest("checkpoint-120", "layers") is not None


def test_claims_are_said_plainly_and_end_with_1(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    said = [*ALL_QUIET, Said("comparison", "Safe and unsafe part at layer 3 (in 9 of 10 splits)", True)]
    with pytest.raises(MidwatchError, match=r"1 of 2 analyses claims something of .*: comparison") as caught:
        report(run, "checkpoint-120", 4, said, Path("pages"))
    assert caught.value.exit_code == 1
    table = capsys.readouterr().out
    assert "CLAIMS" in table and "in 9 of 10 splits" in table and "seed 4" in table


def test_what_was_not_computed_is_no_claim_and_does_not_count(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report(run, "checkpoint-120", 0, ALL_QUIET, Path("pages"))
    assert "None of 1 analysis claims anything" in capsys.readouterr().out


def test_the_table_is_what_the_views_say(run: Run) -> None:
    records = {record.analysis: record for record in fake_records(1)}
    views = [get(name) for name in ("layers", "comparison")]
    assert [line.text for line in what_it_says(run, "checkpoint-120", views)] == [NOT_COMPUTED] * 2
    for record in records.values():
        ResultStore(run.results).commit(record)
    said = what_it_says(run, records["layers"].checkpoint, views)
    claiming = [line for line in said if line.analysis == "layers"]
    assert len(claiming) == 4 and all(line.claims for line in claiming), "each page that claims something"
