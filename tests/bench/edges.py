"""EAP-IG edges against a straightforward autograd implementation, the same steps and scores; one thread.

A pre-norm decoder of 6 layers, 8 heads, width 256; 32 prompts of 24 words in 16 contrast pairs. The straightforward
one gets batches of 8 prompts, all of one length. The time of ours includes every unit's attribution patching.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from analyzer.patching.gradient_pass import gradient_pass
from analyzer.session.context import Context
from shared.records import RunRecord
from tests.bench import Figure, Size, median_figure
from tests.bench.transformer_lens import twins
from tests.making.judges import tiny_judge
from tests.making.slow_edges import slow_edges

STEPS = 5
ROUNDS = {Size.FULL: 5, Size.TINY: 1}
LAYERS = {Size.FULL: 6, Size.TINY: 1}
SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 32,
    "initializer_range": 0.1,
}


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    judge = tiny_judge("llama", layers=LAYERS[size], **SHAPE if size is Size.FULL else {})
    context = Context(judge=judge, probes=twins(size), step=1, run=RunRecord())
    references = gradient_pass(context, STEPS, 32, edges=True).references
    place = {int(index): number for number, index in enumerate(references.indices)}
    prompts = [context.encoded[index] for index in references.indices]
    other = [place[int(twin)] for twin in references.twins]

    def theirs() -> torch.Tensor:
        return slow_edges(judge, prompts, other, references.sign.tolist(), STEPS)

    found = gradient_pass(context, STEPS, 32, edges=True).edges
    assert found is not None
    ours = found.mean
    wanted = theirs().numpy()
    worst = float(np.abs(np.nan_to_num(ours) - wanted).max() / np.abs(wanted).max())
    ratios = []
    for _ in range(ROUNDS[size]):
        started = time.perf_counter()
        gradient_pass(context, STEPS, 32, edges=True)
        middle = time.perf_counter()
        theirs()
        ratios.append((time.perf_counter() - middle) / (middle - started))
    note = f"{int(np.isfinite(ours).sum())} edges of a {LAYERS[size]}-layer decoder"
    return [
        median_figure("straightforward EAP-IG / ours, same steps", ratios, "x", bar=">= 3", note=note),
        Figure(name="largest difference of edge scores to it", value=worst, unit="of the largest", bar="<= 1e-4"),
    ]
