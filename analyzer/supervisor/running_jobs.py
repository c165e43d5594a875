"""The jobs that the engine has, and what their events mean for a checkpoint or a request."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor import request_jobs
from analyzer.supervisor.disk_refusals import DiskRefusals
from analyzer.supervisor.running_job import Running
from analyzer.supervisor.watched_run import WatchedRun

Observer = Callable[[WatchedRun, Event], None]


def ignore(watched: WatchedRun, event: Event) -> None:
    """The default observer."""


@dataclass
class RunningJobs:
    """What the engine has now. The attempts on disk are what counts; this is forgotten with the process."""

    engine: Engine
    disk: DiskRefusals
    observer: Observer = ignore
    by_id: dict[str, Running] = field(default_factory=dict)

    def of(self, watched: WatchedRun) -> list[Running]:
        """Those of one run, in the order in which they began."""
        return [running for running in self.by_id.values() if running.watched is watched]

    def runs(self) -> list[WatchedRun]:
        """The runs that have jobs now."""
        return list({each.watched.run.path: each.watched for each in self.by_id.values()}.values())

    def submit(self, running: Running, devices: Collection[str]) -> None:
        """Give the engine a job that is written down, for a worker on one of these devices."""
        self.by_id[running.job.id] = running
        self.engine.submit(running.job, devices)

    def is_asked(self, job_id: str) -> bool:
        """Whether a job answers a request."""
        return job_id in self.by_id and bool(self.by_id[job_id].asked)

    def drop(self, watched: WatchedRun) -> None:
        """Stop all jobs of a run; their ends follow."""
        for running in self.of(watched):
            self.engine.cancel(running.job.id)

    def drop_cancelled(self, watched: WatchedRun) -> None:
        """Stop the jobs of requests that were taken back; their workers are started anew."""
        for running in self.of(watched) if watched.asked else []:
            if running.asked not in ("", *watched.desk.open):
                self.engine.cancel(running.job.id)

    def drop_lost(self, watched: WatchedRun) -> None:
        """Stop the jobs that were begun before another analyzer had the run: what they find is discarded."""
        for running in self.of(watched):
            if running.is_lost:
                self.engine.cancel(running.job.id)

    def let_go(self, watched: WatchedRun, *, refund: bool) -> None:
        """We end, and the jobs of a run with us: that uses no attempt, where the attempts are ours (`refund`).

        Raises OSError.
        """
        for running in self.of(watched):
            if refund and not running.asked and not running.is_lost:
                watched.ledger.refund(running.job.checkpoint)
            self._forget(running)

    def take(self, event: Event, now: float) -> None:
        """Progress, a committed result, a failure, or the end; an event of a job that is over is nobody's."""
        running = self.by_id.get(event.job)
        if running is None:
            return
        try:
            self._take(running, event, now)
        except OSError as error:
            self.disk.hit(error, running.watched, now)

    def _take(self, running: Running, event: Event, now: float) -> None:
        """Raises OSError when the ledger cannot be written."""
        watched, name = running.watched, running.job.checkpoint
        if running.is_lost:  # another analyzer's books, by now
            return self._let_go(running, event, now)
        running.event = event if event.kind == "progress" else running.event
        if event.kind == "committed":
            watched.pause.clear()
            running.say_committed(event)
            if not running.job.force and not running.asked:  # what is forced is committed anew in every attempt
                watched.ledger.progressed(name)
        elif event.kind in ("failed", "refused") and running.asked:
            self.note_request_failure(running, event, now)
        elif event.kind == "failed":
            self.note_failure(running, event, now)
        elif event.kind == "finished":
            self._finish(running, now)
        return self.observer(watched, event)

    def _let_go(self, running: Running, event: Event, now: float) -> None:
        """One event of a job whose run was lost meanwhile: only its end concerns us."""
        if event.kind == "finished":
            running.refunded = True
            running.say_finished(now)
            self._forget(running)
            running.watched.dirty = True

    def note_request_failure(self, running: Running, event: Event, now: float) -> None:
        """What is refused or fails of a request is the request's own; a full disk is everybody's."""
        request_jobs.note_failure(running, event)
        if event.failure == Failure.LEASE:
            running.watched.lease.doubt()
        if event.failure == Failure.STORAGE:
            self.disk.give_time(event.cause, running.watched, now)

    def note_failure(self, running: Running, event: Event, now: float) -> None:
        """What a failure means for the checkpoint, by its kind."""
        watched, name = running.watched, running.job.checkpoint
        what = running.say_failed(event)
        if event.failure == Failure.CANNOT:
            watched.ledger.cannot(name, event.analysis, event.cause)
        elif event.failure in (Failure.CHANGED, Failure.STORAGE):
            self._refund(running)
            if event.failure == Failure.STORAGE:
                self.disk.give_time(event.cause, watched, now)
        elif event.failure == Failure.LEASE:
            watched.lease.doubt()
            if watched.lease.is_ours:  # it could not be read just then
                self._refund(running)
            running.refunded = True
        elif event.failure == Failure.LOST:
            running.lost = event.cause
            watched.ledger.lose(name, event.cause, now)
        else:
            running.failures.append(what)
            watched.ledger.fail(name, event.failure or Failure.ANALYSIS, " ".join(running.failures), now)

    def _refund(self, running: Running) -> None:
        """This attempt does not count; the ones before it do, however much of it fails."""
        if not running.refunded:
            running.watched.ledger.refund(running.job.checkpoint)
        running.refunded = True

    def _finish(self, running: Running, now: float) -> None:
        """The job is over: what it left undone, the next scan finds."""
        watched, name = running.watched, running.job.checkpoint
        self._forget(running)
        watched.dirty = True
        if running.asked:
            return request_jobs.finish(running, now)
        if not running.failures and not running.refunded and not running.lost:
            if running.job.force:
                watched.forced.add(name)
            watched.ledger.succeed(name)
        return running.say_finished(now)

    def _forget(self, running: Running) -> None:
        del self.by_id[running.job.id]
        running.watched.end(running.job.id)
