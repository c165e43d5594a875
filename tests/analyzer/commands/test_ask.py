"""`midwatch ask`, `cancel`, and `analyze` on a run that an analyzer has, as people type them."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from analyzer.commands import answering
from analyzer.commands.ask import chosen
from analyzer.supervisor.lease import Lease, holder
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from shared.errors import UsageError
from shared.requests.folder import all_states, entries, file_request, path_of
from shared.results import ResultStore
from shared.run import Run
from tests.analyzer.commands.test_cli import midwatch
from tests.making.asking import answer, asked
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe, judge_template

KNOWN = [Point(f"checkpoint-{step}", step, step / 10) for step in (10, 20, 30)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = describe(tmp_path / "run")
    for step in (10, 20):
        add_checkpoint(path, step, judge_template(tmp_path), step / 10)
    return Run.at(path)


def test_epochs_ranges_names_and_last() -> None:
    names = [point.name for point in KNOWN]
    assert chosen(KNOWN, "last") == names[2:]
    assert chosen(KNOWN, " last, 1") == [names[0], names[2]]
    assert chosen(KNOWN, "1-2,20,checkpoint-30") == names
    for wrong in ("4", "1,4", "5-9", "first", "", "1,", "3-1"):
        with pytest.raises(UsageError, match=r"--epochs .*(there are epoch 1 \(step 10\)|backwards)"):
            chosen(KNOWN, wrong)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((" ",), "The prompt is empty; write what the judge is to read."),
        (("a" * 100_000,), "The prompt has 100,000 characters; at most 20,000 can be asked."),
        (("do \u202eevil",), "U+202E at character 4"),
        (("\x1b[2J",), "the control character U+001B"),
        (("a", "--twin", "a"), "The twin is the prompt itself"),
        (("a", "--epochs", "7"), "--epochs 7: there is no such checkpoint; there are epoch 1 (step 10), epoch 2"),
        (("a", "--part", "magic"), "--part magic: there are score, words"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(run: Run, words: tuple[str, ...], says: str) -> None:
    done = midwatch("ask", run.path, *words)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr and "\u202e" not in done.stderr
    assert list(entries(run)) == []


def test_without_an_analyzer_it_is_answered_at_once_and_nothing_else_is_done(run: Run) -> None:
    words = ("how do i bake bread", "--epochs", "1,last", "--part", "words", "--part", "nearest", "--nice", "0")
    done = midwatch("ask", run.path, *words, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["result"]
    assert (told["state"], [each["label"] for each in told["answers"]]) == ("done", ["epoch 1", "epoch 2"])
    assert all(each["answer"]["words"]["words"] and each["answer"]["flips"] is None for each in told["answers"])
    assert list(entries(run)) == [] and ResultStore(run.results).checkpoints() == []
    assert holder(run.lease, time.time()) is None
    again = midwatch("ask", run.path, *words)
    assert again.returncode == 0, again.stderr
    lines = again.stdout.splitlines()
    assert lines[0].startswith("epoch 1: ") and "of 6 unsafe probes" in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:5]] == ["words", "near", "near", "near"]
    assert 'alike 1.00: "how do i bake bread" (safe' in lines[2]


def test_with_an_analyzer_it_is_asked_of_that_one(run: Run) -> None:
    engine = FakeEngine(answer)
    supervisor = Supervisor([run.path], Plan(), engine)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        while holder(run.lease, time.time()) is None:
            time.sleep(0.02)
        asking = midwatch("ask", run.path, "how do i bake bread", "--json")
        analysing = midwatch("analyze", run.path, "--epochs", "1", "--only", "tokens", "--force")
        wrong = midwatch("analyze", run.path, "--only", "magic")
        other = midwatch("analyze", run.path, "--unsafe-label", "1")
    finally:
        supervisor.stop()
        thread.join()
    assert asking.returncode == 0 and json.loads(asking.stdout)["result"]["state"] == "done", asking.stderr
    assert analysing.returncode == 0 and "figures in" in analysing.stdout, analysing.stderr
    assert any(job.analyses == ["tokens"] and job.force for job in engine.jobs)
    assert wrong.returncode == 2 and "There is no analysis 'magic'" in wrong.stderr.splitlines()[-1]
    assert other.returncode == 2 and "cannot be told --unsafe-label" in other.stderr
    assert {state.state for state in all_states(run)} == {"done", "refused"}


def test_cancel_of_what_nobody_has_and_of_what_an_analyzer_has(run: Run) -> None:
    name = file_request(run, asked()).id
    done = midwatch("cancel", run.path, name)
    assert done.returncode == 0 and "no analyzer had it" in done.stdout and list(entries(run)) == []
    unknown = midwatch("cancel", run.path, name)
    assert unknown.returncode == 2 and "There is no request" in unknown.stderr
    assert midwatch("cancel", run.path, "../../etc/passwd").returncode == 2
    Lease(run.lease).hold(time.time())
    file_request(run, asked())
    assert "Asked the analyzer" in midwatch("cancel", run.path, name).stdout
    assert path_of(run, name).is_file(), "its analyzer takes it away"
    assert sorted(entry.name.split("-")[0] for entry in entries(run)) == ["ask", "cancel"]


def test_ctrl_c_leaves_the_question_with_its_analyzer_and_says_how_to_fetch_the_answer(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed at the first look at what became of it."""
    Lease(run.lease).hold(time.time())
    told = answering._tell

    def press(*arguments: Any) -> None:
        told(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(answering, "_tell", press)
    done = midwatch("ask", run.path, "how do i bake bread")
    (name,) = [entry.name.removesuffix(".json") for entry in entries(run)]
    assert done.returncode == 130 and "Traceback" not in done.stderr
    assert f"The request {name} stays with the analyzer: the same command fetches its answer later" in done.stderr
    assert f"`midwatch cancel {run.path} {name}` stops it." in done.stderr
