"""The passes that neurons, heads and circuits share: attribution patching of every unit, EAP-IG of every edge.

Contribution of a unit on a prompt = sum over tokens of (a - a_ref) . ds/da (Nanda 2023; Syed et al. 2023, arXiv
2310.10348); integrated: with the gradient's mean over midpoints of the input's way from reference to clean (Hanna
et al. 2024, arXiv 2403.17806). Class-signed: positive supports the right verdict. Units are ranked by the plain
one: on a judge that is sure of itself it agrees far better with patching one unit alone (BENCHMARKS.md). Edges, of
which many are cut at once, are scored by the integrated one.

1. (prompt, step) rows run forward and backward once; the gradient starts at the residual stream of layer 0. The
   rows at the prompts themselves give every unit's value, too.
2. The twin's values, or role means, are the references.
3. Reduced on the device, batch by batch, in float32: only (layers, units) sums are kept, and of edges and nodes
   those of each independent group of prompts (`parts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.model.batches import Batch, collate
from analyzer.model.differentiated import tokens_at_once
from analyzer.model.judge import known_wiring
from analyzer.model.verdict_token import score_alone
from analyzer.patching.edge_scores import EdgeSums, Gradients
from analyzer.patching.graph import Graph
from analyzer.patching.node_sums import NodeSums
from analyzer.patching.parts import PartScores, parts_of
from analyzer.patching.references import References, choose_references, reference_input, reference_values
from analyzer.patching.source_values import SourceValues, entry_stream
from analyzer.patching.tape import Tape, taped
from shared.errors import CannotCompute

if TYPE_CHECKING:
    from analyzer.model.judge import Judge
    from analyzer.model.unit_recording import UnitMeans
    from analyzer.session.context import Context


@dataclass(frozen=True)
class UnitEffects:
    """Contributions of units of one kind, nats; all (layers, units) float32."""

    plain: np.ndarray
    """Class-signed mean, from the gradient at the prompt: to first order what is lost without this unit alone."""
    integrated: np.ndarray
    """Class-signed mean, from the mean gradient along the path: its part when everything changes at once."""
    error: np.ndarray
    """Standard error of `plain` over independent groups of prompts (a contrast pair is one)."""
    by_prompt: np.ndarray | None = None
    """(2, n, layers, units) of each prompt, plain and integrated, so that units can be chosen on some prompts and
    measured on others; of heads, which are few, and of neurons where that was asked for."""


@dataclass(frozen=True)
class GradientPass:
    """What the shared passes found."""

    references: References
    steps: int
    neurons: UnitEffects
    heads: UnitEffects
    edges: PartScores | None
    """Class-signed scores of edges, (parts, sources, targets); None where they were not asked for, or where the
    edges of this family cannot be told apart."""
    nodes: PartScores
    """Class-signed integrated effects of nodes, (parts, sources); the input's is 0."""


def shared_gradients(context: Context, steps: int, prompts: int, *, edges: bool = False) -> GradientPass:
    """The passes that the analyses of a job share, made at first use.

    With `edges` also edges are scored, as they are anyway where the suite has circuits. Raises as `gradient_pass`.
    """
    place = ("gradients", steps, prompts)
    found: GradientPass | None = context.kept.get(place)
    if found is None or (edges and found.edges is None and known_wiring(context.judge).has_edges):
        wanted = edges or "circuits" in context.suite
        found = context.kept[place] = gradient_pass(context, steps, prompts, edges=wanted)
    return found


