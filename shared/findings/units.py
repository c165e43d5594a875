"""What neurons and heads share: what they are compared with, and what is lost without them."""

from __future__ import annotations

from typing import Literal

from shared.findings.parts import Interval, Part

Reference = Literal["twin", "mean"]
"""What a unit is compared with: its value for the contrast twin, or its mean over the probe set."""


class UnitAblation(Part):
    """What happens when one unit is set to its mean over the probe set, in every prompt."""

    drop: Interval
    """Mean loss of class-signed score, nats: positive when the unit helps to tell unsafe from safe."""
    flips: int
    """Verdicts that change, of the prompts of `n`."""
    n: int


class JointAblation(Part):
    """The top units that support the right verdict ablated at once, beside equally many random ones."""

    k: int
    drop: Interval
    flips: int
    n: int
    control_drops: list[float]
    """One entry a random draw, nats."""
    control_flips: list[int]


REFERENCES: dict[Reference, str] = {"twin": "the contrast twin's value", "mean": "the mean over the probe set"}
