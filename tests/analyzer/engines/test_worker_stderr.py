"""What a worker prints, where a progress line is drawn on the terminal that both would write to."""

from __future__ import annotations

import io
import sys
import time

import pytest

from analyzer.engines.local import LocalEngine
from analyzer.jobs.messages import WorkerOptions
from tests.making.waiting import wait_until

SPEAKS = (sys.executable, "-c", "import sys; sys.stderr.buffer.write(b'one\\ntw\\xff\\n')")


class Screen(io.StringIO):
    """Stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_it_comes_through_our_own_stderr_before_what_we_say_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    engine = LocalEngine(WorkerOptions(), command=SPEAKS)
    engine.start()
    said: list[str] = []

    def refused() -> bool:
        for event in engine.poll(time.time()):
            said.append(f"{screen.getvalue().count('one')} {event.kind}")
        return bool(said)

    wait_until(refused, "three workers that could not start")
    engine.close()
    ours = "the worker could not start"  # in the log, where an earlier test has turned it on
    relayed = [line for line in screen.getvalue().splitlines() if ours not in line]
    assert said == ["3 refused"] and relayed == ["one", "tw\ufffd"] * 3
