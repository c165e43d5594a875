"""Prompts that somebody marked as worth a probe: a file of its own, which no analysis reads.

_midwatch/candidate_probes.jsonl    {"text", "label", "response", "source"}, one a line, as --probes reads it
"""

from __future__ import annotations

from shared.errors import UsageError
from shared.files import append_jsonl, read_jsonl
from shared.own_folders import refuse_links
from shared.records import Label
from shared.run import Run

MOST = 2000
"""Prompts that the file holds, at most."""
MOST_BYTES = 32 * 2**20
"""Largest such file that is read, bytes."""
SOURCE = "asked"
"""What the line says of where its prompt is from."""


def candidates(run: Run) -> list[dict[str, str]]:
    """What the file holds, lines that are no prompts left out. Raises UsageError, and LinkInTheWay."""
    path = run.candidate_probes
    refuse_links(path)
    if not path.exists():
        return []
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise UsageError(f"{path} is no file of candidates that Midwatch wrote; move it away.")
    told = [{name: line.get(name, "") for name in ("text", "label", "response")} for line in read_jsonl(path)]
    return [line for line in told if line["text"] and all(isinstance(value, str) for value in line.values())]


def add_candidate(run: Run, text: str, label: Label, response: str = "") -> str:
    """Add one, once; returns what was done, as a sentence.

    Raises UsageError where the file is full or holds the prompt with the other label, OSError where it cannot be
    written.
    """
    known = candidates(run)
    same = next((each for each in known if (each["text"], each["response"]) == (text, response)), None)
    if same is not None and same["label"] == label:
        return f"It is among the {len(known)} candidates already."
    if same is not None:
        raise UsageError(f"It is a candidate already, as {same['label']}; take that line out first.")
    if len(known) >= MOST:
        raise UsageError(f"{run.candidate_probes} holds {MOST:,} prompts, and no more are added.")
    line = {"text": text, "label": label, "source": SOURCE} | ({"response": response} if response else {})
    append_jsonl(run.candidate_probes, line)
    return f"Added as {label}: {len(known) + 1} in the file."
