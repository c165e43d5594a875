"""Effects of units and edges: against plain autograd, and by the identities that tie them together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.model.batches import collate
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import score
from analyzer.patching.gradient_pass import GradientPass, gradient_pass
from analyzer.patching.graph import Graph
from analyzer.patching.norm_jacobian import norm_parts, pull_back_
from analyzer.patching.tape import norms_of
from analyzer.session.context import Context
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.slow_edges import slow_edges
from tests.making.tiny import FAMILIES

WITH_EDGES = [family for family in (*FAMILIES, "t5") if family != "deberta-v2"]
STEPS = 3


def found(family: str, *, pairs: int = 10, **fields: object) -> tuple[Context, GradientPass]:
    made = context(tiny_judge(family, layers=3), random_probes(12, pairs=pairs), **fields)
    return made, gradient_pass(made, STEPS, 16, edges=True)


def close(one: np.ndarray, two: np.ndarray, tolerance: float = 1e-4) -> bool:
    return float(np.abs(one - two).max()) <= tolerance * (1e-3 + float(np.abs(two).max()))


@pytest.mark.parametrize("family", WITH_EDGES)
@pytest.mark.parametrize("pairs", [10, 2])
def test_edges_out_of_a_source_add_up_to_its_effect(family: str, pairs: int) -> None:
    """The total derivative is the sum over direct paths, whatever the norms between."""
    _, result = found(family, pairs=pairs)
    assert result.references.kind == ("twin" if pairs == 10 else "mean")
    assert result.edges is not None
    graph = Graph(3, 4)
    out = np.nansum(result.edges.mean, 1)
    for layer in range(3):
        assert close(out[graph.head_sources(layer)], result.heads.integrated[layer]), f"heads of layer {layer}"
        assert close(out[graph.mlp_source(layer)], result.neurons.integrated[layer].sum()), f"MLP of layer {layer}"
    assert (np.isnan(result.edges.mean) == ~graph.allowed).all()


@pytest.mark.parametrize("family", [*FAMILIES, "t5", "umt5"])
def test_effects_are_those_of_plain_autograd(family: str) -> None:
    """Prompt by prompt, alone, without padding; the gradient by plain autograd."""
    made, result = found(family)
    judge, references = made.judge, result.references
    wiring = judge.anatomy.wiring
    assert wiring is not None
    plain = np.zeros((2, 3, max(wiring.heads, wiring.neurons)))
    for place, index in enumerate(references.indices):
        values = [_values(made, int(i)) for i in (index, references.twins[place])]
        gradients = _autograd(made, int(index))
        for kind in range(2):
            for layer in range(3):
                product = (values[0][kind][layer] - values[1][kind][layer]) * gradients[kind][layer]
                if kind == 0:
                    product = product.unflatten(-1, (wiring.heads, -1)).sum(-1)
                each = product.sum((0, 1)).numpy()
                plain[kind, layer, : len(each)] += references.sign[place] * each / references.n
    assert close(result.heads.plain, plain[0, :, : wiring.heads])
    assert close(result.neurons.plain, plain[1, :, : wiring.neurons])


def _hooked(made: Context, index: int, differentiate: bool) -> list[list[torch.Tensor]]:
    kept: list[list[torch.Tensor]] = [[], []]
    wiring = made.judge.anatomy.wiring
    assert wiring is not None
    hooks = [
        block.out.register_forward_pre_hook(lambda _m, args, kind=kind: kept[kind].append(args[0]))
        for layer in wiring.layers
        for kind, block in enumerate((layer.attention, layer.mlp))
    ]
    batch = collate([made.encoded[index]], made.judge.anatomy.pad_id, "cpu")
    words = made.judge.anatomy.embeddings(batch.ids).detach().requires_grad_(differentiate)
    replaced = made.judge.anatomy.embeddings.register_forward_hook(lambda *_: words)
    try:
        with torch.set_grad_enabled(differentiate):
            value = score(made.judge, batch).sum()
            if not differentiate:
                return kept
            flat = torch.autograd.grad(value, [*kept[0], *kept[1]])
            return [list(flat[:3]), list(flat[3:])]
    finally:
        replaced.remove()
        for hook in hooks:
            hook.remove()


def _values(made: Context, index: int) -> list[list[torch.Tensor]]:
    return _hooked(made, index, False)


def _autograd(made: Context, index: int) -> list[list[torch.Tensor]]:
    return _hooked(made, index, True)


@pytest.mark.parametrize("family", ["bert", "llama", "gemma2"])
def test_batch_size_and_order_change_nothing(family: str) -> None:
    made, result = found(family)
    small = context(made.judge, made.probes, batch_tokens=1)
    again = gradient_pass(small, STEPS, 16, edges=True)
    turned = context(made.judge, made.probes[::-1])
    other = gradient_pass(turned, STEPS, 24, edges=True)
    whole = gradient_pass(made, STEPS, 24, edges=True)
    for one, two in ((result, again), (whole, other)):
        assert close(one.neurons.integrated, two.neurons.integrated)
        assert close(one.neurons.plain, two.neurons.plain)
        assert close(one.heads.error, two.heads.error, 1e-3)
        assert one.edges is not None and two.edges is not None
        assert close(np.nan_to_num(one.edges.mean), np.nan_to_num(two.edges.mean))


def test_the_error_is_that_of_the_mean_over_pairs() -> None:
    made, result = found("bert")
    totals = []
    for place in range(0, result.references.n, 2):
        pair = [made.probes[i] for i in result.references.indices[place : place + 2]]
        others = [each for each in made.probes if each not in pair]
        rest = gradient_pass(context(made.judge, pair + others), STEPS, 2, edges=False)
        assert {made.probes[i].id for i in result.references.indices[place : place + 2]} == {p.id for p in pair}
        totals.append(rest.heads.plain)
    pairs = np.array(totals)  # (pairs, layers, heads)
    assert close(pairs.mean(0), result.heads.plain)
    assert close(pairs.std(0, ddof=1) / np.sqrt(len(pairs)), result.heads.error, 1e-3)


@pytest.mark.parametrize("family", [*FAMILIES, "t5"])
def test_norms_pull_gradients_back_as_autograd_does(family: str) -> None:
    wiring = tiny_judge(family, layers=3).anatomy.wiring
    assert wiring is not None
    generator = torch.Generator().manual_seed(0)
    for layer in wiring.layers:
        for block in (layer.attention, layer.mlp):
            for norm in norms_of(block):
                x = torch.randn(5, 32, generator=generator).requires_grad_()
                wanted = torch.randn(2, 5, 32, generator=generator)
                theirs = torch.stack([torch.autograd.grad(norm(x), x, g, retain_graph=True)[0] for g in wanted])
                ours = pull_back_(norm_parts(norm), x.detach(), wanted.clone())
                assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "modernbert"])
def test_the_judge_is_as_before(family: str) -> None:
    judge = tiny_judge(family, layers=3)
    probes = random_probes(12, pairs=10)
    batch = collate(context(judge, probes).encoded[:2], judge.anatomy.pad_id, "cpu")
    with torch.no_grad():
        before = score(judge, batch)
        gradient_pass(context(judge, probes), STEPS, 16, edges=True)
        with starting_at(judge, 0, torch.zeros(*batch.ids.shape, 32)):
            pass
        assert torch.equal(score(judge, batch), before)
    hooks = sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in judge.model.modules())
    assert hooks == 0


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gemma"])
def test_edges_are_those_of_the_usual_implementation(family: str) -> None:
    made, result = found(family)
    references = result.references
    place = {int(index): number for number, index in enumerate(references.indices)}
    theirs = slow_edges(
        made.judge,
        [made.encoded[index] for index in references.indices],
        [place[int(twin)] for twin in references.twins],
        references.sign.tolist(),
        STEPS,
    )
    assert result.edges is not None
    assert close(np.nan_to_num(result.edges.mean), theirs.numpy())