def gradient_pass(
    context: Context,
    steps: int,
    prompts: int,
    *,
    edges: bool = False,
    references: References | None = None,
    by_prompt: bool = False,
) -> GradientPass:
    """Run the passes over at most `prompts` prompts with `steps` steps of the integral, or over those of
    `references`.

    `edges` says whether edges are scored, where this family's can be; with `by_prompt` the effects of neurons are
    kept prompt by prompt, too. Raises CannotCompute where units
    or classes are missing, or where a gradient is not finite.
    """
    wiring = known_wiring(context.judge)
    references = references or choose_references(context, prompts)
    graph = Graph(len(wiring.layers), wiring.heads, wiring.parallel)
    shared = _Pass(
        context=context,
        references=references,
        means=context.with_units().unit_means if references.kind == "mean" else None,
        steps=steps,
        neurons=KindSums(graph.layers, wiring.neurons, kept=references.n if by_prompt else 0),
        heads=KindSums(graph.layers, graph.heads, kept=references.n),
        edges=EdgeSums(context.judge, graph) if edges and wiring.has_edges else None,
        nodes=NodeSums(graph),
        parts=parts_of([*context.probes, *context.pairs], graph.allowed.size),
    )
    done = 0
    at_once = tokens_at_once(context.judge, context.batch_tokens, edges=shared.edges is not None)
    alike, call = context.judge.alike(context.encoded), context.judge.call
    for chosen in references.batches(context.encoded, at_once, steps + 1, alike, call):
        shared.add(chosen)
        done += len(chosen)
        context.progress(done, references.n)
    return GradientPass(
        references=references,
        steps=steps,
        neurons=shared.neurons.finished(references),
        heads=shared.heads.finished(references),
        edges=None if shared.edges is None else shared.edges.finished(),
        nodes=shared.nodes.finished(),
    )


class KindSums:
    """Accumulators of one kind of unit, on the host in float64; each (layers, units)."""

    def __init__(self, layers: int, units: int, kept: int = 0) -> None:
        self.plain, self.integrated, self.squares, self.sized = np.zeros((4, layers, units))
        self.kept = np.zeros((2, kept, layers, units), dtype=np.float32) if kept else None

    def add(
        self, layer: int, plain: Tensor, integrated: Tensor, sign: Tensor, group: Tensor, chosen: Sequence[int]
    ) -> None:
        """(prompts, units) unsigned contributions; `group` (prompts,) numbers the groups of this batch.

        `chosen` are the prompts' positions in the references.
        """
        signed = plain * sign[:, None]
        if self.kept is not None:
            self.kept[:, chosen, layer] = torch.stack([signed, integrated * sign[:, None]]).cpu().numpy()
        totals = signed.new_zeros(int(group.max()) + 1, signed.shape[1]).index_add_(0, group, signed)
        sizes = torch.bincount(group).to(signed)
        self.plain[layer] += _host(signed.sum(0))
        self.integrated[layer] += _host((integrated * sign[:, None]).sum(0))
        self.squares[layer] += _host(totals.square().sum(0))
        self.sized[layer] += _host((totals * sizes[:, None]).sum(0))

    def finished(self, references: References) -> UnitEffects:
        """Means, and the cluster-robust standard error of the mean."""
        count = references.n
        sizes = np.bincount(references.groups).astype(float)
        mean = self.plain / count
        spread = self.squares - 2 * mean * self.sized + mean**2 * float((sizes**2).sum())
        correction = len(sizes) / max(len(sizes) - 1, 1)
        arrays = (mean, self.integrated / count, np.sqrt(np.maximum(spread, 0) * correction) / count)
        return UnitEffects(*(array.astype(np.float32) for array in arrays), by_prompt=self.kept)


