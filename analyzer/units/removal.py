"""Units really removed (set to their mean over the probe set), on some prompts, and what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from analyzer.patching.ablation import Ablation, ablated_scores, patched_scores
from analyzer.units.effects import Unit, by_layer
from analyzer.units.separation import Separation
from shared.findings.claims import carries
from shared.findings.units import UnitAblation

if TYPE_CHECKING:
    from analyzer.session.context import Context

Kind = Literal["heads", "neurons"]


class Removal:
    """Removes units of one kind; `indices` are the probes that it is done on."""

    def __init__(self, context: Context, indices: Sequence[int], kind: Kind) -> None:
        self.context, self.kind = context, kind
        found = context.with_units()
        probes = [context.probes[index] for index in indices]
        self.probes = probes
        self.encoded = [context.encoded[index] for index in indices]
        self.means = found.unit_means
        self.separation = Separation(probes, found.scores[list(indices)], context.seed)
        self.explained = self.separation.explained()
        self.all = np.arange(len(probes))

    def scores(self, sets: Sequence[Sequence[Unit]], rows: np.ndarray) -> np.ndarray:
        """(sets, rows) scores with each set of units at its means."""
        assert self.means is not None  # noqa: S101 (with_units has them)
        if not sets or not len(rows):
            return np.zeros((len(sets), len(rows)))
        encoded, context = [self.encoded[row] for row in rows], self.context
        ablations = [self._ablation(units) for units in sets]
        return ablated_scores(context.judge, encoded, self.means, ablations, context.batch_tokens, context.progress)

    def lost(self, sets: Sequence[Sequence[Unit]], rows: np.ndarray) -> np.ndarray:
        """(sets, rows) what each prompt loses of the separation of these rows."""
        return self.separation.lost(self.scores(sets, rows), rows)

    def patched_lost(self, units: Sequence[Unit], rows: np.ndarray) -> np.ndarray:
        """(units, rows) the same with each unit at its twin's value; `rows` are aligned twins side by side."""
        ablations = [self._ablation([unit]) for unit in units]
        encoded, context = [self.encoded[row] for row in rows], self.context
        scores = patched_scores(context.judge, encoded, ablations, context.batch_tokens, context.progress)
        return self.separation.lost(scores, rows)

    def told(self, ablated: np.ndarray, rows: np.ndarray, random: Sequence[float]) -> UnitAblation:
        """What (rows,) scores with one unit removed say, beside what `random` single units lose (nats)."""
        separation = self.separation
        lost, clusters = separation.lost(ablated, rows), separation.clusters_of(rows)
        drop = clusters.mean(lost)
        return UnitAblation(
            drop=drop,
            share=clusters.ratio(lost, separation.of(rows)),
            flips=int(((ablated > 0) != (separation.scores[rows] > 0)).sum()),
            n=len(rows),
            carries=separation.enough(rows) and carries(self.explained, drop, random),
        )

    def _ablation(self, units: Sequence[Unit]) -> Ablation:
        return Ablation(**{self.kind: by_layer(units)})
