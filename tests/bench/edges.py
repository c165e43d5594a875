"""EAP-IG edges against a straightforward autograd implementation, the same steps and scores; one thread.

A pre-norm decoder of 6 layers, 8 heads, width 256; 32 prompts of 24 words in 16 contrast pairs. The straightforward
one gets batches of 8 prompts, all of one length. The time of ours includes every unit's attribution patching.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch

from analyzer.patching.gradient_pass import gradient_pass
from analyzer.session.context import Context
from shared.records import RunRecord
from tests.bench import Figure
from tests.bench.transformer_lens import twins
from tests.making.judges import tiny_judge
from tests.making.slow_edges import slow_edges

STEPS, ROUNDS = 5, 5
SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 32,
    "initializer_range": 0.1,
}


def measure() -> list[Figure]:
    torch.set_num_threads(1)
    judge = tiny_judge("llama", layers=6, **SHAPE)
    context = Context(judge=judge, probes=twins(), step=1, run=RunRecord())
    references = gradient_pass(context, STEPS, 32, edges=True).references
    place = {int(index): number for number, index in enumerate(references.indices)}
    prompts = [context.encoded[index] for index in references.indices]
    other = [place[int(twin)] for twin in references.twins]

    def theirs() -> torch.Tensor:
        return slow_edges(judge, prompts, other, references.sign.tolist(), STEPS)

    ours = gradient_pass(context, STEPS, 32, edges=True).edges
    assert ours is not None
    wanted = theirs().numpy()
    worst = float(np.abs(np.nan_to_num(ours) - wanted).max() / np.abs(wanted).max())
    ratios = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        gradient_pass(context, STEPS, 32, edges=True)
        middle = time.perf_counter()
        theirs()
        ratios.append((time.perf_counter() - middle) / (middle - started))
    ratio = statistics.median(ratios)
    detail = f"{min(ratios):.2f} to {max(ratios):.2f}; {int(np.isfinite(ours).sum())} edges"
    return [
        Figure("straightforward EAP-IG / ours", ratio, "x", ">= 3", ratio >= 3, detail),
        Figure("largest difference of edge scores", worst, "of the largest", "<= 1e-4", worst <= 1e-4, ""),
    ]
