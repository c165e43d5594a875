"""What a tracking process is told: a line of JSON through a pipe, so that no address is on a command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.logs import Format
from shared.records import Frozen

PROJECT = "midwatch"
RESCAN_S = 5.0


class TrackOptions(Frozen):
    """Where the numbers and alerts of which runs go."""

    targets: list[Path]
    """Runs, or folders of runs in which new ones appear; absolute."""
    out: Path | None = None
    """Where their results are, if not in the runs; absolute."""
    to: list[str] = Field(default_factory=list)
    """Names of trackers."""
    project: str = PROJECT
    """Name under which trackers file the runs."""
    notify: str = Field("", repr=False)
    """Address of a webhook; empty for none. It is a secret."""
    notify_notes: bool = False
    """Whether notes are told, too, and not alarms alone."""
    rescan_s: float = RESCAN_S
    """Seconds between two looks at the results."""
    log_format: Format = "text"
