"""Evaluates any circuit exactly: what the judge still says when every edge outside it carries a corrupted value.

Each circuit is really run (`edge_run`). A source that no path from the input reaches carries its corrupted
value, so edges off every path from input to verdict change nothing and are left out. The whole graph is the judge
itself.
"""

from __future__ import annotations

import math
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
from analyzer.model.linear_maps import weight_of
from analyzer.model.partial_pass import module_input, starting_at
from analyzer.model.scoring import finite_scores, score
from analyzer.patching.graph import Graph
from analyzer.patching.references import References, choose_references, choose_wider, reference_values
from analyzer.patching.source_values import source_values
from analyzer.session.left_out import aligned_scores
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.to_explain import to_explain

if TYPE_CHECKING:
    from analyzer.session.context import Context
    from shared.findings.claims import ToExplain, Unit
    from shared.findings.parts import Interval

KEPT_BYTES = 256 * 2**20
"""Of what all circuits meet in the same batches, on the CPU. So much is kept from one call to the next, of no more
tokens than a batch may have: memory does not grow with the prompts."""
STREAM_BYTES = 64 * 2**20
"""Of all streams of one batch, on the CPU: larger ones take longer, as they come from the system each time."""
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Evaluation:
    """What one circuit keeps, pooled over prompts; NaN where there is nothing to keep."""

    mean: float
    """m(C): mean class-signed score, nats."""
    kept: float
    """m(C) / m(full): share of the separation of unsafe and safe that is left. 0: it is gone, below: reversed."""
    faithfulness: float
    """f = (m(C) - m(empty)) / (m(full) - m(empty)): how far from the corrupted run's answer to the judge's own."""
    scores: np.ndarray
    """(n,) nats."""


