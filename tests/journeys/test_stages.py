"""The pipeline's stage machinery, with real processes in place of Midwatch's commands."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import journeys.stage_runner
from journeys.children import Child, stopping_children
from journeys.leftovers import stop_leftover
from journeys.pipeline import refuse_failures, show_tails
from journeys.stage import Stage, State
from journeys.stage_record import RecordFile, StageRecord
from journeys.stage_runner import Shown, StageRunner
from shared.errors import MidwatchError, UsageError
from tests.making.waiting import wait_until

WORKS = """
import pathlib, sys, time
folder, name, what, *more = sys.argv[1:]
folder = pathlib.Path(folder)
with (folder / "ran.txt").open("a") as file:
    file.write(" ".join([name, *more]) + "\\n")
if what == "cries":
    print(*(f"line {number}" for number in range(30)), sep="\\n", flush=True)
    raise ZeroDivisionError("the scales show nothing")
if what in ("fails", "spills"):
    if what == "spills":
        (folder / name).touch()
    sys.exit("midwatch: The oven is cold; light it.")
if what == "hangs":
    time.sleep(600)
if what != "idles":
    (folder / name).touch()
if what == "stays":
    time.sleep(600)
"""
"""A command that notes that it ran, and with which words, then fails, hangs, works, idles, or works and stays."""


class Kitchen:
    """A folder of stages, each of which makes a file of its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: list[list[tuple[str, State]]] = []

    def stage(self, name: str, what: str = "works", *needs: str, **more: Any) -> Stage:
        words = {"words": lambda: [str(self.folder), name, what]} | more
        return Stage(name, made=lambda: (self.folder / name).exists(), needs=needs, **words)

    def run(self, *stages: Stage) -> dict[str, Shown]:
        with stopping_children() as children:
            record = RecordFile(self.folder / "pipeline.json")
            rows = StageRunner(stages, record, self.folder / "logs", self.start, children, self.show).run()
        return {row.stage.name: row for row in rows}

    def start(self, words: Sequence[str], log: Path, cores: Sequence[int]) -> Child:
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", WORKS, *words], stdout=output, stderr=output, start_new_session=True
            )
        return Child(words[1], process, log)

    def show(self, rows: Sequence[Shown]) -> None:
        self.shown.append([(row.stage.name, row.state) for row in rows])

    @property
    def ran(self) -> list[str]:
        """What ran so far, in order."""
        path = self.folder / "ran.txt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    monkeypatch.setattr(journeys.stage_runner, "POLL_S", 0.02)
    return Kitchen(tmp_path)


def test_stages_run_in_order_and_only_once(kitchen: Kitchen) -> None:
    stages = [kitchen.stage("dough"), kitchen.stage("cake", "works", "dough")]
    assert [row.state for row in kitchen.run(*stages).values()] == [State.DONE, State.DONE]
    again = kitchen.run(*stages)
    assert all(row.earlier and row.state is State.DONE for row in again.values())
    assert kitchen.ran == ["dough", "cake"]
    assert [("dough", State.RUNNING), ("cake", State.WAITING)] in kitchen.shown


def test_a_failure_is_said_in_its_own_words_and_what_needs_it_is_left_out(kitchen: Kitchen) -> None:
    stages = [kitchen.stage("dough", "fails"), kitchen.stage("cake", "works", "dough"), kitchen.stage("tea")]
    rows = kitchen.run(*stages)
    assert (rows["dough"].state, rows["cake"].state, rows["tea"].state) == (State.FAILED, State.MISSED, State.DONE)
    assert rows["dough"].cause.startswith("exit code 1: The oven is cold; light it. (log: ")
    assert rows["cake"].cause == "needs dough, whose work is not there"
    mended = kitchen.run(kitchen.stage("dough"), *stages[1:])
    assert [row.state for row in mended.values()] == [State.DONE] * 3 and mended["tea"].earlier
    assert kitchen.ran == ["dough", "tea", "dough", "cake"]


def test_a_command_that_leaves_nothing_has_failed_and_its_files_say_why(kitchen: Kitchen) -> None:
    """As `watch` beside a training: it is stopped once it is through with every checkpoint, for good or ill."""
    stages = [
        kitchen.stage("dough", "idles"),
        kitchen.stage("tea", "idles", why_not=lambda: "1 not analysed. bag-3: It is torn."),
    ]
    rows = kitchen.run(*stages)
    log = kitchen.folder / "logs"
    assert rows["dough"].cause == (
        f"it ended without an error, but its work is not there (log: {log / 'dough.log'})"
    )
    assert rows["tea"].cause == f"1 not analysed. bag-3: It is torn (log: {log / 'tea.log'})"


