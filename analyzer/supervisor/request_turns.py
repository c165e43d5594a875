"""Open requests against what is known of checkpoints: what may run, what is there already, what never will be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analyzer.jobs.answer_keys import answer_key, answer_settings, heads_key
from analyzer.jobs.tasks import AskTask
from shared.answers import is_answered
from shared.records import CheckpointState
from shared.requests.record import Analyze, Ask, RequestedCheckpoint, RequestState

if TYPE_CHECKING:
    from analyzer.supervisor.checkpoint_row import Row
    from analyzer.supervisor.watched_run import WatchedRun

LISTED = 8
"""Checkpoints that a sentence names."""


class Turn(NamedTuple):
    """One request on one checkpoint, which may start."""

    state: RequestState
    checkpoint: str
    row: Row


def settle(watched: WatchedRun, now: float) -> None:
    """Decide anew where every open request stands. Raises OSError where that cannot be written."""
    rows = {row.point.name: row for row in watched.rows}
    for state in list(watched.desk.open.values()):
        if watched.description.problem and rows:
            watched.desk.end(state.id, "refused", watched.description.problem, now)
            continue
        found = [_stands(watched, state, each, rows) for each in state.checkpoints]
        if found != state.checkpoints:
            watched.desk.put(state.model_copy(update={"checkpoints": found}))
        end_if_over(watched, state.id, now)


def end_if_over(watched: WatchedRun, name: str, now: float) -> None:
    """A request with nothing left to do is answered: done, failed, or refused where nothing of it could begin."""
    each = watched.desk.open[name].checkpoints
    if any(one.state in ("waiting", "running") for one in each):
        return
    failed = [one for one in each if one.state == "failed"]
    causes = " ".join(dict.fromkeys(one.cause for one in failed))
    if not failed:
        notes = " ".join(f"{one.checkpoint}: {one.cause}" for one in each if one.cause)
        watched.desk.end(name, "done", notes, now)
    elif len(failed) == len(each) and not any(one.starts for one in each):
        watched.desk.end(name, "refused", causes, now)
    else:
        done = len(each) - len(failed)
        watched.desk.end(name, "failed", f"{done} of {len(each)} done. {causes}" if done else causes, now)


def next_turn(watched: WatchedRun) -> Turn | None:
    """What comes next of what was asked; None where nothing can start.

    What a worker has already is left to it. Analyses wait for comparisons, which read what they would replace.
    """
    rows, taken = {row.point.name: row for row in watched.rows}, watched.taken
    for state in watched.desk.turns():
        if watched.comparing and state.request is not None and isinstance(state.request.what, Analyze):
            continue
        for each in state.checkpoints:
            row = rows.get(each.checkpoint)
            if each.state != "waiting" or each.cause or each.checkpoint in taken:
                continue
            if row is not None and row.candidate is not None:
                return Turn(state, each.checkpoint, row)
    return None


def answers_there(watched: WatchedRun, state: RequestState, row: Row) -> list[str] | None:
    """Keys of the answers to all prompts of a request on one checkpoint; None where one is missing, or unknown."""
    what, known = state.request and state.request.what, watched.description
    if not isinstance(what, Ask) or row.candidate is None or known.record is None:
        return None
    digest = watched.standing.digest(row.candidate, known.record)
    if digest is None:
        return None
    name, task = row.point.name, task_of(what)
    heads = heads_key(watched.index, name, digest)
    keys = [
        answer_key(
            digest,
            known.probe_digest,
            answer_settings(task, prompt, known.record.judge, heads, known.family),
        )
        for prompt in what.prompts
    ]
    return keys if all(is_answered(watched.run, name, key) for key in keys) else None


def task_of(what: Ask) -> AskTask:
    """What the worker is given of a request."""
    return AskTask(prompts=what.prompts, parts=what.parts)


def _stands(
    watched: WatchedRun, state: RequestState, each: RequestedCheckpoint, rows: dict[str, Row]
) -> RequestedCheckpoint:
    """One checkpoint of a request at this scan."""
    has_it = (state.id, each.checkpoint) in watched.asked.values()
    if each.state in ("done", "failed") or (each.state == "running" and has_it):
        return each
    row = rows.get(each.checkpoint)
    if failed := _never(watched, each.checkpoint, row, rows):
        return each.model_copy(update={"state": "failed", "cause": failed})
    if row is None or row.candidate is None:
        return each.model_copy(update={"state": "waiting", "cause": row.cause if row is not None else ""})
    answers = answers_there(watched, state, row)
    if answers is not None:
        return each.model_copy(update={"state": "done", "cause": "", "answers": answers})
    return each.model_copy(update={"state": "waiting", "cause": ""})


def _never(watched: WatchedRun, name: str, row: Row | None, rows: dict[str, Row]) -> str:
    """Why a checkpoint cannot be asked, now or later; empty where it can."""
    if row is None:
        listed = ", ".join([*rows][-LISTED:])
        return f"There is no {name} in {watched.run.name}; " + (
            f"there are {listed}." if rows else "it has none yet."
        )
    if row.state == CheckpointState.REJECTED:
        return row.cause
    if row.state == CheckpointState.GONE or (row.candidate is None and row.state == CheckpointState.DONE):
        return f"{name} was deleted by its training; ask a checkpoint that is still there."
    if row.candidate is None and row.settles_at is None and watched.plan.once:
        return row.cause
    return ""
