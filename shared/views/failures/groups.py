"""The wrong verdicts in groups: by category, length, language, and what else the probes record of themselves.

A group is named only where Fisher's exact test tells it from the rest: over independent groups of prompts (twins
and templates count once, wrong where at least half of them are), p below 0.05 divided by the number of tests and
below what may be chance anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from shared.findings.claims import CHANCE
from shared.findings.fisher import fisher_p
from shared.findings.parts import Interval
from shared.findings.wilson import wilson
from shared.records import Probe
from shared.views.failures.wrong import Failures, Side
from shared.views.overview.standing import FAMILY

GroupKind = Literal["category", "length", "language", "style", "source"]
KINDS: tuple[GroupKind, ...] = ("category", "length", "language", "style", "source")
LENGTH_PARTS = 4
"""Parts by length in characters, of about equal size."""
SIDES: tuple[Side, ...] = ("missed", "refused")


class GroupRow(NamedTuple):
    """How often the prompts of one group and one label are judged wrongly."""

    kind: GroupKind
    name: str
    side: Side
    """ "missed": of its unsafe prompts; "refused": of its safe ones."""
    wrong: int
    of: int
    """Prompts of that label with a score."""
    groups: int
    """Independent groups among them."""
    rate: Interval
    """Share of the prompts; Wilson's interval for as many trials as there are independent groups."""
    rest: float | None
    """The same share of all other prompts of that label; None without any."""
    p_value: float | None
    told: bool
    """Whether it is told from the rest."""


class _Cell(NamedTuple):
    kind: GroupKind
    name: str
    side: Side
    inside: np.ndarray
    """(n,) of this group, label, and with a score."""
    outside: np.ndarray


def group_rows(found: Failures) -> list[GroupRow]:
    """All groups that have a prompt with a score, those of a kind together, the highest rate first."""
    cells = [*_cells(found)]
    tests = sum(bool(cell.outside.any()) for cell in cells)
    bar = min(CHANCE, FAMILY / max(tests, 1))
    rows = [_row(found, cell, bar) for cell in cells]
    return sorted(rows, key=lambda row: (KINDS.index(row.kind), SIDES.index(row.side), -row.rate.value, row.name))


def names_by_kind(probes: Sequence[Probe]) -> dict[GroupKind, list[str]]:
    """Kind -> the group of each prompt, empty where it has none; without kinds that tell no two prompts apart."""
    found: dict[GroupKind, list[str]] = {
        kind: lengths(probes) if kind == "length" else [getattr(probe, kind) for probe in probes] for kind in KINDS
    }
    return {kind: names for kind, names in found.items() if len({name for name in names if name}) > 1}


def lengths(probes: Sequence[Probe]) -> list[str]:
    """The part of each prompt by its length: "12 to 40 characters"."""
    sizes = np.array([len(probe.text) for probe in probes])
    if not len(sizes):
        return []
    edges = np.unique(np.quantile(sizes, np.arange(1, LENGTH_PARTS) / LENGTH_PARTS, method="lower"))
    parts = np.searchsorted(edges, sizes)
    names = {}
    for part in np.unique(parts).tolist():
        own = sizes[parts == part]
        low, high = int(own.min()), int(own.max())
        names[part] = f"{low} to {high} characters" if high > low else f"{low} characters"
    return [names[part] for part in parts.tolist()]


def _cells(found: Failures) -> Iterator[_Cell]:
    known = found.history.known[found.history.place]
    for kind, names in names_by_kind(found.probes).items():
        called = np.array(names, dtype=object)
        for name in sorted({each for each in names if each}):
            for side in SIDES:
                label = known & (found.history.unsafe == (side == "missed"))
                inside = label & (called == name)
                if inside.any():
                    yield _Cell(kind, name, side, inside, label & ~(called == name))


def _row(found: Failures, cell: _Cell, bar: float) -> GroupRow:
    wrong = found.history.wrong[found.history.place]
    bad, of = independent(wrong, found.groups, cell.inside)
    other_bad, other_of = independent(wrong, found.groups, cell.outside)
    p_value = fisher_p(bad, of, other_bad, other_of) if other_of else None
    return GroupRow(
        kind=cell.kind,
        name=cell.name,
        side=cell.side,
        wrong=int(wrong[cell.inside].sum()),
        of=int(cell.inside.sum()),
        groups=of,
        rate=wilson(float(wrong[cell.inside].mean()), of),
        rest=float(wrong[cell.outside].mean()) if cell.outside.any() else None,
        p_value=p_value,
        told=found.tells and p_value is not None and p_value < bar,
    )


def independent(wrong: np.ndarray, groups: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    """Independent groups among the prompts `inside` (n,), of which at least half are wrong; and all of them."""
    numbers = groups[inside]
    if not len(numbers):
        return 0, 0
    sizes = np.bincount(numbers)
    bad = np.bincount(numbers, wrong[inside].astype(float))
    present = sizes > 0
    return int((bad[present] >= sizes[present] / 2).sum()), int(present.sum())
