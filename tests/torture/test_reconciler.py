"""Whatever a training, its disk, the clock and two analyzers do, in whichever order: the promise of RELIABILITY.md.

A model of what was saved is kept beside the real supervisor. Hypothesis looks for an order of events after which a
complete checkpoint has no result or two, a half-written one has any, something waits for ever, or a file of the
training is not as it was left; and then for the shortest one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from analyzer.jobs.messages import Failure
from shared.files import read_record
from shared.records import CheckpointState, Status
from shared.run import Run
from tests.making.chunked_training import ChunkedTraining
from tests.making.fake_engine import COMPUTATIONS
from tests.making.hostile import LOST_CHECKPOINT, LOST_RUN, SPOILED_BOOKS, WHOLE_CHECKPOINT
from tests.making.runs import add_checkpoint, describe
from tests.making.stepped_analyzer import Books, Clock, SteppedAnalyzer

STEPS = st.sampled_from([10, 20, 30, 40])
HOSTILE = (
    WHOLE_CHECKPOINT
    | SPOILED_BOOKS
    | LOST_RUN
    | {name: maker for name, maker in LOST_CHECKPOINT.items() if "layers" not in name and "deeply" not in name}
)
"""All kinds that cost next to nothing."""
FAILURES = (Failure.ANALYSIS, Failure.CRASH, Failure.MEMORY, Failure.TIMEOUT, Failure.STORAGE, Failure.CHANGED)
OPEN = (CheckpointState.QUEUED, CheckpointState.RUNNING, CheckpointState.RETRYING)
LONG_S = 4000.0
"""Seconds after which whatever was waited for is over."""
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where histories take place: what a disk makes of it is no question here, and would take most of the time."""


