"""Each advanced analysis against its own bare passes, and how each grows; one thread.

Alone, each analysis makes every pass it needs; in a suite they share. Turn about, with medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from analyzer.model.judge import Judge
from shared.records import Probe
from tests.bench import Figure, Size, median_figure
from tests.bench._judge import trained_judge
from tests.bench._passes import recorded, replayed
from tests.bench._suites import ADVANCED, compute
from tests.making.judges import random_probes, tiny_judge

ROUNDS = {Size.FULL: 3, Size.TINY: 1}
PROMPTS, LAYERS = {Size.FULL: 32, Size.TINY: 4}, {Size.FULL: 4, Size.TINY: 1}
"""Where growth starts from."""
SMALL: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4}
"""Width of what growth starts from."""


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    with trained_judge(size) as (judge, probes, _):
        figures = [_against_passes(judge, probes, name, size) for name in ADVANCED]
    return [*figures, *_growth(size)]


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _against_passes(judge: Judge, probes: list[Probe], name: str, size: Size) -> Figure:
    def alone() -> None:
        compute(judge, probes, (name,), size)

    passes = recorded(judge, alone)  # warms up too
    ratios, times = [], []
    for _ in range(ROUNDS[size]):
        times.append(seconds(alone))
        ratios.append(times[-1] / replayed(judge, passes))
    note = f"{statistics.median(times):.1f} s; {sum(one.rows for one in passes)} rows of {len(passes)} batches"
    return median_figure(f"{name} alone / its bare passes", ratios, "x", bar="<= 1.5", note=note)


def _growth(size: Size) -> list[Figure]:
    """Time of all three together when one thing doubles; linear is 2."""
    base = {"prompts": PROMPTS[size], "layers": LAYERS[size], "width": 1}
    start = _time_of(size, **base)
    found = {name: _time_of(size, **base | {name: 2 * base[name]}) for name in base}
    return [
        Figure(
            name=f"advanced suite: twice the {name}",
            value=time_ / start,
            unit="x",
            n=ROUNDS[size],
            note=f"{time_:.2f} s after {start:.2f} s; ratio of medians",
        )
        for name, time_ in found.items()
    ]


def _time_of(size: Size, *, prompts: int, layers: int, width: int) -> float:
    """Median seconds; twice the width is twice the model's width, MLP and heads."""
    judge = tiny_judge("bert", layers, **{name: value * width for name, value in SMALL.items()})
    probes = random_probes(prompts // 2, pairs=prompts // 2)

    def suite() -> None:
        compute(judge, probes, ADVANCED, size)

    suite()
    return statistics.median(seconds(suite) for _ in range(ROUNDS[size]))
