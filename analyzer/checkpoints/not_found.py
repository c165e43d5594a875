"""What is said where a run has no checkpoint."""

from __future__ import annotations

from shared.checkpoint_listing import OURS, listing_of
from shared.checkpoint_names import is_plain
from shared.run import Run

KINDS = "checkpoint-<step>, epoch_<n>, step_<n>, final, or a model itself; for other names see docs/checkpoints.md"


def nothing_in(run: Run) -> str:
    """That a run has no checkpoint, and with a pattern what else there is, as one sentence."""
    if run.pattern is None:
        return f"{run.path} has no checkpoint yet ({KINDS})."
    try:
        names = sorted(name for name in listing_of(run.path).folders if is_plain(name) and name not in OURS)
    except OSError:
        names = []
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"No directory in {run.path} fits --pattern {run.pattern.text!r}; there are {listed or 'none'}."