class Reconciler(RuleBasedStateMachine):
    """One run among others, its training, and two analyzers of which one is needed."""

    template: Path

    @initialize(workers=st.integers(1, 2))
    def set_up(self, workers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.run = describe(self.folder / "runs" / "run")
        self.clock, self.books = Clock(time.time()), Books()
        self.training = ChunkedTraining(self.run, self.template, lambda: self.clock.now)
        self.analyzers = [SteppedAnalyzer(self.folder / "runs", self.clock, self.books, workers) for _ in range(2)]
        self.seen: set[str] = set()

    @rule(step=STEPS, announced=st.booleans())
    def begin_save(self, step: int, announced: bool) -> None:
        self.training.begin(step, announced=announced)

    @precondition(lambda self: self.training.saving)
    @rule()
    def save_a_piece(self) -> None:
        self.training.go_on()

    @rule(step=STEPS, announced=st.booleans())
    def save_at_once(self, step: int, announced: bool) -> None:
        self.training.begin(step, announced=announced)
        while self.training.saving:
            self.training.go_on()

    @rule()
    def training_crashes(self) -> None:
        self.training.crash()

    @precondition(lambda self: self.training.checkpoints())
    @rule(data=st.data(), files=st.sampled_from([None, 1, 3]))
    def rotate(self, data: st.DataObject, files: int | None) -> None:
        self.training.delete(data.draw(st.sampled_from(self.training.checkpoints())), files)

    @rule(which=st.integers(0, 1), seconds=st.sampled_from([0.0, 1.0, 3.0, 30.0, 130.0]))
    def look(self, which: int, seconds: float) -> None:
        self.clock.passes(seconds)
        self.analyzers[which].step()
        self.note_seen()

    @rule(which=st.integers(0, 1))
    def analyzer_is_killed(self, which: int) -> None:
        self.analyzers[which].killed()

    @rule(which=st.integers(0, 1))
    def analyzer_is_stopped(self, which: int) -> None:
        self.analyzers[which].stopped()

    @rule(which=st.integers(0, 1), held=st.booleans())
    def job_takes_long(self, which: int, held: bool) -> None:
        self.analyzers[which].engine.held = held

    @rule(which=st.integers(0, 1), failure=st.sampled_from(FAILURES))
    def next_job_fails(self, which: int, failure: Failure) -> None:
        self.analyzers[which].fails_with.append(failure)

    @rule(by=st.sampled_from([-3600.0, 3600.0, 7 * 86400.0]))
    def clock_is_set(self, by: float) -> None:
        self.clock.now += by

    @precondition(lambda self: self.training.checkpoints())
    @rule(which=st.integers(0, 1), data=st.data())
    def an_event_is_not_lost(self, which: int, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.training.checkpoints()))
        self.analyzers[which].supervisor.hear([(self.run, name)])
        self.analyzers[which].supervisor.notice([self.run])

    @rule(kind=st.sampled_from(sorted(HOSTILE)))
    def somebody_writes_beside_it(self, kind: str) -> None:
        neighbour = self.folder / "runs" / kind.replace(" ", "-")[:40]
        if not neighbour.exists():
            describe(neighbour)
            for step in (10, 20):
                add_checkpoint(neighbour, step, self.template, step / 10)
            HOSTILE[kind](neighbour)

    @invariant()
    def the_training_is_left_alone(self) -> None:
        if hasattr(self, "training"):
            assert self.training.untouched()

    @invariant()
    def nothing_is_torn_or_done_twice(self) -> None:
        for (place, analysis, key), count in getattr(self, "books", Books()).commits.items():
            run, _, checkpoint = place.partition("/")
            assert count == 1, f"{place}: {analysis} {key} was committed {count} times"
            if run == self.run.name:
                assert self.books.weights[place, analysis, key] in self.training.whole[checkpoint], place

    def note_seen(self) -> None:
        """What status.json ever called complete may not vanish without a word."""
        for name, state in self.rows().items():
            if state in (*OPEN, CheckpointState.DONE):
                self.seen.add(name)

    def rows(self) -> dict[str, CheckpointState]:
        try:
            status = read_record(Run.at(self.run).status, Status)
        except FileNotFoundError:
            return {}
        return {row.checkpoint: row.state for row in status.checkpoints}

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.settle()
            self.the_training_is_left_alone()
            self.nothing_is_torn_or_done_twice()
            self.all_has_ended()
        finally:
            shutil.rmtree(self.folder)

    def settle(self) -> None:
        """Nothing happens any more, and one analyzer goes on for as long as anything can take."""
        self.training.crash()
        for analyzer in self.analyzers:
            analyzer.killed()
            analyzer.fails_with.clear()
        for seconds in [3.0] * 6 + [70.0] * 4 + [LONG_S] + [3.0] * 12 + [LONG_S] + [3.0] * 8:
            self.clock.passes(seconds)
            self.analyzers[0].step()

    def all_has_ended(self) -> None:
        rows = self.rows()
        assert not {name for name, state in rows.items() if state in OPEN}, rows
        assert self.seen <= rows.keys(), (self.seen, rows)
        for name, weights in self.training.complete.items():
            assert rows[name] in (CheckpointState.DONE, CheckpointState.QUARANTINED), rows
            if rows[name] == CheckpointState.DONE:
                done = [
                    analysis
                    for (place, analysis, _), seen in zip(
                        self.books.weights, self.books.weights.values(), strict=True
                    )
                    if place == f"{self.run.name}/{name}" and seen == weights
                ]
                assert sorted(done) == sorted(COMPUTATIONS), (name, done, rows)
        left = [path.name for path in (self.run / "_midwatch" / "pins").glob("*")]
        assert not set(left) - {name for name, state in rows.items() if state == CheckpointState.QUARANTINED}, left


@pytest.fixture(autouse=True)
def small_judge(template: Path) -> None:
    Reconciler.template = template


SHORT = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_all_ends_well_whatever_happens() -> None:
    run_state_machine_as_test(Reconciler, settings=SHORT)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_all_ends_well_for_hundreds_of_histories() -> None:
    run_state_machine_as_test(Reconciler, settings=settings(SHORT, max_examples=200, stateful_step_count=50))


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_all_ends_well_for_thousands_of_histories() -> None:
    long = settings(SHORT, max_examples=5000, stateful_step_count=100, derandomize=False)
    run_state_machine_as_test(Reconciler, settings=long)
