"""What neurons and heads share: what they are compared with, and what is lost without them."""

from __future__ import annotations

from typing import Literal

from shared.findings.parts import Interval, Part

Reference = Literal["twin", "mean"]
"""What a unit is compared with: its value for the contrast twin, or its mean over the probe set."""


class UnitAblation(Part):
    """What happens when one unit is set to its mean over the probe set, on prompts that it was not chosen on."""

    drop: Interval
    """Mean loss of class-signed score, nats: positive when the unit helps to tell unsafe from safe."""
    share: Interval | None
    """That loss / the separation of the same prompts; None where its interval has no end."""
    flips: int
    """Verdicts that change, of the prompts of `n`."""
    n: int
    carries: bool
    """`shared.findings.claims.carries`, beside random single units of the same layers."""


class JointAblation(Part):
    """Units set to their means at once, beside equally many random ones of the same layers."""

    sizes: list[int]
    """How many units each part of the prompts chose; they were removed on the other prompts."""
    named: list[str]
    """The units, where every part chose them; empty where the parts chose others."""
    redundant: list[str]
    """Of these, units that stand in for each other: alone below a tenth of `drop`, and any of them, given back
    while all others stay removed, restores at least half of it."""
    each: list[str]
    """Units of which each alone carries the verdict and loses at least half of `drop`, most first: two that both
    must work are not needed together, so that `named` holds only one of them."""
    drop: Interval
    share: Interval | None
    flips: int
    n: int
    control_drops: list[float]
    """One entry a random draw, nats."""
    control_flips: list[int]
    carries: bool

    @property
    def k(self) -> str:
        """ "6", or "5 to 7" """
        low, high = min(self.sizes), max(self.sizes)
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    def counted(self, noun: str) -> str:
        """ "1 head", "5 to 7 heads" """
        return f"{self.k} {noun}{'' if max(self.sizes) == 1 else 's'}"


class Agreement(Part):
    """Whether attribution tells what ablation does, both against the mean over the probe set."""

    spearman: Interval
    """Over units; Fisher's z with the error of Bonett and Wright 2000."""
    shown: int
    """Units that were chosen."""
    random: int
    """Others of the same layers, drawn at random."""


REFERENCES: dict[Reference, str] = {"twin": "the contrast twin's value", "mean": "the mean over the probe set"}
