"""Peak memory of the advanced suite on the MiniLM judge: bounded by the batch, not by the number of prompts.

Bytes of tensors that are alive together beside the weights, counted after every operation of PyTorch
(`tests/making/live_tensors.py`): exact, where a process's resident size also holds what allocators keep.
"""

from __future__ import annotations

import torch

from analyzer import analyses
from analyzer.model.judge import Judge
from analyzer.session.context import Context
from shared.records import Probe, RunRecord
from tests.bench import Figure
from tests.bench._judge import trained_judge
from tests.making.live_tensors import LiveTensors

NAMES = ("neurons", "heads", "circuits")
BATCH_TOKENS = 4096
MIB = 2**20


def measure() -> list[Figure]:
    torch.set_num_threads(1)
    with trained_judge() as (judge, probes, _):
        weights = sum(each.nbytes for each in judge.model.parameters())
        peaks = {count: _peak(judge, _part(probes, count), BATCH_TOKENS) for count in (32, 64, 128)}
        half = _peak(judge, probes, BATCH_TOKENS // 2)
    detail = f"weights {weights / MIB:.0f} MiB; batches of {BATCH_TOKENS} tokens"
    figures = [
        Figure(f"peak beside the weights, {count} prompts", peak / MIB, "MiB", "", None, detail)
        for count, peak in peaks.items()
    ]
    growth = peaks[128] / peaks[64]
    return [
        *figures,
        Figure("peak beside the weights, 128 prompts, half the batch", half / MIB, "MiB", "", None, ""),
        Figure("peak: 128 prompts / 64 prompts", growth, "x", "<= 1.1", growth <= 1.1, ""),
        Figure("peak: whole batch / half the batch", peaks[128] / half, "x", "", None, ""),
    ]


def _part(probes: list[Probe], count: int) -> list[Probe]:
    """`count` probes, half of each class, contrast pairs whole and first."""
    order = sorted(probes, key=lambda probe: (probe.pair is None, probe.pair or ""))
    return [probe for label in ("safe", "unsafe") for probe in [p for p in order if p.label == label][: count // 2]]


def _peak(judge: Judge, probes: list[Probe], batch_tokens: int) -> int:
    """Bytes beside the weights, over all three analyses of one suite with their default settings."""
    context = Context(
        judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset(NAMES), batch_tokens=batch_tokens
    )
    with LiveTensors() as live:
        for name in NAMES:
            analysis = analyses.get(name)
            analysis.compute(context, analysis.settings())
    return live.peak
