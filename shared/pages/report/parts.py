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
    choices: Sequence[Packed] = ()
    """Checkpoints of which the reader chooses one to be shown here."""


class Packed(NamedTuple):
    """A checkpoint that can be chosen, unpacked by the page once it is."""

    label: str
    """ "epoch 3 (best by validation auc)" """
    data: str
    """base64 of gzip of JSON, see `shared.pages.report.other_checkpoints`."""


class Code(NamedTuple):
    """What somebody types, or a file that somebody writes."""

    title: str
    text: str


def height_of(panel: Panel) -> int:
    """Pixels that its figure takes once it is drawn."""
    return int(panel.figure.layout.height or 450)  # type: ignore[union-attr]


def method_of(panel: Panel) -> tuple[str, list[str]]:
    """The line that says how it was made, and the warnings behind it."""
    method, *warnings = panel.badge.split(" · WARNING: ")
    return method, warnings
