"""EAP-IG as it is usually written, for pre-norm decoders: the second opinion on our edge scores, and the yardstick.

Every head gets a copy of the stream of its own, expanded through norm and projections, so that autograd gives its
gradient; all differences of activations are held at once, (prompts, tokens, sources, d_model); the steps run one
after another; every target's edges are one einsum. Hooks of its own; nothing of
`analyzer/patching/edge_scores.py` is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from analyzer.model.batches import Batch, Encoded, collate
from analyzer.model.judge import Judge
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import score
from analyzer.patching.graph import Graph


def slow_edges(
    judge: Judge,
    prompts: Sequence[Encoded],
    twins: Sequence[int],
    sign: Sequence[float],
    steps: int,
    batch: int = 8,
) -> Tensor:
    """(sources, targets) mean class-signed edge scores; zero where there is no edge.

    `twins` are each prompt's twin among `prompts`; twins must share a batch of `batch` prompts.
    """
    wiring = judge.anatomy.wiring
    assert wiring is not None
    graph = Graph(len(wiring.layers), wiring.heads, wiring.parallel)
    total = torch.zeros(graph.sources, graph.targets)
    for start in range(0, len(prompts), batch):
        rows = list(range(start, min(start + batch, len(prompts))))
        together = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device)
        clean = _written(judge, graph, together)
        other = clean[[int(twins[row]) - start for row in rows]]
        change = (clean - other) * together.mask[..., None, None]
        change = change * torch.tensor([sign[row] for row in rows])[:, None, None, None]
        entry, twin_entry = clean[:, :, 0], other[:, :, 0]
        for step in range(steps):
            alpha = (step + 0.5) / steps
            gradients = _gradients(judge, graph, together, twin_entry + alpha * (entry - twin_entry))
            for target in range(graph.targets):
                sources = graph.allowed[:, target]
                total[sources, target] += (
                    torch.einsum("ptud,ptd->u", change[:, :, sources], gradients[target]) / steps
                )
    return total / len(prompts)


@torch.no_grad()
def _written(judge: Judge, graph: Graph, batch: Batch) -> Tensor:
    """(prompts, tokens, sources, d_model) what every source writes."""
    wiring: Any = judge.anatomy.wiring
    found: list[Tensor] = []
    hooks = [
        wiring.layers[0].module.register_forward_pre_hook(
            lambda _m, args, kwargs: found.append((args[0] if args else kwargs["hidden_states"])[:, :, None]),
            with_kwargs=True,
        )
    ]

    def heads(_module: Any, args: tuple[Tensor, ...], layer: Any) -> None:
        weight = layer.attention.out.weight.unflatten(1, (graph.heads, -1))  # (d_model, heads, size)
        found.append(torch.einsum("pths,dhs->pthd", args[0].unflatten(-1, (graph.heads, -1)), weight))

    for layer in wiring.layers:
        hooks.append(layer.attention.out.register_forward_pre_hook(lambda m, a, layer=layer: heads(m, a, layer)))
        hooks.append(layer.mlp.out.register_forward_hook(lambda _m, _a, output: found.append(output[:, :, None])))
    score(judge, batch)
    for hook in hooks:
        hook.remove()
    return torch.cat(found, 2)


def _gradients(judge: Judge, graph: Graph, batch: Batch, entry: Tensor) -> list[Tensor]:
    """Of each target: (prompts, tokens, d_model)."""
    copies: list[tuple[Tensor, int]] = []
    entry = entry.detach().requires_grad_()
    with torch.enable_grad(), starting_at(judge, 0, entry), _copied(judge, graph, copies):
        value = score(judge, batch).sum()
        found = torch.autograd.grad(value, [copy for copy, _ in copies])
    gradients: list[Tensor] = []
    for gradient, heads in zip(found, [heads for _, heads in copies], strict=True):
        gradients += [gradient[:, :, head] for head in range(heads)] if heads else [gradient]
    return gradients


@contextmanager
def _copied(judge: Judge, graph: Graph, copies: list[tuple[Tensor, int]]) -> Iterator[None]:
    wiring: Any = judge.anatomy.wiring
    hooks: list[Any] = []
    groups = [getattr(layer.attention.inlet, "num_key_value_groups", 1) for layer in wiring.layers]

    def split(_module: Any, args: tuple[Tensor, ...]) -> None:
        copies.append((args[0][:, :, None].expand(-1, -1, graph.heads, -1).clone(), graph.heads))

    def project(layer: Any, projection: Any) -> Any:
        def hook(_module: Any, _args: Any, _output: Tensor) -> Tensor:
            own = layer.attention.read_norm.forward(copies[-1][0])
            weight = projection.weight.unflatten(0, (-1, wiring.head_size))
            weight = weight.repeat_interleave(graph.heads // len(weight), 0)
            found = torch.einsum("pthd,hsd->pths", own, weight)
            if projection.bias is not None:
                bias = projection.bias.unflatten(0, (-1, wiring.head_size))
                found = found + bias.repeat_interleave(graph.heads // len(bias), 0)
            return found.flatten(-2)

        return hook

    def copy(_module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        copies.append((args[0].clone(), 0))
        return (copies[-1][0],)

    for layer in wiring.layers:
        layer.attention.inlet.num_key_value_groups = 1
        hooks.append(layer.attention.read_norm.register_forward_pre_hook(split))
        hooks += [one.register_forward_hook(project(layer, one)) for one in layer.projections]
        hooks.append(layer.mlp.read_norm.register_forward_pre_hook(copy))
    last = wiring.layers[-1].module
    hooks.append(last.register_forward_hook(lambda _m, _a, output: copies.append((output, 0))))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for layer, group in zip(wiring.layers, groups, strict=True):
            layer.attention.inlet.num_key_value_groups = group
