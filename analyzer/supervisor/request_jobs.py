"""The job that answers a request on one checkpoint: how it is made, and what its end means for the request."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from analyzer.jobs.messages import Computation, Event, Failure, Job
from analyzer.supervisor.attempts import MAX_ATTEMPTS, MAX_KILLS
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.request_turns import Turn, answers_there, end_if_over, task_of
from shared.errors import CheckpointChanged, RequestRefused, UsageError
from shared.requests.folder import checked_probes
from shared.requests.record import Analyze, Ask, RequestedCheckpoint, RequestState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analyzer.supervisor.running_job import Running
    from analyzer.supervisor.watched_run import WatchedRun

FINAL_FAILURES = (Failure.REJECTED, Failure.CANNOT)
"""Failures after which the same would fail again."""


def begin(watched: WatchedRun, turn: Turn, computations: Mapping[str, Computation], now: float) -> Job | None:
    """Write down that a request begins on a checkpoint, and make its job; None where it cannot begin.

    Raises OSError where that cannot be written.
    """
    each = _of(turn.state, turn.checkpoint)
    try:
        if each.starts - each.failures >= MAX_KILLS:
            raise RequestRefused(_why_given_up(each))
        job = _job(watched, turn, computations, each.failures)
    except (RequestRefused, UsageError, CheckpointChanged, FileNotFoundError) as error:
        cause = "Its probe file is gone; file the request again." if isinstance(error, OSError) else str(error)
        _update(watched, turn.state.id, turn.checkpoint, state="failed", cause=cause)
        end_if_over(watched, turn.state.id, now)
        return None
    _update(watched, turn.state.id, turn.checkpoint, state="running", starts=each.starts + 1)
    watched.asked[job.id] = turn.state.id, turn.checkpoint
    return job


def _why_given_up(each: RequestedCheckpoint) -> str:
    """What is said after `MAX_KILLS` interruptions: an analyzer that was killed could say nothing."""
    if not each.lost:
        return f"The analyzer was killed {MAX_KILLS} times while it worked on this."
    return f"This was interrupted {MAX_KILLS} times and is not begun again. What was told last: {each.lost}"


def _job(watched: WatchedRun, turn: Turn, computations: Mapping[str, Computation], failures: int) -> Job:
    """Everything the worker needs. What is kept of the checkpoint is read there, else the checkpoint itself."""
    candidate, known, what = turn.row.candidate, watched.description, turn.state.request and turn.state.request.what
    assert candidate is not None and known.record is not None  # noqa: S101 (only such turns come)
    pin = watched.pins.find(candidate)
    asked: dict[str, Any] = {}
    if isinstance(what, Ask):
        asked = {"task": task_of(what)}
    elif isinstance(what, Analyze):
        asked = _analyses(watched, what, computations)
    return Job(
        id=uuid.uuid4().hex,
        run=watched.run.path,
        out=watched.run.out,
        checkpoint=candidate.name,
        step=candidate.step,
        epoch=candidate.epoch,
        directory=pin.directory if pin else candidate.source,
        source=candidate.source,
        files=list(candidate.files),
        pinned=pin is not None,
        order_unverified=candidate.order_unverified,
        record=known.record,
        lease=watched.lease.owner,
        warnings=known.warnings,
        neighbour=watched.neighbour(candidate.name),
        family=None if known.family is None else known.family.model_dump(mode="json"),
        batch_divisor=2**failures,
        **{"probes": known.probes, **asked},
    )


def _analyses(watched: WatchedRun, what: Analyze, computations: Mapping[str, Computation]) -> dict[str, Any]:
    """What a request for analyses sets. Raises UsageError for an analysis that does not exist."""
    plan: Plan = replace(watched.plan, suite=what.suite, only=what.only)
    names = list(plan.wanted(computations))
    if unknown := sorted(what.settings.keys() - computations.keys()):
        raise UsageError(f"There is no analysis {unknown[0][:60]!r}; there are {', '.join(computations)}.")
    found: dict[str, Any] = {"analyses": names, "force": what.force, "overrides": what.settings}
    if what.probes:
        found["probes"] = checked_probes(watched.run, what.probes)
    return found


def note_failure(running: Running, event: Event) -> None:
    """A failure of a request's job; the request is told when the job is over. `refused` is a failure, too."""
    failure = Failure.REJECTED if event.kind == "refused" else event.failure or Failure.ANALYSIS
    what = f"{event.analysis}: {event.cause}" if event.analysis else event.cause
    running.failed.append((failure, what))


def finish(running: Running, now: float) -> None:
    """The job is over: one checkpoint of the request is done, has failed, or is tried again.

    Raises OSError where that cannot be written; the next scan then finds it undone.
    """
    watched, name, checkpoint = running.watched, running.asked, running.job.checkpoint
    state = watched.desk.open.get(name)
    if state is None or not watched.run.path.is_dir():  # cancelled, or the run is gone: nothing brings it back
        return
    each = _of(state, checkpoint)
    causes = " ".join(cause for _, cause in running.failed)
    kinds = [failure for failure, _ in running.failed]
    if Failure.LEASE in kinds and not watched.lease.is_ours:
        return  # another analyzer's books, as the next look finds
    if not kinds or (running.job.task is None and set(kinds) == {Failure.CANNOT}):
        _done(watched, running, state, causes)
    elif Failure.LOST in kinds:  # as if the analyzer had been killed
        _update(watched, name, checkpoint, state="waiting", lost=causes)
    elif set(kinds) & {Failure.CHANGED, Failure.LEASE, Failure.STORAGE}:  # no fault of the request's
        _update(watched, name, checkpoint, state="waiting", starts=each.starts - 1)
    elif each.failures + 1 >= MAX_ATTEMPTS or set(kinds) & {*FINAL_FAILURES}:
        _update(watched, name, checkpoint, state="failed", cause=causes, failures=each.failures + 1)
    else:
        _update(watched, name, checkpoint, state="waiting", failures=each.failures + 1)
    end_if_over(watched, name, now)


def _done(watched: WatchedRun, running: Running, state: RequestState, notes: str) -> None:
    """Committed, as the disk says."""
    checkpoint, answers = running.job.checkpoint, []
    if running.job.task is not None:
        row = next((row for row in watched.rows if row.point.name == checkpoint), None)
        if row is None:  # the run could not be looked at since: the next look that can finds the answers
            starts = _of(state, checkpoint).starts - 1
            _update(watched, state.id, checkpoint, state="waiting", starts=starts)
            return
        there = answers_there(watched, state, row)
        if there is None:
            _update(watched, state.id, checkpoint, state="waiting", failures=_of(state, checkpoint).failures + 1)
            return
        answers = there
    _update(watched, state.id, checkpoint, state="done", cause=notes, answers=answers)


def _of(state: RequestState, checkpoint: str) -> RequestedCheckpoint:
    return next(each for each in state.checkpoints if each.checkpoint == checkpoint)


def _update(watched: WatchedRun, name: str, checkpoint: str, **changes: Any) -> None:
    """One checkpoint of an open request; the request runs as long as one of them does."""
    state = watched.desk.open[name]
    found = [
        each.model_copy(update=changes) if each.checkpoint == checkpoint else each for each in state.checkpoints
    ]
    stage = "running" if any(each.state == "running" for each in found) else "waiting"
    watched.desk.put(state.model_copy(update={"checkpoints": found, "state": stage}))
