"""The supervisor's numbers as Prometheus reads them: gauges of what is so now, counters of what happened.

Everything is labelled by run, and what happened by analysis or kind of failure: no series is a checkpoint's. What
is so now is read of the runs at each scrape, by another thread, so only of what the loop replaces as a whole.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator
from typing import NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor.checkpoint_row import UNDECIDED
from analyzer.supervisor.loop import Observer, Supervisor, ignore
from analyzer.supervisor.status_file import State
from analyzer.supervisor.watched_run import WatchedRun
from shared.records import CheckpointState, Status
from shared.version import __version__

RUN = ("run", "path")
"""The label of a run: its name, and its directory, as two runs of a folder may have one name."""
ANALYSIS_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
LAG_S = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
"""Upper borders of the histograms, seconds."""


class Gauges(NamedTuple):
    """What is so now."""

    checkpoints: GaugeMetricFamily
    queue: GaugeMetricFamily
    attempts: GaugeMetricFamily
    oldest: GaugeMetricFamily
    state: GaugeMetricFamily
    heartbeat: GaugeMetricFamily


class Exporter:
    """Counts what a supervisor's observer hears, and tells where its runs stand."""

    def __init__(self, before: Observer = ignore) -> None:
        self.before = before
        """Who observes, too."""
        self.supervisor: Supervisor | None = None
        """Whose runs are told of, once it is there."""
        self.registry = CollectorRegistry()
        self._known: set[tuple[str, str]] = set()
        self.registry.register(self)  # first, so that a scrape forgets what is gone before it tells the rest
        self.committed = Histogram(
            "midwatch_analysis_seconds",
            "Seconds that an analysis of one checkpoint took to compute; its count is the committed results.",
            (*RUN, "analysis"),
            buckets=ANALYSIS_S,
            registry=self.registry,
        )
        self.lag = Histogram(
            "midwatch_commit_lag_seconds",
            "Seconds from a checkpoint's completion until a result of it was committed.",
            RUN,
            buckets=LAG_S,
            registry=self.registry,
        )
        self.failures = Counter(
            "midwatch_failures", "Failures, by their kind.", (*RUN, "kind"), registry=self.registry
        )
        self.jobs = Counter("midwatch_jobs_started", "Jobs that the worker began.", RUN, registry=self.registry)
        ProcessCollector(registry=self.registry)

    def __call__(self, watched: WatchedRun, event: Event) -> None:
        """One event of a job: the supervisor's observer."""
        self.note(watched, event)
        self.before(watched, event)

    def note(self, watched: WatchedRun, event: Event) -> None:
        """Count one event."""
        run = _labels(watched)
        if run not in self._known:
            self._begin(run)
        if event.kind == "started":
            self.jobs.labels(*run).inc()
        elif event.kind == "committed":
            self.committed.labels(*run, event.analysis).observe(event.seconds)
            if (complete_at := self._complete_at(watched, event)) is not None:
                self.lag.labels(*run).observe(max(0.0, self._now() - complete_at))
        elif event.kind in ("failed", "refused"):
            self.failures.labels(*run, str(event.failure or Failure.ANALYSIS)).inc()

    def describe(self) -> list[Metric]:
        """Names of what `collect` gives, without a look at the runs."""
        return [*_gauges(), _info(), *_process([], 0, False), _workers(None)]

    def collect(self) -> Iterator[Metric]:
        """What is so now, at a scrape."""
        supervisor = self.supervisor
        if supervisor is None:
            return
        runs = list(supervisor.runs.values())
        self._forget({_labels(watched) for watched in runs})
        gauges = _gauges()
        for watched in runs:
            if watched.other is None:
                self._add(gauges, watched, supervisor.status.last(watched), supervisor.clock())
        yield from gauges
        yield _info()
        yield from _process(runs, len(supervisor.unusable), bool(supervisor.computations))
        yield _workers(supervisor.engine)

    def _add(self, gauges: Gauges, watched: WatchedRun, told: Status | None, now: float) -> None:
        """One run of ours."""
        run, rows = _labels(watched), watched.rows
        states = Tally(row.state for row in rows)
        for state in CheckpointState:
            gauges.checkpoints.add_metric([*run, str(state)], states[state])
        late = [row.candidate.complete_at for row in rows if row.candidate and row.state in UNDECIDED]
        gauges.queue.add_metric(run, len(late))
        gauges.oldest.add_metric(run, max(0.0, now - min(late)) if late else 0.0)
        gauges.attempts.add_metric(run, sum(row.attempts for row in rows))
        if told is not None:
            gauges.heartbeat.add_metric(run, told.heartbeat_at)
            for state in get_args(State):
                gauges.state.add_metric([*run, state], float(told.state == state))

    def _complete_at(self, watched: WatchedRun, event: Event) -> float | None:
        """When the checkpoint of a job was complete, Unix seconds; None for what somebody asked."""
        running = self.supervisor.jobs.by_id.get(event.job) if self.supervisor is not None else None
        if running is None or running.asked:
            return None
        name = running.job.checkpoint
        row = next((row for row in watched.rows if row.point.name == name), None)
        return row.candidate.complete_at if row is not None and row.candidate is not None else None

    def _now(self) -> float:
        return time.time() if self.supervisor is None else self.supervisor.clock()

    def _begin(self, run: tuple[str, str]) -> None:
        """Every kind of failure is there from the start, as 0: the first one is an increase."""
        self._known.add(run)
        self.jobs.labels(*run)
        for kind in Failure:
            self.failures.labels(*run, str(kind))

    def _forget(self, runs: set[tuple[str, str]]) -> None:
        """Runs that are gone: a service of years keeps no series of them."""
        for name, path in self._known - runs:
            for metric in (self.committed, self.lag, self.failures, self.jobs):
                metric.remove_by_labels({"run": name, "path": path})
        self._known &= runs


