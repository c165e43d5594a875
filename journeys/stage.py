"""One stage of the pipeline: a command of Midwatch, what it needs, and how to see that its work is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """What became of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """Its work is there, from now or from before."""
    SKIPPED = "skipped"
    """Left out because the user said so."""
    FAILED = "failed"
    MISSED = "missed"
    """Left out because something that it needs is not there."""


def nothing_more() -> list[str]:
    """No further words."""
    return []


def no_files() -> list[Path]:
    """None."""
    return []


def unknown() -> None:
    """Nobody knows how far it is."""


def nothing_known() -> str:
    """Its files name no cause."""
    return ""


@dataclass(frozen=True)
class Stage:
    """One command, and when to run it."""

    name: str
    words: Callable[[], list[str]]
    """The command's words, asked for once everything that it needs is there."""
    made: Callable[[], bool]
    """Whether its work is there, whole."""
    why_not: Callable[[], str] = nothing_known
    """Sentences that say why its work is not there, of a command that may end well without it."""
    needs: tuple[str, ...] = ()
    """Names of stages whose work it needs, whoever did it and when."""
    skipped: str = ""
    """The option that leaves it out; empty where it is wanted."""
    resume: Callable[[], list[str]] = nothing_more
    """Words that let it go on where an earlier one stopped; none where there is nothing to go on from."""
    alone: Sequence[str] = ()
    """Words it also gets when it is not started beside another stage."""
    beside: str = ""
    """Stage with which it starts, to run beside it; it comes behind that one in the order."""
    until: Callable[[], bool] | None = None
    """Of a stage started beside another: when it is stopped, its work being there. None: it ends by itself."""
    cores: Sequence[int] = ()
    """Cores while it runs beside another stage, or another beside it."""
    share: Callable[[], float | None] = unknown
    """How much of its work is done, 0 to 1; None where that is not known."""
    inputs: Callable[[], Sequence[Path]] = no_files
    """Files whose contents it depends on beside its words: where they change, it is done again."""
    again: bool = False
    """Whether it is done again after any other stage did something."""
    fixed: bool = False
    """Whether its work cannot be done over in the same place, with other words."""
    usual_s: float = 30.0
    """Seconds it takes for the shipped prompts and model on two cores: for the time left."""
