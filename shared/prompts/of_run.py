"""The probe set that results of a run are about, as long as it is still there."""

from __future__ import annotations

from shared.errors import UsageError
from shared.prompts.probes import ProbeSet, read_probes
from shared.run import Run


def probe_set_of(run: Run, digest: str) -> ProbeSet | None:
    """The run's own probe set or the assumed one, whichever has this digest; None where neither can be read so."""
    for path in (run.probes, run.assumed_probes):
        try:
            found = read_probes(path)
        except (OSError, UsageError):
            continue
        if found.digest == digest:
            return found
    return None
