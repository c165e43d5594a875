"""Which gradient ranks units as exact patching does, plain or integrated? On MiniLM, trained little and long.

Every unit among the `TOP` strongest of either is patched to its twin's value by plain hooks
(`tests/making/by_hand.py`).
"""

from __future__ import annotations

import numpy as np

from analyzer.patching.gradient_pass import UnitEffects, gradient_pass
from tests.bench import Figure, Size
from tests.bench._judge import trained_judge
from tests.making.by_hand import ByHand
from tests.making.judges import context

TRAINED, PROMPTS, STEPS = (60, 1500), 64, 5
"""Steps of training: not sure of itself yet, and as sure as a judge becomes."""
TOP, BEST = {Size.FULL: 40, Size.TINY: 12}, 10


def measure(size: Size = Size.FULL) -> list[Figure]:
    return [figure for steps in TRAINED for figure in _of(steps, size)]


def _of(steps: int, size: Size) -> list[Figure]:
    with trained_judge(size, steps) as (judge, probes, _):
        made = context(judge, probes)
        found = gradient_pass(made, STEPS, PROMPTS)
        sure = float(np.median(np.abs(made.forward.scores)))
        note = f"median absolute score {sure:.1f} nats, {found.references.n} prompts"
        by_hand = ByHand(made, found.references)
        return [
            figure
            for kind, effects in (("neurons", found.neurons), ("heads", found.heads))
            for figure in _compared(by_hand, kind, effects, TOP[size], f"{kind}, {steps} steps", note)
        ]


def _compared(by_hand: ByHand, kind: str, effects: UnitEffects, top: int, name: str, note: str) -> list[Figure]:
    from scipy.stats import spearmanr

    estimates = {"plain": effects.plain.ravel(), "integrated": effects.integrated.ravel()}
    units = np.unique(np.concatenate([_strongest(each, top) for each in estimates.values()]))
    places = np.stack(np.unravel_index(units, effects.plain.shape), 1)
    exact = by_hand.these_units(kind, [(int(layer), int(unit)) for layer, unit in places])
    truly = set(_strongest(exact, BEST))
    figures = []
    for way, estimate in estimates.items():
        rank = float(spearmanr(estimate[units], exact).statistic)  # type: ignore[attr-defined]
        hits = len(truly & set(_strongest(estimate[units], BEST)))
        text = f"{hits} of the {BEST} strongest found; {len(units)} units patched, {note}"
        figures.append(Figure(name=f"Spearman with exact patching, {way}: {name}", value=rank, note=text))
    return figures


def _strongest(values: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-np.abs(values), kind="stable")[:count]
