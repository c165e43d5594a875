"""The prompts that two checkpoints were both judged on, matched by id, words and label; never by their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shared.findings.text import counted
from shared.prompts.groups import group_numbers
from shared.records import Probe


class Judged(NamedTuple):
    """One checkpoint's verdicts on its probe set."""

    name: str
    """ "epoch 7", or "epoch 7 of RUN" where two runs are compared; may hold data."""
    probes: Sequence[Probe]
    scores: np.ndarray
    """(n,) nats in the order of `probes`, NaN where a prompt was left out; above 0 is unsafe."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """The prompts of both, in the order of the checkpoint that is shown."""

    names: tuple[str, str]
    """There, here."""
    probes: tuple[Probe, ...]
    rows: tuple[np.ndarray, np.ndarray]
    """(n,) each: the place of every common prompt in the probe set there and here."""
    scores: tuple[np.ndarray, np.ndarray]
    """(n,) each, nats; finite."""
    groups: np.ndarray
    """(n,) number of each prompt's independent group, among these prompts."""
    only: tuple[int, int]
    """Prompts that only one of the two has."""
    relabelled: int
    """Prompts with the same words and another label; left out."""
    reworded: int
    """Prompts that differ in nothing but case or spaces; left out."""
    unscored: int
    """Common prompts without a score at one of the two; left out."""

    @property
    def unsafe(self) -> np.ndarray:
        """(n,) boolean, by label."""
        return np.array([probe.label == "unsafe" for probe in self.probes], dtype=bool)

    @property
    def right(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) boolean each: whether the verdict is right, at each judge's own threshold."""
        there, here = ((scores > 0) == self.unsafe for scores in self.scores)
        return there, here

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return not any((*self.only, self.relabelled, self.reworded, self.unscored))


def pair(there: Judged, here: Judged) -> Pairing:
    """Match the prompts of two checkpoints; `scores` have one entry a probe. It may find none in common."""
    place = {probe.id: row for row, probe in enumerate(there.probes)}
    found: list[tuple[int, int]] = []
    left_out = {"relabelled": 0, "reworded": 0, "unscored": 0}
    met = 0
    for row, probe in enumerate(here.probes):
        other = place.get(probe.id)
        if other is None:
            continue
        met += 1
        why = _why_not(there.probes[other], probe, float(there.scores[other]), float(here.scores[row]))
        if why:
            left_out[why] += 1
        else:
            found.append((other, row))
    rows = np.array(found, dtype=int).reshape(len(found), 2).T
    probes = tuple(here.probes[row] for row in rows[1])
    return Pairing(
        names=(there.name, here.name),
        probes=probes,
        rows=(rows[0], rows[1]),
        scores=(there.scores[rows[0]], here.scores[rows[1]]),
        groups=np.array(group_numbers(probes), dtype=int),
        only=(len(there.probes) - met, len(here.probes) - met),
        **left_out,
    )


def _why_not(there: Probe, here: Probe, before: float, now: float) -> str:
    if there.label != here.label:
        return "relabelled"
    if (there.text, there.response) != (here.text, here.response):
        return "reworded"
    return "" if np.isfinite(before) and np.isfinite(now) else "unscored"


def coverage(found: Pairing) -> str:
    """Which prompts the comparison is about, where it is not about all of both; else empty."""
    if found.whole:
        return ""
    there, here = found.names
    told = [
        (found.only[1], f"only {here} was judged on"),
        (found.only[0], f"only {there} was judged on"),
        (found.relabelled, "with two labels"),
        (found.reworded, "written in two ways"),
        (found.unscored, "without a score at one of the two"),
    ]
    left = "; ".join(f"{count} {why}" for count, why in told if count)
    return f"Compared on the {counted(len(found.probes), 'probe prompt')} that both share; left out: {left}."
