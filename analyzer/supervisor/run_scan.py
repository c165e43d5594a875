"""One look at one run, whatever it holds: what is wrong with it stops no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.jobs.messages import Computation
from analyzer.supervisor.disk_refusals import DiskRefusals
from analyzer.supervisor.once import say_what_settles
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.request_turns import settle
from analyzer.supervisor.said import Said
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import MidwatchError, RunError
from shared.logs import entry

logger = logging.getLogger(__name__)


@dataclass
class RunScan:
    """Looks at runs, and says what it finds once."""

    plan: Plan
    disk: DiskRefusals
    said: Said

    def look(self, watched: WatchedRun, computations: Mapping[str, Computation], now: float) -> None:
        """Decide anew where everything of a run stands. Raises MidwatchError for what cannot be waited for."""
        watched.dirty, watched.looked_at = False, now
        started = time.process_time()
        try:
            self._scan(watched, computations, now)
            watched.fault = ""
        except RunError as error:
            watched.rows, watched.fault = [], str(error)
            extra = entry("run_unusable", run=watched.run.name, cause=watched.fault)
            self.said.once(logging.WARNING, watched.fault, extra)
        except OSError as error:
            self.disk.hit(error, watched, now)
        except MidwatchError:
            raise
        except Exception as error:  # noqa: BLE001 (one run; recorded and logged)
            watched.rows, watched.fault = [], self.said.bug(error, watched.run.name)
        watched.look_s = time.process_time() - started

    def keep_lease(self, watched: WatchedRun, now: float) -> None:
        """Renew it when it is time, however long it takes until the next scan."""
        try:
            if watched.lost_lease(now):
                self._yield_to_other(watched)
        except OSError as error:
            self.disk.hit(error, watched, now)

    def _scan(self, watched: WatchedRun, computations: Mapping[str, Computation], now: float) -> None:
        """Raises RunError and OSError, and MidwatchError for what cannot be waited for."""
        others = watched.other
        watched.scan(computations, now)
        if computations and watched.other is None:
            settle(watched, now)
        if watched.other is not None and others is None:
            self._yield_to_other(watched)
        self._say_description(watched)
        if self.plan.once:
            say_what_settles(watched, now, self.said)

    def _say_description(self, watched: WatchedRun) -> None:
        """What a run waits for, or what was assumed of it, once: nobody should have to ask for it."""
        known, name = watched.description, watched.run.name
        if known.problem and not self.plan.once:  # which ends with it
            extra = entry("undescribed", run=name, cause=known.problem)
            self.said.once(logging.WARNING, f"{name} waits: {known.problem}", extra)
        for sentence in known.assumed:
            self.said.once(logging.WARNING, f"{name}: {sentence}", entry("assumed", run=name, cause=sentence))

    def _yield_to_other(self, watched: WatchedRun) -> None:
        """Another analyzer has this run. Raises MidwatchError where we cannot wait for it."""
        other = watched.other
        assert other is not None  # noqa: S101 (the caller's condition)
        sentence = f"{watched.run.name} is being analysed by another analyzer (process {other.pid} on {other.host})"
        if self.plan.once:
            raise MidwatchError(f"{sentence}; stop that one, or look at `midwatch status {watched.run.path}`.")
        extra = entry("run_taken", run=watched.run.name, pid=other.pid, host=other.host)
        logger.warning("%s; waiting until it ends", sentence, extra=extra)
