"""What a report is made of: sections of words, tables and figures, numbered through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.views import Panel


class Point(NamedTuple):
    """One line of a list: what it is about, and what is said."""

    lead: str
    text: str


@dataclass(frozen=True)
class Grid:
    """A table to read."""

    title: str
    head: Sequence[str]
    body: Sequence[Sequence[str]]
    """The first cell of each row names it; text of ours or from data, escaped by the template."""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One section, or a part of one."""

    title: str
    text: Sequence[str] = ()
    """Paragraphs."""
    points: Sequence[Point] = ()
    grids: Sequence[Grid] = ()
    panels: Sequence[Panel] = ()
    code: Sequence[Code] = ()
    parts: Sequence[Section] = field(default_factory=tuple)
    folded: bool = False
    """Shown once it is opened."""


class Code(NamedTuple):
    """What somebody types, or a file that somebody writes."""

    title: str
    text: str
