"""Named rows, one below the other, and an interval as error bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.findings.parts import Interval


def rows_axis(names: Sequence[str]) -> dict[str, Any]:
    """An axis with the rows at 0, 1, 2 ... from the top."""
    return {
        "range": [len(names) - 0.45, -0.55],
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def error_bars(interval: Interval, colour: str) -> dict[str, Any]:
    """An interval around its value, for a trace of one point."""
    high, low = [interval.high - interval.value], [interval.value - interval.low]
    return {"array": high, "arrayminus": low, "color": colour, "thickness": 1.4, "width": 4}
