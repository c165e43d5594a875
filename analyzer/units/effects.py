"""Parts that the neuron map and the head map share: which units are strong, and random ones like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.statistics.ties import largest_first
from shared.findings.parts import Interval
from shared.findings.wilson import Z95

if TYPE_CHECKING:
    from analyzer.patching.gradient_pass import UnitEffects

LEAST = 0.01
"""Share of the strongest unit's effect below which a unit is not called strong."""

Unit = tuple[int, int]
"""Layer, and number of the unit in it."""


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


def strongest_units(effect: np.ndarray, count: int, least: float | None = LEAST) -> list[Unit]:
    """(layer, unit) by |effect|, strongest first; none with less than the share `least` of the strongest one's."""
    flat = np.abs(effect).ravel()
    order = largest_first(flat)[:count]
    floor = -1.0 if least is None else least * float(flat.max(initial=0.0))
    return [(int(i) // effect.shape[1], int(i) % effect.shape[1]) for i in order if flat[i] > floor]


def by_layer(chosen: Sequence[Unit]) -> dict[int, list[int]]:
    """Layer -> units."""
    found: dict[int, list[int]] = {}
    for layer, unit in chosen:
        found.setdefault(layer, []).append(unit)
    return found


def random_like(
    chosen: Sequence[Unit],
    strong: Sequence[Unit],
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


def random_others(chosen: Sequence[Unit], shape: tuple[int, int], count: int, seed: int) -> list[Unit]:
    """At most `count` random units that are not chosen: of the chosen ones' layers as far as these have any."""
    taken, layers = set(chosen), by_layer(chosen)
    others = [(layer, unit) for layer in sorted(layers) for unit in range(shape[1]) if (layer, unit) not in taken]
    if not others:
        others = [(layer, unit) for layer in range(shape[0]) if layer not in layers for unit in range(shape[1])]
    picked = np.random.default_rng(seed).permutation(len(others))[:count]
    return [others[int(place)] for place in sorted(picked)]


def same_layers(chosen: Sequence[Unit], strong: Sequence[Unit], shape: tuple[int, int]) -> dict[int, int]:
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