def _labels(watched: WatchedRun) -> tuple[str, str]:
    return watched.run.name, str(watched.run.path)


def _gauges() -> Gauges:
    def gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"midwatch_{name}", what, labels=[*RUN, *labels])

    return Gauges(
        checkpoints=gauge("checkpoints", "Checkpoints by their state (docs/status.md).", "state"),
        queue=gauge("queue_length", "Complete, wanted checkpoints without all their results."),
        attempts=gauge("attempts", "Attempts so far on the checkpoints that are not done."),
        oldest=gauge("lag_seconds", "Age of the oldest complete, wanted checkpoint without all its results."),
        state=gauge("run_state", "1 for the state that status.json tells of a run.", "state"),
        heartbeat=gauge("heartbeat_timestamp_seconds", "Unix time of a run's last status.json."),
    )


def _info() -> Metric:
    info = GaugeMetricFamily("midwatch_build_info", "1, with the version of Midwatch.", labels=["version"])
    info.add_metric([__version__], 1)
    return info


def _process(runs: list[WatchedRun], unusable: int, ready: bool) -> list[Metric]:
    """What is so of the whole supervisor."""
    elsewhere = sum(watched.other is not None for watched in runs)
    return [
        GaugeMetricFamily("midwatch_runs", "Runs that are watched.", value=len(runs)),
        GaugeMetricFamily("midwatch_runs_of_others", "Runs that another analyzer has.", value=elsewhere),
        GaugeMetricFamily("midwatch_runs_unusable", "Runs of a folder that cannot be opened.", value=unusable),
        GaugeMetricFamily("midwatch_worker_ready", "1 once the worker has started.", value=float(ready)),
    ]


def _workers(engine: Engine | None) -> Metric:
    """All workers of an engine, those of a pool among them."""
    found = GaugeMetricFamily(
        "midwatch_workers", "Workers by their state: free, busy or starting.", labels=["state"]
    )
    if engine is not None:
        ready, free, all_of_them = len(engine.devices), len(engine.free), engine.capacity
        counts = {"free": free, "busy": max(0, ready - free), "starting": max(0, all_of_them - ready)}
        for state, count in counts.items():
            found.add_metric([state], count)
    return found
