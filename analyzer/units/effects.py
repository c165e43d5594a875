"""Parts that the neuron map and the head map share: ablation beside attribution, and its random control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.statistics.intervals import Z95, Clusters
from analyzer.statistics.ties import largest_first
from shared.findings.parts import Interval
from shared.findings.units import JointAblation, UnitAblation

if TYPE_CHECKING:
    from analyzer.patching.gradient_pass import UnitEffects
    from analyzer.patching.references import References
    from analyzer.session.context import Context

BOOTSTRAPS = 1000
LEAST = 0.01
"""Share of the strongest unit's effect below which a unit is not called strong."""


class Ablator:
    """Ablates units, to their mean over the whole probe set, and says what is lost.

    On the prompts that effects were measured on, at most `prompts` of them, so that the two can be compared.
    """

    def __init__(self, context: Context, references: References, prompts: int) -> None:
        from analyzer.statistics.folds import independent_groups

        self.context = context
        found = context.with_units()
        chosen = references.indices[:prompts].tolist()
        probes = [context.probes[index] for index in chosen]
        self.encoded = [context.encoded[index] for index in chosen]
        self.sign = np.array([1.0 if probe.label == "unsafe" else -1.0 for probe in probes])
        self.clean = found.scores[chosen].astype(float)
        self.means = found.unit_means
        self.clusters = Clusters(independent_groups(probes).tolist(), BOOTSTRAPS, context.seed)

    def run(self, ablations: Sequence[Ablation]) -> list[UnitAblation]:
        """What each ablation does."""
        assert self.means is not None  # noqa: S101 (with_units has them)
        if not ablations:
            return []
        context = self.context
        scores = ablated_scores(
            context.judge, self.encoded, self.means, ablations, context.batch_tokens, context.progress
        )
        return [self._told(ablated) for ablated in scores]

    def _told(self, ablated: np.ndarray) -> UnitAblation:
        lost = self.sign * (self.clean - ablated)
        flips = int(((ablated > 0) != (self.clean > 0)).sum())
        return UnitAblation(drop=self.clusters.mean(lost), flips=flips, n=len(lost))


def joint(k: int, together: UnitAblation, controls: Sequence[UnitAblation]) -> JointAblation:
    """`k` supporting units at once, beside the random draws."""
    return JointAblation(
        k=k,
        drop=together.drop,
        flips=together.flips,
        n=together.n,
        control_drops=[control.drop.value for control in controls],
        control_flips=[control.flips for control in controls],
    )


def interval(effects: UnitEffects, layer: int, unit: int) -> Interval:
    """Plain effect with its 95 % interval (normal, error over independent groups)."""
    value, half = float(effects.plain[layer, unit]), Z95 * float(effects.error[layer, unit])
    return Interval(value=value, low=value - half, high=value + half)


def disputed(effects: UnitEffects, layer: int, unit: int) -> bool:
    """Whether plain and integrated gradient disagree: another sign, or a factor above 2, beyond the noise."""
    plain, integrated = float(effects.plain[layer, unit]), float(effects.integrated[layer, unit])
    if abs(plain - integrated) <= Z95 * float(effects.error[layer, unit]):
        return False
    return plain * integrated <= 0 or not 0.5 <= plain / integrated <= 2


def strongest_units(effect: np.ndarray, count: int) -> list[tuple[int, int]]:
    """(layer, unit) by |effect|, strongest first; none with less than `LEAST` of the strongest one's."""
    flat = np.abs(effect).ravel()
    order = largest_first(flat)[:count]
    least = LEAST * float(flat.max(initial=0.0))
    return [(int(i) // effect.shape[1], int(i) % effect.shape[1]) for i in order if flat[i] > least]


def supporting(effect: np.ndarray, chosen: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that push to the right verdict. Only these are ablated together: with others among them, losses and
    gains would cancel.
    """
    return [unit for unit in chosen if effect[unit] > 0]


def by_layer(chosen: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Layer -> units."""
    found: dict[int, list[int]] = {}
    for layer, unit in chosen:
        found.setdefault(layer, []).append(unit)
    return found


def random_like(
    chosen: Sequence[tuple[int, int]],
    strong: Sequence[tuple[int, int]],
    shape: tuple[int, int],
    draws: int,
    seed: int,
) -> list[dict[int, list[int]]]:
    """Random sets of as many units of the same layers (`same_layers`), none of them `strong`; no set twice.

    The strong have the chosen ones among them; `shape` is (layers, units). Fewer than `draws` where there are no
    more, none where there are too few others.
    """
    random = np.random.default_rng(seed)
    taken = by_layer(strong)
    wanted = same_layers(chosen, strong, shape)
    others = {layer: [u for u in range(shape[1]) if u not in taken.get(layer, ())] for layer in wanted}
    if sum(wanted.values()) < len(chosen) or not chosen:
        return []
    found: dict[tuple, dict[int, list[int]]] = {}
    for _ in range(20 * draws):
        drawn = {
            layer: sorted(int(u) for u in random.choice(others[layer], count, replace=False))
            for layer, count in wanted.items()
        }
        found.setdefault(tuple((layer, *drawn[layer]) for layer in sorted(drawn)), drawn)
        if len(found) == draws:
            break
    return list(found.values())


def same_layers(
    chosen: Sequence[tuple[int, int]], strong: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> dict[int, int]:
    """Layer -> how many units of it that are not strong stand for the chosen ones: as many as are chosen there.

    Where a layer has too few others, the rest comes from the nearest layers that have some left.
    """
    layers, units = shape
    counts = {layer: len(taken) for layer, taken in by_layer(chosen).items()}
    taken = by_layer(strong)
    left = {layer: units - len(taken.get(layer, ())) for layer in range(layers)}
    found: dict[int, int] = {}
    for layer, count in sorted(counts.items(), key=lambda each: -each[1]):
        for near in sorted(range(layers), key=lambda other: (abs(other - layer), other)):
            drawn = min(count, left[near])
            if drawn:
                found[near] = found.get(near, 0) + drawn
            left[near] -= drawn
            count -= drawn
    return found
