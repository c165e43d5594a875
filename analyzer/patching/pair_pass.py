"""Edge scores of aligned contrast pairs at half the price: the way from one twin to the other is the way back.

EAP-IG's midpoints of a prompt's way from its twin are those of the twin's way from the prompt, and both differences
and both class signs are opposite, so that the two prompts' scores are equal, and one pass gives both. No unit is
scored by itself: this is for pairs that only circuits look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from analyzer.model.batches import Batch, collate
from analyzer.model.differentiated import tokens_at_once
from analyzer.model.judge import known_wiring
from analyzer.model.verdict_token import score_alone
from analyzer.patching.edge_scores import EdgeSums, Gradients
from analyzer.patching.gradient_pass import contributions, differences, require_finite
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
        _add(
            judge,
            batch,
            unsafe,
            [partners[row] for row in unsafe],
            steps,
            edges,
            nodes,
            parts[references.indices[chosen][unsafe]],
        )
        done += len(chosen)
        context.progress(done, references.n)
    return None if edges is None else edges.finished(), nodes.finished()


def _add(
    judge: Judge,
    batch: Batch,
    unsafe: list[int],
    safe: list[int],
    steps: int,
    edges: EdgeSums | None,
    nodes: NodeSums,
    part: np.ndarray,
) -> None:
    """One batch: rows of the unsafe prompts, and of their twins."""
    both = source_values(judge, batch)
    own = Batch(batch.ids[unsafe], batch.mask[unsafe], None)
    real = own.mask.bool()
    deltas = differences(_rows(both, unsafe), _rows(both, safe), real)
    tape, gradients = _along(judge, own, both.input[safe].float(), deltas.input, steps, edges is not None)
    heads = known_wiring(judge).heads
    nodes.count(part, 2)
    for layer in range(judge.anatomy.depth):
        for delta, rows, count in (
            (deltas.neurons[layer], gradients.neurons[layer], 0),
            (deltas.heads[layer], gradients.heads[layer], heads),
        ):
            effects = contributions(delta, gradients.along(rows).float().mean(0), count)
            require_finite(effects, layer)
            nodes.add(layer, 2 * effects, part, heads=bool(count))
    if edges is not None:
        edges.add(tape, gradients, deltas, real, part, 2)


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
