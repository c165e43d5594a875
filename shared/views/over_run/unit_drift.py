"""How heads and neurons that carry the verdict came and went over a run.

A unit is among them where removing it alone says so at two checkpoints in a row of those that removed it: among
many units and checkpoints, once may be chance. Nothing is drawn in place of a number that no result holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shared.figures.run.unit_drift import unit_drift_figure
from shared.findings.text import counted, escape
from shared.views import Panel

MOST_UNITS = 20
"""Rows: the units that carry at the most checkpoints."""


@dataclass(frozen=True)
class UnitCourse:
    """One unit over the drawn checkpoints; None where it is not known."""

    name: str
    """ "L4.H3" """
    effect: tuple[float | None, ...]
    """By attribution, nats, positive for the right verdict."""
    carries: tuple[bool | None, ...]
    """Whether it carries the verdict; None where it was not removed."""

    @property
    def times(self) -> int:
        """Checkpoints at which it carries."""
        return sum(each is True for each in self.carries)

    @property
    def settled(self) -> bool:
        """Whether it carries at two checkpoints in a row of those that removed it."""
        return any(a and b for a, b in pairwise(each for each in self.carries if each is not None))

    @property
    def removed(self) -> int:
        return sum(each is not None for each in self.carries)


def drift_panel(courses: Sequence[UnitCourse], labels: Sequence[str], names: Sequence[str]) -> Panel | None:
    """`courses` over the checkpoints of `labels` and `names`; None where no unit was removed at two."""
    if not any(each.removed > 1 for each in courses):
        return None
    found = sorted((each for each in courses if each.settled), key=lambda each: (-each.times, each.name))
    shown = found[:MOST_UNITS]
    headline = _headline(found, labels)
    left = f", {len(shown)} of them drawn" if len(shown) < len(found) else ""
    effect, carries = (
        _table([getattr(each, part) for each in shown], len(labels)) for part in ("effect", "carries")
    )
    return Panel(
        stem="evolution_units",
        title="Units that carry the verdict, over the run",
        figure=unit_drift_figure(
            [each.name for each in shown],
            [escape(label, 24) for label in labels],
            effect,
            carries,
            escape(headline, None),
            f"{counted(len(labels), 'checkpoint')} · {counted(len(found), 'unit')}{left} · click one to open it",
        ),
        caption=_CAPTION,
        alt=f"{headline}. {'; '.join(_told(each) for each in shown[:8])}.",
        rows=[
            {"unit": each.name, "checkpoint": name, "effect": each.effect[place], "carries": each.carries[place]}
            for each in found
            for place, name in enumerate(names)
        ],
        badge="effect by attribution; removal of each alone on prompts that it was not chosen on",
        claims=bool(found),
    )


def _headline(found: Sequence[UnitCourse], labels: Sequence[str]) -> str:
    if not found:
        return "No head or neuron carries the verdict alone at two checkpoints in a row"
    now = [each for each in found if each.carries[-1]]
    ever = "carries" if len(found) == 1 else "carry"
    alone = f"{counted(len(found), 'unit')} {ever} the verdict alone, {len(now)} at {labels[-1]}"
    return f"{alone}; {_told(found[0])}"


def _told(course: UnitCourse) -> str:
    return f"{course.name} at {course.times} of the {course.removed} where it was removed"


def _table(rows: Sequence[Sequence[float | bool | None]], count: int) -> np.ndarray:
    """(units, count), NaN for None."""
    values = [[np.nan if value is None else float(value) for value in row] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), count)


_CAPTION = (
    "What it shows: the heads and neurons that carry the verdict at two checkpoints in a row, those that do so "
    "most often first. Colour: effect by attribution (nats of separation; purple for the right verdict, orange "
    "against it). Filled: removed alone there, and it carries; open: removed, and it does not; no mark: not "
    "removed there.\n"
    "How to read: a row that is filled from some checkpoint on has learnt its part then. Which units are removed "
    "is chosen anew at every checkpoint, so that a missing mark says nothing.\n"
    "Worrying: units that come and go late in the training; a unit that carries from the first checkpoint on was "
    "not learnt here."
)
