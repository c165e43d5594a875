"""The probe set of a run that nobody described: Midwatch's shipped prompts, chosen as `midwatch init` chooses them.

They are the same for every such run, so results of several compare, and they stay valid when `midwatch init` is run
later without another source.
"""

from __future__ import annotations

from pathlib import Path

from shared.errors import UsageError
from shared.prompts.choice import probe_set_from
from shared.prompts.probes import read_probes, write_probes
from shared.run import Run


def assumed_probes(run: Run) -> Path:
    """The file with the shipped probe set in our own folder of the run; written anew unless it holds just that.

    Raises OSError when our own disk refuses.
    """
    found = probe_set_from()
    if _digest(run.assumed_probes) != found.digest:
        write_probes(run.assumed_probes, found.everything)
    return run.assumed_probes


def _digest(path: Path) -> str:
    """Of the probe set in a file; empty where there is none that can be read."""
    if not path.is_file():
        return ""
    try:
        return read_probes(path).digest
    except (UsageError, OSError):
        return ""
