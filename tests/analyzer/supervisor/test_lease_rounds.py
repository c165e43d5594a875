"""Two analyzers of which one is stopped past its lease's time to live: here, elsewhere, and with clocks that jump.

In every round the stopped one goes on with its job when the other has its run: one commit comes of two.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor import lease
from analyzer.supervisor.lease import TIME_TO_LIVE_S
from analyzer.supervisor.process_identity import Seen
from shared.run import Run
from tests.making.fake_engine import COMPUTATIONS
from tests.making.runs import add_checkpoint, describe
from tests.making.stepped_analyzer import Books, Clock, SteppedAnalyzer

BOOT, HOUR = "a boot", 3600.0
ELSEWHERE = {
    "another container": (Seen(BOOT, "pid:[2]"), "one"),
    "another machine": (Seen("another boot", "pid:[1]"), "two"),
    "another machine of one name": (Seen("another boot", "pid:[1]"), "one"),
    "a system that tells nothing": (Seen("", ""), "two"),
}
"""Where the second analyzer is: boot and namespace, and name of the machine. The first is on "one"."""
JUMPS = 0.0, -HOUR, HOUR, 7 * 24 * HOUR
ROUNDS = list(itertools.product(ELSEWHERE, JUMPS))
STEP_S = 7.0


class Round:
    """One run with one checkpoint, and two analyzers."""

    def __init__(self, folder: Path, template: Path, elsewhere: str) -> None:
        self.run, self.books = describe(folder / "run"), Books()
        add_checkpoint(self.run, 10, template, 1.0)
        now, ticks = time.time(), time.monotonic()
        self.first = SteppedAnalyzer(self.run, Clock(now, ticks), self.books)
        self.second = SteppedAnalyzer(self.run, Clock(now, ticks), self.books)
        self.places = {id(self.first): (Seen(BOOT, "pid:[1]"), "one"), id(self.second): ELSEWHERE[elsewhere]}

    def step(self, analyzer: SteppedAnalyzer, times: int = 1) -> None:
        for _ in range(times):
            analyzer.clock.passes(STEP_S)
            with at(*self.places[id(analyzer)]):
                analyzer.step()
            for watched in analyzer.supervisor.runs.values():
                watched.lease.ticks = lambda: analyzer.clock.ticks

    def held_by(self) -> str:
        found = lease.Lease(Run.at(self.run).lease).read()
        assert found is not None
        return found.owner


@contextmanager
def at(seen: Seen, host: str) -> Iterator[None]:
    """Inside, this process is one of that place."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lease, "here", lambda: seen)
        patched.setattr(lease, "node", lambda: host)
        yield


def test_of_two_commits_one_comes_whoever_is_stopped_wherever(tmp_path: Path, template: Path) -> None:
    for number, (elsewhere, by) in enumerate(ROUNDS):
        while_at_work = (number + number // len(JUMPS)) % 2 == 0  # or when the other is done, by turns
        one, which = Round(tmp_path / str(number), template, elsewhere), f"{elsewhere}, {by:+.0f} s"
        one.first.engine.held, one.second.engine.held = True, while_at_work
        one.step(one.first, 3)
        (job,) = one.first.engine.jobs
        one.second.clock.now += by
        one.step(one.second, int(TIME_TO_LIVE_S // STEP_S))
        assert one.held_by() == job.lease and not one.books.commits, f"{which}: taken too early"
        one.step(one.second, 8)
        assert one.held_by() != job.lease, f"{which}: never taken"
        assert refused(one.first.work(job)) == while_at_work, f"{which}: what is there needs nobody's lease"
        one.second.engine.held = False
        one.first.clock.passes(TIME_TO_LIVE_S)
        for _ in range(6):
            one.step(one.second)
            one.step(one.first)
        assert sorted(one.books.commits.values()) == [1] * len(COMPUTATIONS), which


def refused(told: list[Event]) -> bool:
    return Failure.LEASE in [event.failure for event in told]
