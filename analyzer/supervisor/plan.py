"""What the analyzer was asked to do: the same for every run it watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.checkpoints.gate import SETTLE_S
from analyzer.jobs.messages import Computation
from shared.checkpoint_names import NamePattern
from shared.errors import UsageError
from shared.findings.suites import Suite, suites_up_to

if TYPE_CHECKING:
    from analyzer.jobs.family import Family


@dataclass(frozen=True)
class Plan:
    """Settings of the supervisor, already validated."""

    suite: Suite = "basic"
    only: tuple[str, ...] = ()
    """Names of analyses; empty for the whole suite."""
    policy: str = "newest"
    interval: int = 1
    """Epochs between analysed checkpoints."""
    slot: str = "always"
    selected: frozenset[str] | None = None
    """Checkpoints to analyse; None leaves it to policy and interval."""
    force: bool = False
    safe_label: str | None = None
    unsafe_label: str | None = None
    probes: Path | None = None
    """Probe set instead of the run's own."""
    families: Mapping[str, Family] = field(default_factory=dict)
    """Model type -> what the user's file says of it."""
    backoff_s: float = 5.0
    pin_budget: int | None = None
    """Bytes; None for half of what would be free on their disk without them."""
    quiet_s: float = 1800.0
    """A training that changed nothing for so long is over, seconds."""
    rescan_s: float = 3.0
    settle_s: float = SETTLE_S
    pattern: NamePattern | None = None
    """The user's rule for checkpoints' names; None for ours."""
    ready_marker: str = ""
    """Name of a file that the training writes last into each checkpoint; empty where nobody named one."""
    asked_only: bool = False
    """With `once`: end when nothing is left of what was asked, whatever else there is."""
    once: bool = False
    """End when nothing is left to do; the last checkpoint there is, is the last."""

    def wanted(self, computations: Mapping[str, Computation]) -> dict[str, Computation]:
        """What to compute for each checkpoint, in order. Raises UsageError for an analysis that does not exist."""
        if unknown := sorted(set(self.only) - computations.keys()):
            raise UsageError(f"There is no analysis {unknown[0]!r}; there are {', '.join(computations)}.")
        suites = suites_up_to(self.suite)
        return {
            name: computation
            for name, computation in computations.items()
            if (name in self.only if self.only else computation.suite in suites)
        }
