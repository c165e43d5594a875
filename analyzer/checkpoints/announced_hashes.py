"""Weights against the digests that their training announced (`AnnounceCheckpoint(hash=True)`), where it did.

What is wrong inside a tensor, with every size right, shows nowhere else: a bit that flipped on its way.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from analyzer.checkpoints.fingerprint import Fingerprint, may_be_the_judges
from shared.errors import CheckpointRejected, SchemaError
from shared.files import open_regular, read_record
from shared.records import CommitRecord
from shared.run import Run

BLOCK = 2**20
"""Bytes read at once."""


def check_hashes(run: Run, directory: Path, checkpoint: str, files: Fingerprint) -> None:
    """Read each file again that a digest was announced of. Raises CheckpointRejected ("damaged") and OSError.

    `directory` is the checkpoint or its pin, which held `files` when they passed the gate. Of a step that was saved
    again the newest announcement is about other files than an older pin's: only what it is about is compared.
    """
    try:
        record = read_record(run.commits / f"{checkpoint}.json", CommitRecord)
    except (OSError, SchemaError):
        return  # nobody announced it, or nobody can read that
    ours = {(file.name, file.size, file.mtime_ns) for file in files}
    for file in record.files:
        if not file.sha256 or (file.name, file.size, file.mtime_ns) not in ours:
            continue
        if may_be_the_judges(file.name) and _digest(directory / file.name) != file.sha256:
            raise CheckpointRejected(
                "damaged",
                f"{checkpoint}/{file.name} is not what its training announced (another SHA-256): it was damaged "
                "since; save or copy the checkpoint again.",
            )


def _digest(path: Path) -> str:
    try:
        with open_regular(path) as file:
            digest = hashlib.sha256()
            while block := file.read(BLOCK):
                digest.update(block)
            return digest.hexdigest()
    except SchemaError:
        return ""
