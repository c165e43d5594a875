"""How much of the separation is left when more and more of the strongest units are removed together."""

from __future__ import annotations

from shared.findings.parts import Interval, Part


class CurvePoint(Part):
    """So many units set to their means at once."""

    removed: int
    left: Interval | None
    """Share of the separation that is left; below 0 it is reversed. None where its interval has no end."""
    random: Interval | None
    """The same of one draw of as many units of the same layers; None where none was made."""


class HalfGone(Part):
    """How many of the strongest units must be removed before half of the separation is gone."""

    at: int
    """Interpolated between the sizes, on a log scale."""
    low: int
    """The 95 % interval: sizes at which half may be left."""
    high: int | None
    """None where that is beyond the largest size."""


class RemovalCurve(Part):
    """Units are ranked on all parts of the prompts but one, and removed on that one."""

    points: list[CurvePoint]
    """By size."""
    half: HalfGone | None
    """None where more than half is left at every size."""
    total: int
    """Units that there are."""
    n: int
    """Prompts."""
    folds: int

    def beside(self, size: int) -> CurvePoint | None:
        """The smallest size with random units that is at least `size`, else the largest one."""
        drawn = [point for point in self.points if point.random is not None]
        return next((point for point in drawn if point.removed >= size), drawn[-1] if drawn else None)
