"""Units removed one by one, on prompts that they were not chosen on, beside random ones of the same layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.statistics.ranks import spearman_interval
from analyzer.units.effects import Unit
from analyzer.units.removal import Removal
from shared.findings.units import Agreement, UnitAblation


@dataclass(frozen=True)
class Alone:
    """What single units lose."""

    told: dict[Unit, UnitAblation]
    """Of the units shown, most lost first; those that no other prompts could measure are left out."""
    agreement: Agreement | None
    random: list[float]
    """What each random one loses, nats."""

    def carrying(self, shape: tuple[int, ...]) -> np.ndarray:
        """(layers, units) int8: 1 carries the verdict, 0 does not, -1 was not removed."""
        found = np.full(shape, -1, dtype=np.int8)
        for unit, ablation in self.told.items():
            found[unit] = ablation.carries
        return found


def removed_alone(
    removal: Removal,
    rows_of: Mapping[Unit, np.ndarray],
    random: Sequence[Unit],
    attribution: Mapping[Unit, float],
) -> Alone:
    """Remove every unit of `rows_of` and of `random` alone.

    `rows_of` names the prompts that a unit was not chosen on. `attribution` holds each unit's mean class-signed
    effect against its mean over the prompts of `removal`: what ablation does, to first order.
    """
    separation, every = removal.separation, removal.all
    units = [*rows_of, *random]
    scores = removal.scores([[unit] for unit in units], every)
    lost = dict(zip(units, separation.lost(scores, every).mean(-1).tolist(), strict=True)) if units else {}
    controls = [lost[unit] for unit in random]
    told = {
        unit: removal.told(scores[number][rows], rows, controls)
        for number, (unit, rows) in enumerate(rows_of.items())
        if separation.both_classes(rows)
    }
    order = sorted(told, key=lambda unit: -told[unit].drop.value * np.sign(removal.explained.size.value))
    correlation = spearman_interval([attribution[unit] for unit in units], [lost[unit] for unit in units])
    return Alone(
        told={unit: told[unit] for unit in order},
        random=controls,
        agreement=None
        if correlation is None
        else Agreement(spearman=correlation, shown=len(rows_of), random=len(random)),
    )