class CircuitEvaluator:
    """Circuits of one judge on the same prompts and references.

    Raises CannotCompute where units are not known or a class is absent. At node level (`graph_level` "nodes") a
    circuit is a mask over sources: what is outside carries its corrupted value for everybody. `wider`: on the
    further contrast pairs, too.
    """

    def __init__(self, context: Context, prompts: int = 32, *, wider: bool = False) -> None:
        self.context, self.judge = context, context.judge
        wiring = known_wiring(self.judge)
        self.graph = Graph(len(wiring.layers), wiring.heads, wiring.parallel)
        self.by_edges = wiring.has_edges
        self.references = (choose_wider if wider else choose_references)(context, prompts)
        self.means = context.with_units().unit_means if self.references.kind == "mean" else None
        self.probes = [*context.probes, *context.pairs]
        self.encoded = [*context.encoded, *(context.encoded_pairs if context.pairs else [])]
        self.groups = independent_groups([self.probes[index] for index in self.references.indices])
        self.clusters = self.clusters_of(np.arange(len(self.groups)))
        self._kept: dict[tuple[int, ...], Setting] = {}

    def clusters_of(self, positions: np.ndarray) -> Clusters:
        """Of some of the prompts."""
        return Clusters(self.groups[positions].tolist(), BOOTSTRAPS, self.context.seed)

    @property
    def unit(self) -> Unit:
        """What a cluster is."""
        if self.clusters.count == self.references.n_pairs and self.references.kind == "twin":
            return "contrast pairs"
        return "prompts" if self.clusters.count == self.references.n else "groups of prompts"

    @cached_property
    def aligned(self) -> int:
        """Contrast pairs that align token by token, run or not; 0 where the reference is the mean."""
        return choose_wider(self.context, 2 * len(self.probes)).n_pairs if self.references.kind == "twin" else 0

    @cached_property
    def clean(self) -> np.ndarray:
        """(n,) scores of the judge itself."""
        own = np.asarray(self.context.forward.scores, dtype=float)
        found = np.full(len(self.probes), np.nan)
        found[: len(own)] = own
        further = np.flatnonzero(self.references.indices >= len(own))
        if len(further):
            if self.context.pair_scores is None:
                self.context.pair_scores = aligned_scores(self.context)
            found[len(own) :] = self.context.pair_scores
        return finite_scores(found[self.references.indices], "prompts of contrast pairs")

    @cached_property
    def corrupted(self) -> np.ndarray:
        """(n,) scores with everything corrupted: the twin's, unless a decoder reads the prompt's own words."""
        if self.references.kind == "mean" or self.judge.anatomy.words_beside:
            return self._scores([self._nothing])[0]
        place = {int(index): position for position, index in enumerate(self.references.indices)}
        return self.clean[[place[int(twin)] for twin in self.references.twins]]

    @cached_property
    def explained(self) -> ToExplain:
        """m(full), and whether it may be chance."""
        sign = self.references.sign
        return to_explain(sign * self.clean, self.clusters, self.unit, self.clusters.rarer(sign > 0))

    @property
    def full(self) -> float:
        """m(full), nats."""
        return float((self.references.sign * self.clean).mean())

    @property
    def empty(self) -> float:
        """m(empty), nats."""
        return float((self.references.sign * self.corrupted).mean())

    @cached_property
    def left(self) -> Interval | None:
        """m(empty) / m(full) where a decoder reads the words itself: what the layers are not needed for.

        None of any other judge, and where it has no end: the separation itself may be 0.
        """
        return self.kept(self.corrupted) if self.judge.anatomy.words_beside else None

    def evaluate(self, mask: np.ndarray) -> Evaluation:
        """One circuit: `mask` (sources, targets) bool, or (sources,) at node level."""
        return self.evaluate_all([mask])[0]

    def evaluate_all(self, masks: Sequence[np.ndarray]) -> list[Evaluation]:
        """Several circuits in one sweep over the prompts."""
        return [self.told(scores) for scores in self.scores(masks)]

    def told(self, scores: np.ndarray) -> Evaluation:
        """(n,) scores of a circuit as what it keeps."""
        mean = float((self.references.sign * scores).mean())
        kept = mean / self.full if self.full else math.nan
        way = self.full - self.empty
        return Evaluation(mean, kept, (mean - self.empty) / way if way else math.nan, scores)

    def kept(
        self, scores: np.ndarray, beside: np.ndarray | float = 0.0, at: np.ndarray | None = None
    ) -> Interval | None:
        """Share of the separation that scores keep (more than those `beside` them), with its interval.

        They are of all prompts, or of those at the positions `at`, and so is the separation. None where it has no
        end: the separation itself may be 0.
        """
        clusters = self.clusters if at is None or len(at) == self.references.n else self.clusters_of(at)
        at = np.arange(self.references.n) if at is None else at
        sign = self.references.sign[at]
        return clusters.ratio(sign * (scores - beside), sign * self.clean[at])

    def scores(self, masks: Sequence[np.ndarray], positions: np.ndarray | None = None) -> np.ndarray:
        """(masks, n) scores, or (masks, positions) of these prompts alone (whole groups)."""
        at = np.arange(self.references.n) if positions is None else positions
        pruned = [on_paths(mask, self.graph) if self.by_edges else mask for mask in masks]
        whole = [bool((mask == self._everything).all()) for mask in masks]
        empty = [self.by_edges and not mask.any() for mask in pruned]
        run = [mask for mask, *known in zip(pruned, whole, empty, strict=True) if not any(known)]
        found = iter(self._scores(run, at) if run else [])
        ends = [
            self.clean[at] if full else self.corrupted[at] if nothing else next(found)
            for full, nothing in zip(whole, empty, strict=True)
        ]
        return np.array(ends).reshape(len(masks), len(at))

    @property
    def _everything(self) -> np.ndarray:
        return self.graph.allowed if self.by_edges else np.ones(self.graph.sources, dtype=bool)

    @property
    def _nothing(self) -> np.ndarray:
        return np.zeros_like(self._everything)

    @torch.inference_mode()
    def _scores(self, masks: Sequence[np.ndarray], positions: np.ndarray | None = None) -> np.ndarray:
        """(masks, n) scores of circuits that are neither whole nor empty; of some prompts, or of all."""
        references = self.references if positions is None else self.references.part(positions)
        circuits: Sequence[Any] = [stream_plan(mask, self.graph) for mask in masks] if self.by_edges else masks
        budget = self.context.batch_tokens  # the same for all circuits, so that they meet the same batches
        budget = min(budget, self._stream_tokens()) if self.by_edges else budget
        found = np.zeros((len(masks), references.n))
        done = 0
        alike, call = self.judge.alike(self.encoded), self.judge.call
        for chosen in references.batches(self.encoded, budget, alike=alike, call=call):
            setting = self._setting(references, chosen)
            for number, circuit in enumerate(circuits):
                scores = (EdgeRun if self.by_edges else _NodeRun)(setting, circuit).scores()
                found[number][chosen] = scores.double().cpu().numpy()
                done += len(chosen)
                self.context.progress(done, len(masks) * references.n)
        return finite_scores(found, "prompts run through circuits")

    def _setting(self, references: References, chosen: Sequence[int]) -> Setting:
        """One batch as every circuit meets it."""
        indices = tuple(references.indices[chosen].tolist())
        if indices in self._kept:
            return self._kept[indices]
        prompts = [self.encoded[index] for index in indices]
        batch = collate(prompts, self.judge.anatomy.pad_id, self.judge.device)
        clean = source_values(self.judge, batch)
        reference = reference_values(clean, batch.mask, references.partners(chosen), self.means)
        setting = Setting(self.judge, self.graph, batch, clean, reference)
        if self.by_edges:
            together = [*self._kept.values(), setting.settled()]
            tokens, size = (sum(each) for each in zip(*((one.tokens, one.nbytes) for one in together), strict=True))
            if tokens <= self.context.batch_tokens and size <= working_bytes(self.judge.device, KEPT_BYTES):
                self._kept[indices] = setting
        return setting

    def _stream_tokens(self) -> int:
        """Tokens of a batch under which a stream for every reader, and what heads write, fit `STREAM_BYTES`."""
        width = weight_of(known_wiring(self.judge).layers[0].attention.out).shape[0]  # d_model
        each = 4 * width * (self.graph.targets + 2 * self.graph.heads)
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
