"""Evaluates any circuit exactly: what the judge still says when every edge outside it carries a corrupted value.

Each circuit is really run (`edge_run`). A source that no path from the input reaches carries its corrupted
value, so edges off every path from input to verdict change nothing and are left out. The whole graph is the judge
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analyzer.circuits.edge_run import EdgeRun, Setting
from analyzer.circuits.masks import on_paths
from analyzer.circuits.streams import stream_plan
from analyzer.model.batches import collate
from analyzer.model.device import working_bytes
from analyzer.model.judge import known_wiring
from analyzer.model.partial_pass import module_input, starting_at
from analyzer.model.scoring import score
from analyzer.patching.graph import Graph
from analyzer.patching.references import choose_references, reference_values
from analyzer.patching.source_values import source_values
from analyzer.statistics.intervals import Clusters, percentile_interval

if TYPE_CHECKING:
    from analyzer.session.context import Context

STREAM_BYTES = 256 * 2**20
"""Of all streams of one batch, on the CPU."""
BOOTSTRAPS = 1000
NOTHING = 1e-6
"""Difference of m(full) and m(empty), nats, below which there is nothing that a circuit could keep."""


@dataclass(frozen=True)
class Evaluation:
    """What one circuit keeps."""

    mean: float
    """m(C): mean class-signed score, nats."""
    faithfulness: float
    """(m(C) - m(empty)) / (m(full) - m(empty)), pooled over prompts; NaN where these two are equal."""
    low: float
    high: float
    """95 % bootstrap interval over groups of prompts (a contrast pair is one)."""
    scores: np.ndarray
    """(n,) nats."""


class CircuitEvaluator:
    """Circuits of one judge on the same prompts and references.

    Raises CannotCompute where units are not known or a class is absent. At node level (`graph_level` "nodes") a
    circuit is a mask over sources: what is outside carries its corrupted value for everybody.
    """

    def __init__(self, context: Context, prompts: int = 32) -> None:
        self.context, self.judge = context, context.judge
        wiring = known_wiring(self.judge)
        self.graph = Graph(len(wiring.layers), wiring.heads)
        self.by_edges = wiring.has_edges
        self.references = choose_references(context, prompts)
        self.means = context.with_units().unit_means if self.references.kind == "mean" else None
        self.clusters = Clusters(self.references.groups.tolist(), BOOTSTRAPS, context.seed)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) scores of the judge itself, and with everything corrupted."""
        clean = np.asarray(self.context.forward.scores, dtype=float)
        full = clean[self.references.indices]
        if self.references.kind == "twin":
            return full, clean[self.references.twins]
        shape = self.graph.allowed.shape if self.by_edges else (self.graph.sources,)
        return full, self._scores([np.zeros(shape, dtype=bool)])[0]

    @property
    def full(self) -> float:
        """m(full), nats."""
        return float((self.references.sign * self._ends[0]).mean())

    @property
    def empty(self) -> float:
        """m(empty), nats."""
        return float((self.references.sign * self._ends[1]).mean())

    @property
    def something_to_keep(self) -> bool:
        return abs(self.full - self.empty) > NOTHING

    def evaluate(self, mask: np.ndarray) -> Evaluation:
        """One circuit: `mask` (sources, targets) bool, or (sources,) at node level."""
        return self.evaluate_all([mask])[0]

    def evaluate_all(self, masks: Sequence[np.ndarray]) -> list[Evaluation]:
        """Several circuits in one sweep over the prompts."""
        pruned = [on_paths(mask, self.graph) if self.by_edges else mask for mask in masks]
        whole = [bool((mask == self._everything).all()) for mask in masks]
        trivial = [full or (self.by_edges and not mask.any()) for mask, full in zip(pruned, whole, strict=True)]
        run = [mask for mask, known in zip(pruned, trivial, strict=True) if not known]
        found = iter(self._scores(run) if run else [])
        return [
            self._told(self._ends[0] if full else self._ends[1] if known else next(found))
            for full, known in zip(whole, trivial, strict=True)
        ]

    @property
    def _everything(self) -> np.ndarray:
        return self.graph.allowed if self.by_edges else np.ones(self.graph.sources, dtype=bool)

    def _told(self, scores: np.ndarray) -> Evaluation:
        sign = self.references.sign
        full, empty = (sign * end for end in self._ends)
        kept, whole = sign * scores - empty, full - empty
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(kept.mean() / whole.mean()) if self.something_to_keep else float("nan")
            draws = (self.clusters.weights @ kept) / (self.clusters.weights @ whole)
        interval = percentile_interval(value, draws) if np.isfinite(value) else None
        return Evaluation(
            mean=float((sign * scores).mean()),
            faithfulness=value,
            low=interval.low if interval else value,
            high=interval.high if interval else value,
            scores=scores,
        )

    @torch.inference_mode()
    def _scores(self, masks: Sequence[np.ndarray]) -> np.ndarray:
        """(masks, n) scores of circuits that are neither whole nor empty."""
        circuits: Sequence[Any] = [stream_plan(mask, self.graph) for mask in masks] if self.by_edges else masks
        budget = self.context.batch_tokens
        if self.by_edges:
            budget = min(budget, self._stream_tokens(max(circuit.most for circuit in circuits)))
        found = np.zeros((len(masks), self.references.n))
        done = 0
        for chosen in self.references.batches(self.context.encoded, budget):
            prompts = [self.context.encoded[index] for index in self.references.indices[chosen]]
            batch = collate(prompts, self.judge.anatomy.pad_id, self.judge.device)
            clean = source_values(self.judge, batch)
            reference = reference_values(clean, batch.mask, self.references.partners(chosen), self.means)
            setting = Setting(self.judge, self.graph, batch, clean, reference)
            for number, circuit in enumerate(circuits):
                scores = (EdgeRun if self.by_edges else _NodeRun)(setting, circuit).scores()
                found[number][chosen] = scores.double().cpu().numpy()
                done += len(chosen)
                self.context.progress(done, len(masks) * self.references.n)
        return found

    def _stream_tokens(self, streams: int) -> int:
        """Tokens of a batch under which so many streams, and the heads' writes beside them, fit `STREAM_BYTES`."""
        width = int(self.judge.model.get_input_embeddings().weight.shape[1])  # type: ignore[union-attr, index]
        each = 4 * width * (streams + 2 * self.graph.heads)
        return max(1, working_bytes(self.judge.device, STREAM_BYTES) // each)


class _NodeRun:
    """One batch of one circuit at node level."""

    def __init__(self, setting: Setting, mask: np.ndarray) -> None:
        self.judge, self.graph, self.batch, self.mask = setting.judge, setting.graph, setting.batch, mask
        self.clean, self.reference = setting.clean, setting.reference

    def scores(self) -> Tensor:
        """(prompts,)"""
        graph, wiring = self.graph, known_wiring(self.judge)
        entry = self.clean.input if self.mask[0] else self.reference.input
        with ExitStack() as stack:
            stack.enter_context(starting_at(self.judge, 0, entry))
            for number, layer in enumerate(wiring.layers):
                kept = torch.as_tensor(self.mask[graph.head_sources(number)], device=entry.device)
                columns = kept.repeat_interleave(wiring.head_size)
                stack.enter_context(
                    module_input(layer.attention.out, _chosen(columns, self.reference.heads[number]))
                )
                whole = torch.as_tensor(self.mask[graph.mlp_source(number)], device=entry.device)
                stack.enter_context(module_input(layer.mlp.out, _chosen(whole, self.reference.neurons[number])))
            return score(self.judge, self.batch)


def _chosen(kept: Tensor, reference: Tensor) -> Any:
    return lambda values: torch.where(kept, values, reference)
