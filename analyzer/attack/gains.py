"""How much each choice moved the judge so far, and the next choice by it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

DOUBT = 1.0
"""Nats of benefit of the doubt for a choice tried once among e tries in all."""
AT_RANDOM = 0.2
"""Share of draws that don't ask what was gained."""


class Gains:
    """Mean gain of each choice, nats."""

    def __init__(self) -> None:
        self._sum: defaultdict[Hashable, float] = defaultdict(float)
        self._count: defaultdict[Hashable, int] = defaultdict(int)

    def note(self, choice: Hashable, gain: float) -> None:
        self._sum[choice] += gain
        self._count[choice] += 1

    def draw(self, choices: Sequence[Hashable], rng: np.random.Generator) -> int:
        """Place of one choice: that with the highest upper bound, now and then any."""
        if rng.random() < AT_RANDOM:
            return int(rng.integers(len(choices)))
        total = sum(self._count[choice] for choice in choices)
        noise = rng.random(len(choices)) * 1e-3  # ties, and the very first draws
        return int(np.argmax([self._bound(choice, total) for choice in choices] + noise))

    def _bound(self, choice: Hashable, total: int) -> float:
        count = self._count[choice]
        if not count:
            return math.inf
        return self._sum[choice] / count + DOUBT * math.sqrt(math.log(max(total, 2)) / count)
