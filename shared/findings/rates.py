"""Rates as people read them, wherever one is said: in percent, with the digits that n allows."""

from __future__ import annotations

from shared.findings.parts import Interval
from shared.findings.text import percent

MANY = 1000
"""Prompts from which on a rate is said with a decimal: of fewer its second digit is one prompt."""

PERCENT = ".0%"
"""How an axis of rates is written, in Plotly's words."""


def digits(prompts: int) -> int:
    """Decimals that a rate of so many prompts can have, in percent; 0 prompts where their number is not known."""
    return 1 if prompts >= MANY else 0


def share(value: float, prompts: int = 0) -> str:
    """ "22 %" """
    return percent(value, digits(prompts))


def ends(value: Interval, prompts: int = 0) -> str:
    """ "12 to 33 %" """
    return f"{100 * value.low:.{digits(prompts)}f} to {share(value.high, prompts)}"


def rate(value: Interval | None, prompts: int = 0) -> str:
    """ "22 % [12, 33]" """
    if value is None:
        return "–"
    places = digits(prompts)
    return f"{percent(value.value, places)} [{100 * value.low:.{places}f}, {100 * value.high:.{places}f}]"


def points(difference: float, prompts: int = 0) -> str:
    """A difference of rates as "+3 points"."""
    places = digits(prompts)
    return f"{round(100 * difference, places) + 0.0:+.{places}f} points"
