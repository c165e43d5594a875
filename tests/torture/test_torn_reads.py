"""A step that is saved again and again while it is analysed, in place: no result is of two saves at once.

Beside it the same without the gate and without the last look at what was read, which shows that it could be seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate, Gate, Verdict
from analyzer.supervisor.plan import Plan
from analyzer.worker.work import Work
from tests.making.fork_server import ForkServer
from tests.making.runs import describe
from tests.making.stepped_analyzer import Books, Clock, SteppedAnalyzer

SAVES, FOR_LONG = 15, 400
"""Saves in the short form, about 4 s; and in the long one, about 100 s."""
STEP_S = 0.005
"""Between two rounds of the analyzer, seconds: more often than a tenth of a save."""
PLAN = Plan(rescan_s=0.0, settle_s=0.05, backoff_s=0.01)


@dataclass
class Reading:
    """What came of one training."""

    results: int
    torn: int


def read_while_saved(folder: Path, template: Path, forks: ForkServer, saves: int, announced: bool) -> Reading:
    """Analyse a run for as long as its one checkpoint is saved."""
    run, said = describe(folder / "run"), folder / "saved.txt"
    clock, books = Clock(time.time()), Books()
    analyzer = SteppedAnalyzer(run, clock, books, plan=PLAN)
    words = "tests.making.saving_again", str(run), str(template), str(saves), str(int(announced))
    training = forks.start(str(run), "", "0", "kill", *words, output=said)
    while len(said.read_text().splitlines()) < saves:
        clock.passes(time.time() - clock.now)
        analyzer.step()
        time.sleep(STEP_S)
    assert training.wait() == 0, said.read_text()
    whole = set(said.read_text().split())
    assert max(books.commits.values(), default=0) <= 1
    return Reading(len(books.weights), sum(weights not in whole for weights in books.weights.values()))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
def test_no_result_is_torn(tmp_path: Path, template: Path, forks: ForkServer, announced: bool) -> None:
    found = read_while_saved(tmp_path, template, forks, SAVES, announced)
    assert found.results > 0 and found.torn == 0


@pytest.mark.torture
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
def test_no_result_is_torn_for_long(tmp_path: Path, template: Path, forks: ForkServer, announced: bool) -> None:
    found = read_while_saved(tmp_path, template, forks, FOR_LONG, announced)
    print(f"saved {FOR_LONG} times, announced: {announced}: {found}")
    assert found.results > 50 and found.torn == 0


def test_without_the_gate_results_are_torn(
    tmp_path: Path, template: Path, forks: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "look", believe)
    monkeypatch.setattr(Work, "verify", lambda work: None)
    found = read_while_saved(tmp_path, template, forks, SAVES, announced=True)
    assert found.torn > 0


def believe(gate: Gate, name: str, now: float) -> Verdict:
    """A gate that stands open."""
    source = gate.run.directory_of(name)
    return Verdict(Candidate(name, 10, 1.0, source, fingerprint(source, name), now))
