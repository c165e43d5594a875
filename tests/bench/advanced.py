"""Each advanced analysis against its own bare passes, and how each grows; one thread.

Alone, each analysis makes every pass it needs; in a suite they share. Turn about, with medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from analyzer import analyses
from analyzer.model.judge import Judge
from analyzer.session.context import Context
from shared.records import Probe, RunRecord
from tests.bench import Figure
from tests.bench._judge import trained_judge
from tests.bench._passes import recorded, replayed
from tests.making.judges import random_probes, tiny_judge

NAMES = ("neurons", "heads", "circuits")
ROUNDS = 3
SMALL: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4}
"""Where growth starts from: 4 layers of this, 32 prompts."""


def measure() -> list[Figure]:
    torch.set_num_threads(1)
    with trained_judge() as (judge, probes, _):
        figures = [_against_passes(judge, probes, name) for name in NAMES]
    return [*figures, *_growth()]


def computation(judge: Judge, probes: list[Probe], name: str) -> Callable[[], None]:
    """One analysis from nothing but the loaded judge, with its default settings."""
    analysis = analyses.get(name)

    def compute() -> None:
        context = Context(judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset({name}))
        analysis.compute(context, analysis.settings())

    return compute


def seconds(compute: Callable[[], None]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started


def _against_passes(judge: Judge, probes: list[Probe], name: str) -> Figure:
    compute = computation(judge, probes, name)
    passes = recorded(judge, compute)  # warms up too
    ratios, times = [], []
    for _ in range(ROUNDS):
        times.append(seconds(compute))
        ratios.append(times[-1] / replayed(judge, passes))
    ratio = statistics.median(ratios)
    detail = f"{statistics.median(times):.1f} s; {sum(one.rows for one in passes)} rows of {len(passes)} batches"
    return Figure(f"{name} alone / its bare passes", ratio, "x", "<= 1.5", ratio <= 1.5, detail)


def _growth() -> list[Figure]:
    """Time of all three together when one thing doubles; linear is 2."""
    start = _time_of(prompts=32, layers=4, width=1)
    found = {
        "prompts": _time_of(prompts=64, layers=4, width=1),
        "layers": _time_of(prompts=32, layers=8, width=1),
        "width": _time_of(prompts=32, layers=4, width=2),
    }
    return [
        Figure(
            f"advanced suite: twice the {name}", time_ / start, "x", "", None, f"{time_:.2f} s after {start:.2f} s"
        )
        for name, time_ in found.items()
    ]


def _time_of(*, prompts: int, layers: int, width: int) -> float:
    """Median seconds; twice the width is twice the model's width, MLP and heads."""
    judge = tiny_judge("bert", layers, **{name: value * width for name, value in SMALL.items()})
    probes = random_probes(prompts // 2, pairs=prompts // 2)

    def suite() -> None:
        context = Context(judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset(NAMES))
        for name in NAMES:
            analysis = analyses.get(name)
            analysis.compute(context, analysis.settings())

    suite()
    return statistics.median(seconds(suite) for _ in range(ROUNDS))
