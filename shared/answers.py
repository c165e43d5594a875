"""Where answers to asked prompts lie: results like all others, in a store of their own.

_midwatch/asked/<checkpoint>/ask/<key>/result.json
"""

from __future__ import annotations

from pydantic import ValidationError

from shared.errors import SchemaError
from shared.findings.asked import AskedResult
from shared.requests.record import RequestState
from shared.results import ResultRecord, ResultStore
from shared.run import Run

ASK = "ask"
"""Name of the analysis, in the store of answers."""


def answer_store(run: Run, owner: str = "") -> ResultStore:
    """The answers of a run; `owner` as `ResultStore` wants it."""
    return ResultStore(run.asked, owner)


def answers_of(run: Run, state: RequestState) -> list[tuple[str, list[ResultRecord]]]:
    """Checkpoint and its answers, in the request's order, without those that are not there or cannot be read."""
    found = []
    for each in state.checkpoints:
        records = []
        for key in each.answers:
            try:
                records.append(answer_store(run).load(each.checkpoint, ASK, key))
            except (OSError, SchemaError):
                continue
        found.append((each.checkpoint, records))
    return found


def asked_of(record: ResultRecord) -> AskedResult:
    """The typed answer. Raises SchemaError where it is not one."""
    try:
        return AskedResult.model_validate(record.payload)
    except ValidationError as error:
        raise SchemaError(f"The answer {record.key} of {record.checkpoint} cannot be read; ask again.") from error


def is_answered(run: Run, checkpoint: str, key: str) -> bool:
    """Whether an answer is there and can be read: one that was damaged since is no answer, and is given again."""
    try:
        answer_store(run).load(checkpoint, ASK, key)
    except (OSError, SchemaError):
        return False
    return True
