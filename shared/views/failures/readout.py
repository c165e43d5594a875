"""Where inside the judge a wrong verdict parts from right ones: the score read early at each layer.

From the analysis `layers`: the residual stream of each probe after each layer, put through the judge's own final
norm, pooling and head. Beside the prompt stand those of its label that are judged rightly; beside its pair (unsafe
twin less safe twin) the contrast pairs of which both are. It parts at the first layer from which on, to the last,
it lies outside all of them on the wrong side. That describes this one prompt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shared.findings.parts import layer_name
from shared.findings.text import counted, signed
from shared.prompts.twins import twin_of
from shared.views.failures.wrong import Failures

FEWEST = 8
"""Rightly judged ones below which they are no range to stand outside of."""


class Range(NamedTuple):
    """The rightly judged ones beside it; arrays are (layers + 1,), embeddings first, nats."""

    value: np.ndarray
    """Of the prompt, or of its pair."""
    low: np.ndarray
    high: np.ndarray
    """The least and the most of the others."""
    others: int
    below: bool
    """Whether the wrong side is below the range."""

    @property
    def parts(self) -> int | None:
        """Point of the residual stream (0 is the embeddings) from which on it is outside; None where it never is
        for good, or the others are too few."""
        if self.others < FEWEST:
            return None
        outside = self.value < self.low if self.below else self.value > self.high
        if not outside[-1]:
            return None
        inside = np.flatnonzero(~outside)
        return int(inside[-1]) + 1 if len(inside) else 0


class Readout(NamedTuple):
    """One prompt's way through the layers, beside its twin and beside rightly judged ones."""

    prompt: np.ndarray
    """(layers + 1,) nats."""
    twin: np.ndarray | None
    alone: Range
    """The prompt beside the rightly judged ones of its label."""
    pair: Range | None
    """Its contrast pair beside those judged rightly; None without a contrast twin."""


def readout(found: Failures, index: int, twin: int | None, lens: np.ndarray) -> Readout | None:
    """`lens` (n, layers + 1) are the read-outs of all probes, nats; None where this one has none.

    `twin` is the prompt beside it; where it is the contrast twin, the pair is compared, too.
    """
    if len(lens) != len(found.probes) or not np.isfinite(lens[index]).all():
        return None
    known = np.isfinite(lens).all(1) & found.history.known[found.history.place]
    right = known & ~found.history.wrong[found.history.place]
    right[index] = False
    unsafe = bool(found.history.unsafe[index])
    same = lens[right & (found.history.unsafe == unsafe)]
    beside = lens[twin] if twin is not None and known[twin] else None
    pairs = twin_of(found.probes)
    pair = None
    if beside is not None and pairs.get(index) == twin:
        members = [
            (one, other) for one, other in pairs.items() if found.history.unsafe[one] and right[[one, other]].all()
        ]
        gaps = np.array([lens[one] - lens[other] for one, other in members]).reshape(len(members), lens.shape[1])
        own = lens[index] - beside if unsafe else beside - lens[index]
        pair = _range(own, gaps, below=True)
    return Readout(lens[index], beside, _range(lens[index], same, below=unsafe), pair)


def _range(value: np.ndarray, others: np.ndarray, *, below: bool) -> Range:
    if not len(others):
        empty = np.full(len(value), np.nan)
        return Range(value, empty, empty, 0, below)
    return Range(value, others.min(0), others.max(0), len(others), below)


def point_name(point: int) -> str:
    """ "layer 3", or "the embeddings", of a point of the residual stream."""
    return layer_name(point - 1)


def alone_words(found: Readout, label: str) -> str:
    """Where the prompt leaves the rightly judged ones of its label."""
    return _words(
        found.alone,
        "Its read-out",
        (f"rightly judged {label} probe", f"rightly judged {label} probes"),
        "read-outs",
    )


def pair_words(found: Readout) -> str:
    """Where its contrast pair leaves those judged rightly; empty without a contrast twin."""
    if found.pair is None:
        return ""
    return _words(
        found.pair,
        "The gap to its twin (unsafe less safe)",
        ("pair judged rightly", "pairs judged rightly"),
        "gaps",
    )


def _words(ranged: Range, what: str, others: tuple[str, str], theirs: str) -> str:
    if ranged.others < FEWEST:
        return f"{what} has only {counted(ranged.others, *others)} beside it: too few to say where it parts"
    beside = counted(ranged.others, *others)
    point = ranged.parts
    if point is None:
        return f"{what} ends within the range of {beside}: it parts from them at no layer"
    side = "below" if ranged.below else "above"
    edge = ranged.low[point] if ranged.below else ranged.high[point]
    return (
        f"{what} is {side} all those of {beside} from {point_name(point)} on: {signed(float(ranged.value[point]))} "
        f"there, the nearest of their {theirs} {signed(float(edge))} nats"
    )