def _host(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


@dataclass(frozen=True)
class _Pass:
    """What stays the same over the batches."""

    context: Context
    references: References
    means: UnitMeans | None
    steps: int
    neurons: KindSums
    heads: KindSums
    edges: EdgeSums | None
    nodes: NodeSums
    parts: np.ndarray
    """(probes,) part of each prompt."""

    def add(self, chosen: list[int]) -> None:
        """One batch: positions in the references."""
        judge, references = self.context.judge, self.references
        prompts = [self.context.encoded[index] for index in references.indices[chosen]]
        batch = collate(prompts, judge.anatomy.pad_id, judge.device)
        entry, partners, real = entry_stream(judge, batch), references.partners(chosen), batch.mask.bool()
        start = reference_input(entry, batch.mask, partners, self.means)
        tape, gradients = _differentiate(
            judge, batch, start, difference(entry, start, real), self.steps, self.edges is not None
        )
        clean = SourceValues(entry, _at_the_prompt(tape.heads, chosen), _at_the_prompt(tape.neurons, chosen))
        deltas = differences(clean, reference_values(clean, batch.mask, partners, self.means), real)
        sign = torch.as_tensor(references.sign[chosen], device=batch.ids.device, dtype=torch.float32)
        group = torch.as_tensor(np.unique(references.groups[chosen], return_inverse=True)[1], device=sign.device)
        heads = known_wiring(judge).heads
        part = self.parts[references.indices[chosen]]
        self.nodes.count(part)
        for layer in range(judge.anatomy.depth):
            for sums, delta, gradient, parts in (
                (self.neurons, deltas.neurons[layer], gradients.neurons[layer], 0),
                (self.heads, deltas.heads[layer], gradients.heads[layer], heads),
            ):
                rows = gradient.unflatten(0, (self.steps + 1, len(chosen))).float()
                plain = contributions(delta, rows[0], parts)
                integrated = contributions(delta, rows[1:].mean(0), parts)
                require_finite(plain + integrated, layer)
                sums.add(layer, plain, integrated, sign, group, chosen)
                self.nodes.add(layer, integrated * sign[:, None], part, heads=bool(parts))
        if self.edges is not None:
            self.edges.add(tape, gradients, signed(deltas, sign), real, part)


def _at_the_prompt(values: list[Tensor], chosen: list[int]) -> list[Tensor]:
    """What each layer gave for the prompts themselves, whose rows come first: (prompts, tokens, units)."""
    return [layer[: len(chosen)].detach() for layer in values]


def require_finite(values: Tensor, layer: int) -> None:
    if not bool(torch.isfinite(values).all()):
        raise CannotCompute(
            f"The gradients in layer {layer} are not finite (NaN or infinity); look at an earlier checkpoint."
        )


def signed(deltas: SourceValues, sign: Tensor) -> SourceValues:
    """Class-signed differences: what they carry towards the right verdict."""
    signed = sign[:, None, None]
    return SourceValues(
        deltas.input * signed,
        [layer * signed for layer in deltas.heads],
        [layer * signed for layer in deltas.neurons],
    )


def differences(clean: SourceValues, reference: SourceValues, real: Tensor) -> SourceValues:
    """clean - reference, zero at padding, float32."""
    return SourceValues(
        difference(clean.input, reference.input, real),
        [difference(a, b, real) for a, b in zip(clean.heads, reference.heads, strict=True)],
        [difference(a, b, real) for a, b in zip(clean.neurons, reference.neurons, strict=True)],
    )


def difference(one: Tensor, other: Tensor, real: Tensor) -> Tensor:
    return (one.float() - other.float()).masked_fill(~real[..., None], 0.0)


def _differentiate(
    judge: Judge, batch: Batch, start: Tensor, way: Tensor, steps: int, edges: bool
) -> tuple[Tape, Gradients]:
    """Forward and backward once for every prompt at the prompt itself and at each midpoint of its path."""
    alphas = torch.tensor([1.0, *((step + 0.5) / steps for step in range(steps))], device=way.device)
    points = start.float() + alphas[:, None, None, None] * way  # (rows a prompt, prompts, tokens, d_model)
    entry = points.flatten(0, 1).to(start.dtype).requires_grad_()
    rows = Batch(batch.ids.repeat(steps + 1, 1), batch.mask.repeat(steps + 1, 1), None)
    with torch.enable_grad(), taped(judge, entry, edges=edges) as tape:
        scores = score_alone(judge, rows, all_neurons=True)
        found = torch.autograd.grad(scores.sum(), tape.gradient_points(), materialize_grads=True)
    return tape, Gradients(tape, iter(found), steps, len(batch.ids))


def contributions(delta: Tensor, gradient: Tensor, heads: int) -> Tensor:
    """(prompts, tokens, units or heads * size) -> (prompts, units): summed over tokens."""
    products = (delta * gradient).sum(1)
    return products.unflatten(-1, (heads, -1)).sum(-1) if heads else products
