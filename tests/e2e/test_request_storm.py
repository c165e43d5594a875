"""A storm of requests from two dashboards at an analyzer that is killed twice: each answered once or refused."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from dashboard.chrome.desk import filed_by
from shared.answers import ASK
from shared.requests.folder import all_states, entries
from shared.requests.record import Ask, AskedPrompt
from shared.run import Run
from tests.e2e.processes import started
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import wait_until

REQUESTS, SECONDS = 200, 10.0


def file_all(run: Run, who: str, count: int, filed: list[str], refused: list[str]) -> None:
    """One dashboard, by its own code: `count` requests over the time, every fourth one also the other's."""
    for number in range(count):
        text = f"prompt {number}" if number % 4 == 0 else f"prompt {number} of {who}"
        what = Ask(checkpoints=("checkpoint-10",), prompts=(AskedPrompt(text=text),), parts=("score",))
        name, why = filed_by(who, run, what)
        (filed if name else refused).append(name or why)
        time.sleep(SECONDS / count)  # the rate of the storm, nothing waits for it


@pytest.mark.slow
def test_a_storm_of_requests_and_an_analyzer_killed_twice(tmp_path: Path) -> None:
    path, log = describe(tmp_path / "run"), tmp_path / "log"
    add_checkpoint(path, 10, judge_template(tmp_path), 1.0)
    run = Run.at(path)
    filed: list[str] = []
    refused: list[str] = []
    writers = [
        threading.Thread(target=file_all, args=(run, who, REQUESTS // 2, filed, refused)) for who in ("one", "two")
    ]
    watch = ("midwatch", "watch", str(path), "--only", "progress", "--nice", "0")

    def answers() -> list[Path]:
        return [each for each in run.asked.glob(f"*/{ASK}/*/result.json") if not each.parent.name.startswith(".")]

    for writer in writers:
        writer.start()
    for enough in (3, 20):
        with started(*watch, log=log) as supervisor:
            wait_until(lambda enough=enough: len(answers()) >= enough, "some answers")
            supervisor.kill()
            supervisor.wait()
    with started(*watch, log=log):
        for writer in writers:
            writer.join()
        wait_until(lambda: not list(entries(run)), "every request to be answered")
    states = {state.id: state for state in all_states(run)}
    assert set(filed) <= states.keys() and len(filed) + len(refused) == REQUESTS, "none is lost"
    told = Counter(states[name].state for name in set(filed))
    assert set(told) <= {"done", "refused"} and told["done"] >= 60, log.read_text()[-2000:]
    keys = list(itertools.chain.from_iterable(states[name].checkpoints[0].answers for name in set(filed)
                                              if states[name].state == "done"))  # fmt: skip
    assert len(keys) == len(set(keys)) == told["done"] == len(answers()), "each once"
    assert all(state.sentence for state in states.values() if state.state == "refused")
