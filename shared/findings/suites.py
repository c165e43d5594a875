"""The suites of analyses: `advanced` includes `basic`."""

from __future__ import annotations

from typing import Literal

Suite = Literal["basic", "advanced"]

SUITES: tuple[Suite, ...] = ("basic", "advanced")
