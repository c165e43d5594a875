"""An analyzer as `midwatch watch --once` is, with a worker that something happens to at one of its steps.

`python -m tests.making.supervised RUN SERVER AT ACT LOG`: the server is `tests.making.fork_server`'s, the rest are
the words of `tests.making.struck` for the first worker; nothing happens to those that come after it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path

from analyzer.engines.local import LocalEngine
from analyzer.jobs.messages import Job, WorkerOptions
from analyzer.supervisor import lease, litter
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.logs import set_up
from tests.making.fork_server import ForkServer

WANTED = ("progress",)
BEAT_S, LIVES_S = 0.2, 2.0
"""Of its lease, seconds: nobody waits a minute in a test."""


class StruckOnce(LocalEngine):
    """The real engine; only its first worker is struck."""

    later: list[str]
    submitted = 0

    def start(self) -> None:
        super().start()
        self._command = self.later

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        self.submitted += 1
        super().submit(job, devices)


class Counting(Supervisor):
    """Counts how often a run is looked at until its last job begins."""

    looks, until_last_job, known_jobs = 0, 0, 0

    def look(self, watched: WatchedRun, now: float) -> None:
        self.looks += bool(self.computations)  # before, nobody knows what there is to do
        super().look(watched, now)

    def step(self, now: float) -> None:
        super().step(now)
        if isinstance(self.engine, StruckOnce) and self.engine.submitted > self.known_jobs:
            self.until_last_job, self.known_jobs = self.looks, self.engine.submitted


def main(run: str, server: str, at: str = "0", act: str = "kill", log: str = "", mode: str = "once") -> None:
    """Until all is done, then one line of JSON says after how many looks; with the mode "watch" until killed."""
    set_up("text")
    lease.HEARTBEAT_S, lease.TIME_TO_LIVE_S = BEAT_S, LIVES_S
    litter.OLD_S = -1.0  # whatever lies there at the start is an older one's, however fast we were
    forks = ForkServer(Path(server))
    engine = StruckOnce(
        WorkerOptions(nice=0),
        wake=lambda: supervisor.woken.set(),
        command=forks.command(run, log, at, act, "analyzer.worker"),
    )
    engine.later = forks.command(run, "", "0", "kill", "analyzer.worker")
    plan = Plan(once=mode == "once", only=WANTED, backoff_s=0.05, rescan_s=0.2, settle_s=0.2)
    supervisor = Counting([Path(run)], plan, engine)
    supervisor.run()
    print(json.dumps({"looks": supervisor.until_last_job, "jobs": engine.submitted}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
