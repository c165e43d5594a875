"""What is asked of an analyzer about a prompt beside its twin, and its answer where there is one."""

from __future__ import annotations

from typing import NamedTuple

from dashboard.reading.snapshot import CheckpointView
from shared.answers import answers_of, asked_of
from shared.errors import MidwatchError, SchemaError, UsageError
from shared.findings.asked import AskedResult
from shared.records import Probe
from shared.requests.folder import state_of
from shared.requests.record import Ask, PartOfAnswer, RequestState, checked, id_of
from shared.results import ResultRecord
from shared.run import Run

PARTS: tuple[PartOfAnswer, ...] = ("score", "words", "layers", "attention", "changes", "inside")


class Answer(NamedTuple):
    """What came back."""

    record: ResultRecord
    found: AskedResult


def question(view: CheckpointView, probe: Probe, twin: Probe | None) -> Ask:
    """The request about this prompt at this checkpoint. Raises UsageError, a sentence, where it cannot be asked."""
    if twin is not None and twin.response != probe.response:
        raise UsageError("The twin answers another response, so the two cannot be asked as one pair.")
    prompt = {"text": probe.text, "twin": twin.text if twin is not None else "", "response": probe.response}
    return checked(Ask, checkpoints=(view.name,), prompts=(prompt,), parts=PARTS)


def state_of_question(run: Run, what: Ask) -> RequestState | None:
    """What became of it; None where it was never asked, or cannot be read."""
    try:
        return state_of(run, id_of(what))
    except (OSError, MidwatchError):
        return None


def answer_of(run: Run, state: RequestState) -> Answer | None:
    """Its answer; None where there is none that can be read."""
    try:
        records = [record for _, found in answers_of(run, state) for record in found]
        return Answer(records[0], asked_of(records[0])) if records else None
    except (SchemaError, OSError):
        return None
