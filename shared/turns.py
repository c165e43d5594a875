"""Whose turn is next: the one order in which checkpoints wait, for who works it off and for who shows it."""

from __future__ import annotations

from collections.abc import Sequence

COMPARING = "evolution"
"""The analysis that compares a checkpoint with earlier ones."""


def turn(step: int, missing: Sequence[str], policy: str) -> tuple[bool, int]:
    """What to sort waiting checkpoints by: the newest first with the policy "newest", else the oldest first.

    What only has to be compared again comes last, and by step: an earlier checkpoint that is still waiting would
    make the comparison out of date again. `missing` are the wanted analyses without a result.
    """
    comparing = [*missing] == [COMPARING]
    return comparing, step if comparing or policy != "newest" else -step
