"""The key of an answer to an asked prompt. Supervisor and worker agree here, as on the keys of results."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from analyzer.jobs.result_index import StoreIndex
from shared.records import JudgeRecord
from shared.requests.record import AskedPrompt
from shared.results import result_key

if TYPE_CHECKING:
    from analyzer.jobs.family import Family
    from analyzer.jobs.tasks import AskTask

ASK_VERSION = 2
"""Raised whenever the same question would get other numbers."""


def answer_settings(
    task: AskTask, prompt: AskedPrompt, judge: JudgeRecord, heads: str, family: Family | None
) -> dict:
    """Everything that was chosen, the prompt by its digest; `heads` is the key of the result that names heads."""
    settings: dict[str, Any] = {
        "prompt": prompt_key(prompt),
        "parts": list(task.parts),
        "seed": task.seed,
        "heads": heads if "attention" in task.parts else "",
        "judge": judge.for_key(),
    }
    if family is not None:
        settings["family"] = family.digest
    return settings


def answer_key(digest: str, probe_digest: str, settings: dict[str, Any]) -> str:
    """The key of one answer on a checkpoint of that content, beside that probe set."""
    return result_key(digest, probe_digest, settings, ASK_VERSION)


def prompt_key(prompt: AskedPrompt) -> str:
    """SHA-256 over the prompt with all that belongs to it, exactly as given."""
    text = json.dumps(prompt.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def heads_key(index: StoreIndex, checkpoint: str, digest: str) -> str:
    """Key of the newest result `heads` of a checkpoint's content; empty where there is none."""
    for key in index.keys(checkpoint, "heads"):
        header = index.header(checkpoint, "heads", key)
        if header is not None and header.digest == digest:
            return key
    return ""
