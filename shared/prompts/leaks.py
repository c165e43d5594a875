"""Whether training saw the probes: the training prompts' digests lie in the run, and are compared by hash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shared.errors import SchemaError
from shared.files import read_bytes, write_bytes_atomic
from shared.prompts.digest import digest_of, prompt_digest
from shared.records import Prompt
from shared.run import TRAIN_DIGESTS, Run

MAX_DIGESTS_BYTES = 2**30
"""Largest file of digests that is read: that of some 15 million prompts."""


def write_train_digests(run_path: Path, prompts: Iterable[Prompt]) -> None:
    """Write `<run>/train_digests.txt`: one digest a line, sorted, each once."""
    digests = sorted({digest_of(prompt) for prompt in prompts})
    write_bytes_atomic(run_path / TRAIN_DIGESTS, "".join(f"{digest}\n" for digest in digests).encode())


def count_leaks(run: Run, probes: Iterable[Prompt]) -> int | None:
    """How many probes were among the training prompts; None when the run does not say what it trained on."""
    try:
        seen = set(read_bytes(run.train_digests, MAX_DIGESTS_BYTES).decode("ascii", "replace").split())
    except (FileNotFoundError, SchemaError):
        return None
    return sum(not seen.isdisjoint((digest_of(probe), prompt_digest(probe.text))) for probe in probes)