def test_the_end_of_what_a_failed_stage_said_is_shown(kitchen: Kitchen) -> None:
    """Where it is a traceback; one sentence is told anyway."""
    rows = kitchen.run(kitchen.stage("dough", "cries"), kitchen.stage("tea", "fails"), kitchen.stage("cake"))
    assert rows["dough"].cause.startswith("exit code 1: ZeroDivisionError: the scales show nothing (log: ")
    console = Console(record=True, width=200, file=io.StringIO())
    show_tails(console, list(rows.values()))
    shown = console.export_text()
    assert shown.startswith("The last lines of dough:\n  ") and "Traceback" in shown and "line 29" in shown
    assert "line 5\n" not in shown and "tea" not in shown and "cake" not in shown


def test_the_last_sentence_names_what_failed_and_what_was_left_out_with_the_reason(kitchen: Kitchen) -> None:
    rows = kitchen.run(kitchen.stage("dough", "fails"), kitchen.stage("cake", "works", "dough"))
    with pytest.raises(MidwatchError) as caught:
        refuse_failures(list(rows.values()))
    said = str(caught.value)
    assert said.startswith("Failed: dough (exit code 1: The oven is cold; light it. (log: ")
    assert said.endswith(
        "Left out: cake (needs dough, whose work is not there). The same command goes on from there."
    )
    refuse_failures(list(kitchen.run(kitchen.stage("tea")).values()))


def test_what_the_user_leaves_out_counts_when_it_is_there(kitchen: Kitchen) -> None:
    cake = kitchen.stage("cake", "works", "dough")
    without = [kitchen.stage("dough", skipped="--skip-dough"), cake]
    assert [row.state for row in kitchen.run(*without).values()] == [State.SKIPPED, State.MISSED]
    kitchen.run(kitchen.stage("dough"))
    assert [row.state for row in kitchen.run(*without).values()] == [State.SKIPPED, State.DONE]
    assert kitchen.run(kitchen.stage("dough"), cake)["dough"].earlier


def test_other_words_do_it_again_or_are_refused(kitchen: Kitchen) -> None:
    kitchen.run(kitchen.stage("tea"), kitchen.stage("dough"))
    kitchen.run(kitchen.stage("tea", "brews"))
    assert kitchen.ran == ["tea", "dough", "tea"]
    with pytest.raises(UsageError, match="was begun with other options"):
        kitchen.run(kitchen.stage("dough", "fails", fixed=True))


def test_work_of_an_earlier_command_is_not_taken_for_a_failed_ones(kitchen: Kitchen) -> None:
    kitchen.run(kitchen.stage("tea"))
    assert kitchen.run(kitchen.stage("tea", "fails"))["tea"].state is State.FAILED
    assert kitchen.run(kitchen.stage("tea", "fails"))["tea"].state is State.FAILED


def test_what_failed_after_its_work_was_there_is_done_again(kitchen: Kitchen) -> None:
    """A page, say, could not be drawn. What cannot be done over in its place is taken as it is."""
    rows = kitchen.run(kitchen.stage("tea", "spills"), kitchen.stage("dough", "spills"))
    assert [row.state for row in rows.values()] == [State.FAILED] * 2
    assert not kitchen.run(kitchen.stage("tea", "spills"))["tea"].earlier
    assert kitchen.run(kitchen.stage("dough", "spills", fixed=True))["dough"].earlier


def test_what_rests_on_other_contents_is_done_again(kitchen: Kitchen) -> None:
    """Or refused, where it cannot be done over; made anew with the same contents it changes nothing."""
    flour = kitchen.folder / "flour"
    flour.write_text("rye")
    cake, bread = (kitchen.stage(name, inputs=lambda: [flour]) for name in ("cake", "bread"))
    kitchen.run(cake, bread)
    flour.write_text("rye")
    kitchen.run(cake, bread)
    flour.write_text("wheat")
    kitchen.run(cake)
    assert kitchen.ran == ["cake", "bread", "cake"]
    config = kitchen.folder / "cake.yaml"
    config.write_text("heat: 200")
    told = kitchen.stage(
        "tea", "works", words=lambda: [str(kitchen.folder), "tea", "works", "--config", str(config)]
    )
    kitchen.run(told)
    kitchen.run(told)
    config.write_text("heat: 180")
    kitchen.run(told)
    assert len(kitchen.ran) == 5
    with pytest.raises(UsageError, match="with other options or other data"):
        kitchen.run(kitchen.stage("bread", inputs=lambda: [flour], fixed=True))


def test_the_last_is_done_again_when_anything_was_done(kitchen: Kitchen) -> None:
    tea, bill = kitchen.stage("tea"), kitchen.stage("bill", again=True)
    kitchen.run(tea, bill)
    kitchen.run(tea, bill)
    kitchen.run(tea, kitchen.stage("cake"), bill)
    assert kitchen.ran == ["tea", "bill", "cake", "bill"]


