"""Peak memory of the advanced suite on the MiniLM judge: bounded by the batch, not by the number of prompts.

Bytes of tensors that are alive together beside the weights, counted after every operation of PyTorch
(`tests/making/live_tensors.py`): exact, where a process's resident size also holds what allocators keep.
"""

from __future__ import annotations

import torch

from analyzer.model.judge import Judge
from shared.records import Probe
from tests.bench import Figure, Size
from tests.bench._judge import trained_judge
from tests.bench._suites import ADVANCED, compute
from tests.making.live_tensors import LiveTensors

COUNTS = {Size.FULL: (32, 64, 128), Size.TINY: (4, 8, 16)}
"""Prompts."""
BATCH_TOKENS = {Size.FULL: 4096, Size.TINY: 512}
MIB = 2**20


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    budget, counts = BATCH_TOKENS[size], COUNTS[size]
    with trained_judge(size) as (judge, probes, _):
        weights = sum(each.nbytes for each in judge.model.parameters())
        peaks = {count: _peak(judge, _part(probes, count), budget, size) for count in counts}
        half = _peak(judge, _part(probes, counts[-1]), budget // 2, size)
    note = f"weights {weights / MIB:.0f} MiB; batches of {budget} tokens"
    name, (_, middle, most) = "peak beside the weights", counts
    return [
        *(_mib(f"{name}, {count} prompts", peak, note) for count, peak in peaks.items()),
        _mib(f"{name}, {most} prompts, half the batch", half, ""),
        Figure(
            name=f"peak: {most} prompts / {middle} prompts",
            value=peaks[most] / peaks[middle],
            unit="x",
            bar="<= 1.1",
        ),
        Figure(name="peak: whole batch / half the batch", value=peaks[most] / half, unit="x"),
    ]


def _mib(name: str, size: int, note: str) -> Figure:
    return Figure(name=name, value=size / MIB, unit="MiB", note=note)


def _part(probes: list[Probe], count: int) -> list[Probe]:
    """`count` probes, half of each class, contrast pairs whole and first."""
    order = sorted(probes, key=lambda probe: (probe.pair is None, probe.pair or ""))
    return [probe for label in ("safe", "unsafe") for probe in [p for p in order if p.label == label][: count // 2]]


def _peak(judge: Judge, probes: list[Probe], batch_tokens: int, size: Size) -> int:
    """Bytes beside the weights, over all three analyses of one suite."""
    with LiveTensors() as live:
        compute(judge, probes, ADVANCED, size, batch_tokens=batch_tokens)
    return live.peak
