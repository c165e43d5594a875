"""The display samples: two safe and two unsafe probes that every checkpoint's pages show, short enough to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.prompts.groups import drawn
from shared.records import Label, Probe

LABELS: tuple[Label, Label] = ("safe", "unsafe")
DISPLAY_PER_CLASS = 2
READABLE_CHARS = (15, 110)
"""Lengths that a display sample should have, characters: one line of a figure's title."""


def display_indices(probes: Sequence[Probe]) -> list[int]:
    """Where the display samples stand, the safe ones first, as they are numbered in file names."""
    shown = [index for index, probe in enumerate(probes) if probe.display]
    return sorted(shown, key=lambda index: LABELS.index(probes[index].label))


def display_samples(probes: Iterable[Probe]) -> list[Probe]:
    """The display samples themselves, in the same order."""
    probes = list(probes)
    return [probes[index] for index in display_indices(probes)]


def another_display(lost: Probe, others: Iterable[Probe]) -> Probe | None:
    """The most readable of some other prompts of its class, to be shown in its place; None where there is none."""
    same = [probe for probe in others if probe.label == lost.label]
    return min(same, key=lambda probe: (_readability(probe.text), drawn(0, probe.text)), default=None)


def with_display(probes: list[Probe], seed: int) -> list[Probe]:
    """Two samples of each class marked and moved to the front."""
    order = sorted(probes, key=lambda probe: (_readability(probe.text), drawn(seed, probe.text)))
    shown = _display_pair(order)
    for label in LABELS:
        mine = [probe for probe in order if probe.label == label and probe.id not in shown]
        seen = {shown[key].category for key in shown}
        mine.sort(key=lambda probe: (_readability(probe.text), probe.category in seen))
        for probe in mine[: DISPLAY_PER_CLASS - sum(probe.label == label for probe in shown.values())]:
            shown[probe.id] = probe
    front = display_samples(probe.model_copy(update={"display": True}) for probe in shown.values())
    return [*front, *(probe for probe in probes if probe.id not in shown)]


def _display_pair(order: list[Probe]) -> dict[str, Probe]:
    """The most readable contrast pair as id -> probe; empty where there is none."""
    first: dict[str, Probe] = {}
    for probe in order:
        twin = first.get(probe.pair) if probe.pair else None
        if twin is not None and twin.label != probe.label:
            return {twin.id: twin, probe.id: probe}
        if probe.pair:
            first.setdefault(probe.pair, probe)
    return {}


def _readability(text: str) -> int:
    """0 for a line that reads at a glance, else how many characters it is off."""
    low, high = READABLE_CHARS
    return max(low - len(text), len(text) - high, 0)
