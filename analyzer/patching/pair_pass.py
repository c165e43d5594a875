"""Edge scores of aligned contrast pairs at half the price: the way from one twin to the other is the way back.

EAP-IG's midpoints of a prompt's way from its twin are those of the twin's way from the prompt, and both differences
and both class signs are opposite, so that the two prompts' scores are equal, and one pass gives both. Where a
decoder reads the words itself that is not so, and each prompt's way is gone along beside its own words. No unit is
scored by itself: this is for pairs that only circuits look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from analyzer.model.batches import Batch, collate
from analyzer.model.differentiated import tokens_at_once
from analyzer.model.judge import known_wiring
from analyzer.model.verdict_token import score_alone
from analyzer.patching.edge_scores import EdgeSums, Gradients
from analyzer.patching.gradient_pass import contributions, differences, require_finite, signed
from analyzer.patching.graph import Graph
from analyzer.patching.node_sums import NodeSums
from analyzer.patching.parts import PartScores
from analyzer.patching.source_values import SourceValues, source_values
from analyzer.patching.tape import Tape, taped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.model.batches import Encoded
    from analyzer.model.judge import Judge
    from analyzer.patching.references import References
    from analyzer.session.context import Context


class Way(NamedTuple):
    """Of prompts of a batch from their twins."""

    rows: list[int]
    twins: list[int]
    sign: int
    """+1 where the prompts are the unsafe ones, -1 where they are the safe ones."""
    each: int
    """Prompts that each stands for."""


def pair_pass(
    context: Context, references: References, encoded: Sequence[Encoded], parts: np.ndarray, steps: int
) -> tuple[PartScores | None, PartScores]:
    """Scores of edges (None where this family's cannot be told apart) and of nodes.

    `references` are twins only; `encoded` and `parts` are those of all prompts that it counts.
    """
    judge = context.judge
    wiring = known_wiring(judge)
    graph = Graph(len(wiring.layers), wiring.heads, wiring.parallel)
    edges, nodes = EdgeSums(judge, graph) if wiring.has_edges else None, NodeSums(graph)
    at_once = tokens_at_once(judge, context.batch_tokens, edges=edges is not None)
    done = 0
    # rows of a pair: its two prompts, and every step of the way between them
    for chosen in references.batches(encoded, at_once, -(-(steps + 2) // 2), judge.alike(encoded), judge.call):
        batch = collate([encoded[i] for i in references.indices[chosen]], judge.anatomy.pad_id, judge.device)
        unsafe = [row for row, position in enumerate(chosen) if references.sign[position] > 0]
        partners = references.partners(chosen)
        assert partners is not None  # noqa: S101 (twins only)
        safe, values = [partners[row] for row in unsafe], source_values(judge, batch)
        part = parts[references.indices[chosen][unsafe]]
        ways = [Way(unsafe, safe, 1, 2)]
        if judge.anatomy.words_beside:
            ways = [Way(unsafe, safe, 1, 1), Way(safe, unsafe, -1, 1)]
        for way in ways:
            _add(judge, batch, values, way, steps, edges, nodes, part)
        done += len(chosen)
        context.progress(done, references.n)
    return None if edges is None else edges.finished(), nodes.finished()


def _add(
    judge: Judge,
    batch: Batch,
    values: SourceValues,
    way: Way,
    steps: int,
    edges: EdgeSums | None,
    nodes: NodeSums,
    part: np.ndarray,
) -> None:
    """One batch: `values` of all its prompts, one way of them."""
    own = Batch(batch.ids[way.rows], batch.mask[way.rows], None)
    real = own.mask.bool()
    deltas = differences(_rows(values, way.rows), _rows(values, way.twins), real)
    start = values.input[way.twins].float()
    tape, gradients = _along(judge, own, start, deltas.input, steps, edges is not None)
    deltas = signed(deltas, torch.full(own.ids.shape[:1], float(way.sign), device=real.device))
    heads = known_wiring(judge).heads
    nodes.count(part, way.each)
    for layer in range(judge.anatomy.depth):
        for delta, found, count in (
            (deltas.neurons[layer], gradients.neurons[layer], 0),
            (deltas.heads[layer], gradients.heads[layer], heads),
        ):
            effects = contributions(delta, gradients.along(found).float().mean(0), count)
            require_finite(effects, layer)
            nodes.add(layer, way.each * effects, part, heads=bool(count))
    if edges is not None:
        edges.add(tape, gradients, deltas, real, part, way.each)


def _rows(values: SourceValues, rows: list[int]) -> SourceValues:
    return SourceValues(
        values.input[rows], [layer[rows] for layer in values.heads], [layer[rows] for layer in values.neurons]
    )


def _along(
    judge: Judge, own: Batch, start: torch.Tensor, way: torch.Tensor, steps: int, edges: bool
) -> tuple[Tape, Gradients]:
    """Forward and backward once at each midpoint of every pair's way."""
    alphas = torch.tensor([(step + 0.5) / steps for step in range(steps)], device=way.device)
    points = start + alphas[:, None, None, None] * way  # (steps, pairs, tokens, d_model)
    entry = points.flatten(0, 1).to(judge.model.dtype).requires_grad_()
    rows = Batch(own.ids.repeat(steps, 1), own.mask.repeat(steps, 1), None)
    with torch.enable_grad(), taped(judge, entry, edges=edges) as tape:
        found = torch.autograd.grad(
            score_alone(judge, rows, all_neurons=True).sum(), tape.gradient_points(), materialize_grads=True
        )
    return tape, Gradients(tape, iter(found), steps, len(own.ids), plain=False)
