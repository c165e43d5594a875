"""What a tracker is: takes the numbers of checkpoints, and says where people find them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors import reason_of

PREFIX = "midwatch"
"""What the name of everything we send begins with: it may stand beside what the training itself sends."""
UNPLAIN = re.compile(r"[^\w.\- ]", re.ASCII)
CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@|\?[^=\s]+=[^\s'\")]*")
"""Of a URL in a library's own words: user and password, and what stands after the question mark."""


@dataclass(frozen=True)
class Numbers:
    """Numbers of one checkpoint, from one or several of its results."""

    checkpoint: str
    step: int
    """Of the training, in optimizer steps: the axis of every tracker."""
    epoch: float | None
    time: float
    """When the newest of these results was computed: Unix time, seconds."""
    values: Mapping[str, float]
    """ "calibration/ece" -> value; finite."""


class Tracker(Protocol):
    """Takes numbers; each call either takes all that it is given, or raises TrackerRefused."""

    where: str
    """What people do to see them, e.g. a command in backticks."""
    place: str
    """What finds the same place again at the next start, e.g. an id; empty where none is needed."""
    whole: bool
    """Whether each `send` is given all numbers of the run, and replaces what was sent before."""

    def send(self, numbers: Sequence[Numbers]) -> None:
        """Take these, by step. Steps may be earlier than those of the call before. Raises TrackerRefused."""
        ...

    def close(self) -> None:
        """Finish what is under way. Raises TrackerRefused."""
        ...


def plain(name: str) -> str:
    """A name of which every tracker takes each character."""
    return "/".join(UNPLAIN.sub("_", part)[:120] or "_" for part in name.split("/"))


def discreet(error: BaseException) -> str:
    """Why a library refused, without credentials that it may repeat from a URL, and without its further causes."""
    return CREDENTIALS.sub("", reason_of(error)).partition(" (Caused by")[0].rstrip(".")
