"""Contrast twins: the one safe and the one unsafe prompt of a pair."""

from __future__ import annotations

from collections.abc import Sequence

from shared.records import Probe


def twin_of(probes: Sequence[Probe]) -> dict[int, int]:
    """Index of each prompt's contrast twin: the one other prompt of its pair, of the other class."""
    members: dict[str, list[int]] = {}
    for index, probe in enumerate(probes):
        if probe.pair is not None:
            members.setdefault(probe.pair, []).append(index)
    pairs = [pair for pair in members.values() if len(pair) == 2 and probes[pair[0]].label != probes[pair[1]].label]
    return {one: other for a, b in pairs for one, other in ((a, b), (b, a))}