def test_one_runs_beside_another_until_its_work_is_there(kitchen: Kitchen) -> None:
    """As the analyzer does: it never ends by itself."""
    cake = kitchen.stage("cake")
    guard = kitchen.stage(
        "guard",
        "stays",
        "cake",
        beside="cake",
        alone=("--once",),
        until=lambda: (kitchen.folder / "guard").exists(),
    )
    rows = kitchen.run(cake, guard)
    assert rows["guard"].state is State.DONE and sorted(kitchen.ran) == ["cake", "guard"]
    assert [("cake", State.RUNNING), ("guard", State.RUNNING)] in kitchen.shown
    (kitchen.folder / "guard").unlink()
    kitchen.run(cake, guard)
    assert kitchen.ran[2:] == ["guard --once"]


def test_what_runs_beside_a_failure_is_ended(kitchen: Kitchen) -> None:
    guard = kitchen.stage("guard", "hangs", "cake", beside="cake", until=lambda: False)
    rows = kitchen.run(kitchen.stage("cake", "fails"), guard)
    assert rows["guard"].state is State.MISSED


def test_two_that_end_by_themselves_side_by_side(kitchen: Kitchen) -> None:
    """A judge and its control; what is done of the two is not done again."""
    judge, control = kitchen.stage("judge"), kitchen.stage("control", beside="judge")
    kitchen.run(judge, control)
    (kitchen.folder / "judge").unlink()
    rows = kitchen.run(judge, control)
    assert sorted(kitchen.ran) == ["control", "judge", "judge"] and rows["control"].earlier


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from tests.journeys.test_stages import Kitchen
kitchen = Kitchen(Path(sys.argv[1]))
kitchen.run(*[kitchen.stage(name, "hangs" if name == sys.argv[3] else "works") for name in ("a", "b", "c")])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("hanging", ["a", "b", "c"])
def test_killed_at_any_stage_nothing_is_done_twice(kitchen: Kitchen, hanging: str, number: int) -> None:
    """Killed outright it cannot end its child; the next one does that before it goes on."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", KILLED, str(kitchen.folder), root, hanging]
    pipeline = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root})
    wait_until(lambda: kitchen.ran[-1:] == [hanging], "the hanging stage")
    path = kitchen.folder / "pipeline.json"
    wait_until(lambda: json.loads(path.read_text())["stages"].get(hanging, {}).get("pid"), "its process' number")
    left = json.loads(path.read_text())["stages"][hanging]["pid"]
    pipeline.send_signal(number)
    pipeline.wait()
    rows = kitchen.run(*[kitchen.stage(name) for name in ("a", "b", "c")])
    assert all(row.state is State.DONE for row in rows.values())
    assert kitchen.ran == ["a", "b", "c"][: "abc".index(hanging) + 1] + ["a", "b", "c"]["abc".index(hanging) :]
    assert not Path(f"/proc/{left}").exists() or "hangs" not in Path(f"/proc/{left}/cmdline").read_text()


def test_nobody_elses_process_is_ended(tmp_path: Path) -> None:
    """The number of a process that is gone may be another's by now."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "dinner"])
    try:
        assert not stop_leftover(other.pid, ["midwatch", "train"]) and not stop_leftover(other.pid, [])
        assert other.poll() is None
        wait_until(lambda: b"dinner" in Path(f"/proc/{other.pid}/cmdline").read_bytes(), "its command line")
        assert stop_leftover(other.pid, ["dinner"], grace_s=0.2)
    finally:
        other.kill()
        other.wait()


def test_killed_before_a_number_was_written_down_the_process_is_found_by_its_words(kitchen: Kitchen) -> None:
    stage = kitchen.stage("dough")
    words = [str(kitchen.folder), "dough", "works"]
    sleeps = "import time; time.sleep(600)"
    left = subprocess.Popen([sys.executable, "-c", sleeps, "midwatch", *words, "--resume"])
    other = subprocess.Popen([sys.executable, "-c", sleeps, "midwatch", *words[:2]])
    try:
        for process in (left, other):
            wait_until(lambda one=process: b"dough" in Path(f"/proc/{one.pid}/cmdline").read_bytes(), "its words")
        RecordFile(kitchen.folder / "pipeline.json").set("dough", StageRecord(state=State.RUNNING, words=words))
        assert kitchen.run(stage)["dough"].state is State.DONE
        assert left.wait() == -signal.SIGTERM and other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_a_record_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text("{")
    with pytest.raises(UsageError, match="Delete it"):
        RecordFile(tmp_path / "pipeline.json")
