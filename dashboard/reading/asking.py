"""What was asked of a run's judge, as the page *Test a prompt* needs it: requests, how far they are, answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.answers import ASK, answer_store, asked_of
from shared.errors import MidwatchError, SchemaError
from shared.files import read_record
from shared.findings.asked import AskedResult
from shared.records import RequestStatus, Status
from shared.requests.folder import all_states, state_of
from shared.requests.record import REQUEST_ID, Ask, AskedPrompt, RequestState
from shared.results import RESULT_FILE, ResultRecord
from shared.run import Run
from shared.views.asked.moments import Moment, moment_of


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt at one checkpoint, or why there is none."""

    checkpoint: str
    record: ResultRecord | None = None
    found: AskedResult | None = None
    problem: str = ""
    """One sentence, where it cannot be read."""


def analyzer_there(status: Status | None, now: float) -> bool:
    """Whether somebody has the run who answers. `now` is Unix time, seconds."""
    return status is not None and status.state != "stopped" and not status.is_gone(now)


def stamps(run: Run) -> tuple[int, int]:
    """Of the folders of requests: they change with each file that is filed, answered or taken away."""
    return cached.stamp(run.requests), cached.stamp(run.requested)


def requests(run: Run) -> list[RequestState]:
    """All that was asked of the run's analyzer, newest first."""
    return _requests(str(run.path), str(run.out), stamps(run), run)


def asked(run: Run) -> list[RequestState]:
    """Those that ask a prompt of its judge."""
    return [state for state in requests(run) if what_of(state) is not None]


@st.cache_resource(show_spinner=False, max_entries=8)
def _requests(path: str, out: str, stamps: tuple[int, int], _run: Run) -> list[RequestState]:
    try:
        return all_states(_run)
    except (OSError, MidwatchError):
        return []  # a link in the way, or gone just now


def request_of(run: Run, name: str | None) -> RequestState | None:
    """One request, as it stands on disk; None where there is none of that id that asks a prompt."""
    if name is None or not REQUEST_ID.fullmatch(name) or not name.startswith("ask-"):
        return None
    try:
        state = state_of(run, name)
    except (OSError, MidwatchError):
        return None
    return state if state is not None and isinstance(what_of(state), Ask) else None


def what_of(state: RequestState) -> Ask | None:
    """What a request asks of the judge; None where it asks something else, or cannot be read."""
    what = state.request.what if state.request is not None else None
    return what if isinstance(what, Ask) else None


def place_of(status: Status | None, name: str) -> RequestStatus | None:
    """Where a request is in the analyzer's queue; None where that has not seen it."""
    return next((each for each in status.requests if each.id == name), None) if status is not None else None


def answers(run: Run, state: RequestState, prompt: int = 0) -> list[Answer]:
    """The answers that there are to one of a request's prompts, in the order of its checkpoints."""
    store, found = answer_store(run), []
    for each in state.checkpoints:
        if prompt >= len(each.answers):
            continue
        path = store.directory(each.checkpoint, ASK, each.answers[prompt]) / RESULT_FILE
        found.append(_answer(each.checkpoint, str(path), cached.stamp(path)))
    return found


@st.cache_resource(show_spinner=False, max_entries=64)
def _answer(checkpoint: str, path: str, mtime_ns: int) -> Answer:
    try:
        record = read_record(Path(path), ResultRecord)
        return Answer(checkpoint, record, asked_of(record))
    except FileNotFoundError:
        return Answer(checkpoint, problem=f"The answer at {checkpoint} is not there any more; ask again.")
    except (SchemaError, OSError) as error:
        return Answer(checkpoint, problem=f"The answer at {checkpoint} cannot be read: {error}")


def other_weights(view: CheckpointView | None, record: ResultRecord) -> bool:
    """Whether an answer is of other weights than the checkpoint's present results: it was saved again since."""
    results = view.results if view is not None else {}
    file = next((results[name] for name in ("progress", *results) if name in results), None)
    if file is None:
        return False
    try:
        return cached.load(file).checkpoint_digest != record.checkpoint_digest
    except (SchemaError, OSError):
        return False  # the page of that result says so


def out_of_date(snapshot: Snapshot, state: RequestState) -> bool:
    """Whether a request has an answer of other weights than its checkpoint has now."""
    found = [each for place in range(prompts_of(state)) for each in answers(snapshot.run, state, place)]
    return any(
        each.record is not None and other_weights(snapshot.get(each.checkpoint), each.record) for each in found
    )


def prompts_of(state: RequestState) -> int:
    """How many prompts a request asks."""
    what = what_of(state)
    return len(what.prompts) if what is not None else 0


def moments(snapshot: Snapshot, found: list[Answer]) -> list[Moment]:
    """The answers for the picture over checkpoints, by step."""
    told = []
    for each in found:
        if each.record is not None and each.found is not None:
            view = snapshot.get(each.checkpoint)
            label = view.label if view is not None else each.record.label
            told.append(moment_of(label, each.record.step, each.found))
    return sorted(told, key=lambda moment: moment.step)


def same_prompt(one: AskedPrompt, other: AskedPrompt) -> bool:
    """Whether two prompts differ in nothing but what was changed in them."""
    return (one.text, one.twin, one.response) == (other.text, other.twin, other.response)


def changes_of(states: list[RequestState], prompt: AskedPrompt) -> list[RequestState]:
    """The requests that change words of this prompt, oldest first."""
    found = [
        state
        for state in states
        if (what := what_of(state)) is not None
        and any(each.edits and same_prompt(each, prompt) for each in what.prompts)
    ]
    return found[::-1]
