"""Where the runs are: the dashboard's only look at the environment.

`midwatch dashboard` passes its settings to the pages through these variables; `streamlit run dashboard/app.py`
reads the same ones.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shared.errors import MidwatchError
from shared.run import Run, find_runs

RUNS_VARIABLE = "MIDWATCH_RUNS"
"""A run, or a folder of runs; ./runs when it is not set."""
POLL_VARIABLE = "MIDWATCH_POLL_SECONDS"
"""Seconds between two looks at the files."""
DEFAULT_POLL_S = 2.0
MIN_POLL_S = 0.5


@dataclass(frozen=True)
class Place:
    """What the dashboard watches, and how often."""

    root: Path
    poll_s: float

    def runs(self) -> list[Run]:
        """The runs to choose from, newest change first; one that cannot be opened is left out."""
        found = []
        for path in find_runs(self.root):
            try:
                found.append(Run.at(path))
            except MidwatchError:
                continue  # deleted this moment, or its source.json is damaged: nothing to show
        return found


def place_from_environment() -> Place:
    """The place the environment names; a poll interval that is not a number falls back to the default."""
    root = Path(os.environ.get(RUNS_VARIABLE) or "runs").expanduser().resolve()
    try:
        poll_s = float(os.environ.get(POLL_VARIABLE, DEFAULT_POLL_S))
    except ValueError:
        poll_s = DEFAULT_POLL_S
    return Place(root, max(MIN_POLL_S, poll_s))
