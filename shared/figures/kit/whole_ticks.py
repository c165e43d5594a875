"""Ticks of an axis of epochs or steps: at whole numbers, for there is no epoch 1.5 to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MOST = 12
"""Ticks at the most."""


def whole_ticks(values: Sequence[float]) -> dict[str, Any]:
    """Axis settings: a tick at every 1, 2, 5, 10, ... so that there are at most MOST of them over `values`."""
    span = max(values) - min(values) if len(values) else 0.0
    every = next(step * 10**power for power in range(12) for step in (1, 2, 5) if span <= MOST * step * 10**power)
    return {"tick0": 0, "dtick": every, "tickformat": ",d"}
