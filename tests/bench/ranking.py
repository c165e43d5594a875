"""Which gradient ranks units as exact patching does, plain or integrated? On MiniLM, trained little and long.

Every unit among the `TOP` strongest of either is patched to its twin's value by plain hooks
(`tests/making/by_hand.py`).
"""

from __future__ import annotations

import numpy as np

from analyzer.patching.gradient_pass import UnitEffects, gradient_pass
from tests.bench import Figure
from tests.bench._judge import trained_judge
from tests.making.by_hand import ByHand
from tests.making.judges import context

TRAINED, PROMPTS, STEPS = (60, 1500), 64, 5
"""Steps of training: not sure of itself yet, and as sure as a judge becomes."""
TOP, BEST = 40, 10


def measure() -> list[Figure]:
    return [figure for steps in TRAINED for figure in _of(steps)]


def _of(steps: int) -> list[Figure]:
    with trained_judge(steps) as (judge, probes, _):
        made = context(judge, probes)
        found = gradient_pass(made, STEPS, PROMPTS)
        sure = float(np.median(np.abs(made.forward.scores)))
        where = f"median absolute score {sure:.1f} nats, {found.references.n} prompts"
        by_hand = ByHand(made, found.references)
        return [
            figure
            for kind, effects in (("neurons", found.neurons), ("heads", found.heads))
            for figure in _compared(by_hand, kind, effects, f"{kind}, {steps} steps", where)
        ]


def _compared(by_hand: ByHand, kind: str, effects: UnitEffects, name: str, where: str) -> list[Figure]:
    from scipy.stats import spearmanr

    estimates = {"plain": effects.plain.ravel(), "integrated": effects.integrated.ravel()}
    units = np.unique(np.concatenate([_strongest(each, TOP) for each in estimates.values()]))
    places = np.stack(np.unravel_index(units, effects.plain.shape), 1)
    exact = by_hand.these_units(kind, [(int(layer), int(unit)) for layer, unit in places])
    truly = set(_strongest(exact, BEST))
    figures = []
    for way, estimate in estimates.items():
        rank = float(spearmanr(estimate[units], exact).statistic)  # type: ignore[attr-defined]
        hits = len(truly & set(_strongest(estimate[units], BEST)))
        detail = f"{hits} of the {BEST} strongest found; {len(units)} units patched, {where}"
        figures.append(Figure(f"Spearman with exact patching, {way}: {name}", rank, "", "", None, detail))
    return figures


def _strongest(values: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-np.abs(values), kind="stable")[:count]
