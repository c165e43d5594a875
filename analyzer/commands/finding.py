"""What `midwatch doctor` found in one place."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at."""

    state: Literal["good", "warning", "broken"]
    what: str
    detail: str
