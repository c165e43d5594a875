"""What is said of the heads and neurons that tell one prompt from its twin; it describes this pair alone."""

from __future__ import annotations

from shared.findings.inside import InsidePair, UnitOnPair
from shared.findings.text import counted, number, signed

NAMED = 3
"""Units of a kind that a sentence names."""


def gap_words(found: InsidePair) -> str:
    """How far apart the two score, and whether units can be named at all."""
    if found.alike:
        return (
            f"The judge scores the two alike ({signed(found.gap)} nats apart): nothing inside tells them apart, so "
            "no unit is named"
        )
    return f"The twin scores {signed(found.gap)} nats from this prompt"


def heads_words(found: InsidePair) -> str:
    """What the strongest heads do, beside the other ones; empty where none is named."""
    if found.alike or not found.heads:
        return ""
    beside = "" if found.other_heads is None else f"; the other heads {number(found.other_heads)} (median)"
    tried = f"of {found.heads_tried:,}" if found.heads_tried == found.heads_of else (
        f"of {found.heads_tried:,} tried, of {found.heads_of:,}"
    )  # fmt: skip
    return f"With the twin's value, each alone, {tried} heads {_moves(found.heads)}{beside}"


def neurons_words(found: InsidePair) -> str:
    """What the strongest neurons do, beside random ones; empty where none is named."""
    if found.alike or not found.neurons:
        return ""
    most = max(found.random_neurons, default=None)
    beside = (
        ""
        if most is None
        else f"; {counted(len(found.random_neurons), 'random neuron')} of the same layers {number(most)} at most"
    )
    return f"Of the neurons {_moves(found.neurons)}{beside}"


def _moves(units: list[UnitOnPair]) -> str:
    return ", ".join(f"{unit.name} moves it {signed(unit.effect)}" for unit in units[:NAMED]) + " nats"


def unit_rows(found: InsidePair) -> list[dict[str, str | float | None]]:
    """The named units as a table: what each alone does, and what neurons read in both."""
    return [
        {
            "unit": unit.name,
            "with the twin's value (nats)": round(unit.effect, 3),
            "share of the gap": None if found.alike else round(unit.effect / found.gap, 3),
            "reads here": None if unit.reading is None else round(unit.reading, 3),
            "reads in the twin": None if unit.twin_reading is None else round(unit.twin_reading, 3),
        }
        for unit in [*found.heads, *found.neurons]
    ]
