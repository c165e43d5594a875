"""The suites of analyses: `advanced` includes `basic`."""

from __future__ import annotations

from typing import Literal

Suite = Literal["basic", "advanced"]

SUITES: tuple[Suite, ...] = ("basic", "advanced")


def suites_up_to(suite: Suite) -> tuple[Suite, ...]:
    """The suites whose analyses `suite` holds: its own, and of those before it."""
    return SUITES[: SUITES.index(suite) + 1]
