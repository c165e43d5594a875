"""Each neuron's reading of every prompt, in a pass of its own that prompts can be ranked by.

In float32 two prompts that a neuron cannot tell apart (the same first words, say) get readings that differ by
rounding, other ones for each size of batch and each processor, and ranks would turn that into evidence. On the CPU
this pass therefore computes in float64: over batches and instruction sets readings then differ by 2e-15 of the
layer's largest, while those of different prompts do by more than `EQUAL`, but for a few that no judge could tell
apart. That takes about twice as long as a float32 pass. On a GPU, where float64 may be 64 times slower, it computes
in float32 whatever the checkpoint was saved in, and ranks go over a tie gradually, within `READINGS_RAMP`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.batches import Batch, Encoded, collate
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.judge import known_neurons, known_wiring
from analyzer.model.precision import ComputedIn
from analyzer.model.scoring import score
from analyzer.statistics.ties import average_ranks, gradual_ranks
from shared.findings.neurons import Reading

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

Precision = Literal["float64", "float32"]
EQUAL = 1e-9
"""float64 readings that differ by no more than this share of their layer's largest are one reading."""
READINGS_RAMP = 1e3 * float(np.finfo(np.float32).eps)
"""float32 readings are fully apart where they differ by this share of their layer's largest."""


@dataclass(frozen=True)
class Readings:
    """What the pass found."""

    reading: Reading
    values: np.ndarray
    """(layers, n, neurons) float64, or float32 from a GPU."""

    def ranks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Layer by layer: (n, neurons) ranks from 1, and (neurons,) whether they vary beyond rounding."""
        exact = self.values.dtype == np.float64
        for layer in self.values:
            within = (EQUAL if exact else READINGS_RAMP) * float(np.abs(layer).max())
            ranks = average_ranks(layer, within) if exact else gradual_ranks(layer, within)
            yield ranks, np.ptp(layer, axis=0) > within


@torch.inference_mode()
def neuron_readings(
    judge: Judge,
    encoded: list[Encoded],
    batch_tokens: int,
    *,
    precision: Precision | None = None,
    progress: Progress = unwatched,
) -> Readings:
    """Read every neuron on every prompt, in the order of `encoded`; `precision` None is the device's own (above).

    Raises CannotCompute where neurons are unknown, or not read.
    """
    wiring, reading = known_neurons(judge), judge.anatomy.reading
    precision = precision or ("float64" if judge.device == "cpu" else "float32")
    values = np.empty((len(wiring.layers), len(encoded), wiring.neurons), precision)
    done = 0
    # a token takes twice the memory that it takes in the other passes, so half as many go together
    for rows in judge.batches(encoded, max(1, batch_tokens // 2)):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        with _read(judge, batch, reading) as found, ComputedIn(getattr(torch, precision)):
            score(judge, batch)
        values[:, rows] = torch.stack(found).cpu().numpy()
        done += len(rows)
        progress(done, len(encoded))
    return Readings(reading, values)


@contextmanager
def _read(judge: Judge, batch: Batch, reading: Reading) -> Iterator[list[Tensor]]:
    """Hooks on what each MLP's last linear map reads; the list gets (prompts, neurons) a layer."""
    found: list[Tensor] = []
    padding, lengths = (batch.mask == 0)[..., None], batch.mask.sum(1, keepdim=True)

    def take(_module: nn.Module, args: tuple[Any, ...]) -> None:
        values = args[0]  # (prompts, tokens, neurons)
        if reading == "mean":
            found.append(values.masked_fill(padding, 0.0).sum(1) / lengths)
        else:
            found.append(values.masked_fill(padding, -torch.inf).amax(1))

    with ExitStack() as stack:
        for layer in known_wiring(judge).layers:
            stack.callback(layer.mlp.out.register_forward_pre_hook(take).remove)
        yield found
