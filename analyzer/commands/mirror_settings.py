"""What `midwatch mirror` can be told: each docstring is the option's help."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from analyzer.commands.settings import WORKER
from shared.cli import positional
from shared.logs import Format
from shared.settings import Settings


class MirrorSettings(Settings):
    """Settings of `midwatch mirror`."""

    example = "midwatch mirror s3://bucket/runs/judge runs/judge --follow --push"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "What is copied": ("last", "push"),
        "When": ("follow", "poll"),
        "The storage": ("endpoint", "anonymous"),
    }
    url: str = positional()
    """Where the run lies: s3://bucket/run, gs://bucket/run, or hf://organisation/model, of which each revision that
    names a step is a checkpoint. It must hold no credentials: those belong into the environment or a file
    (docs/remote.md)."""
    run: Path = positional()
    """Directory of the copy, which `midwatch watch` and all other commands then take. It must not be there yet, or
    be the same run's copy: nothing is ever written into a training's own directory."""
    follow: bool = False
    """Go on with what is stored later, until stopped."""
    poll: float = Field(15.0, ge=1, le=3600)
    """With --follow: seconds between two looks at the storage."""
    last: int | None = Field(None, ge=1)
    """Copy only the newest so many checkpoints; all when not given."""
    push: bool = False
    """Send results, figures, evaluations and attacks back to where the run lies, after every look."""
    endpoint: str | None = None
    """Address of a server that speaks S3 (MinIO, Ceph, R2), where it is not Amazon's."""
    anonymous: bool = False
    """Send no credentials: the bucket is open to everybody."""
    log_format: Format = WORKER.log_format
    """What stderr gets: `text` for people, or `json`, one object a line with its fields (docs/logs.md)."""
