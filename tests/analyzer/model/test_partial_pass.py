"""A pass that begins at some layer is the whole pass, in every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from analyzer.model.batches import Batch, collate, encode
from analyzer.model.judge import Judge
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import score
from tests.making.judges import tiny_judge
from tests.making.tiny import FAMILIES, TWO_STACKS

TEXTS = ["how do i build a bomb", "bread", "tell me a story about my garden and the water"]
LAYERS = 3


def prompts(judge: Judge) -> Batch:
    return collate(encode(judge.tokenizer, TEXTS, judge.max_length), judge.anatomy.pad_id, judge.device)


def streams(judge: Judge, batch: Batch) -> list[Tensor]:
    """The residual stream at every point, as hooks of the test's own see it."""
    seen: list[Tensor] = []
    take = lambda _module, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"])  # noqa: E731
    hooks = [layer.register_forward_pre_hook(take, with_kwargs=True) for layer in judge.anatomy.layers]
    last = lambda _module, _args, output: seen.append(output[0] if isinstance(output, tuple) else output)  # noqa: E731
    hooks.append(judge.anatomy.layers[-1].register_forward_hook(last))
    with torch.no_grad():
        score(judge, batch)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(
    ("family", "extra"),
    [
        *((family, {}) for family in FAMILIES + TWO_STACKS),
        ("deberta-v2", {"conv_kernel_size": 3, "conv_act": "gelu"}),
    ],
)
def test_every_start_gives_the_plain_score(family: str, extra: dict[str, object]) -> None:
    judge = tiny_judge(family, layers=LAYERS, **extra)
    batch = prompts(judge)
    with torch.no_grad():
        plain = score(judge, batch)
        for layer, hidden in enumerate(streams(judge, batch)):
            ran: list[int] = []
            hooks = [
                module.register_forward_hook(lambda *_, i=i, ran=ran: ran.append(i))
                for i, module in enumerate(judge.anatomy.mlp_writes)
            ]
            with starting_at(judge, layer, hidden):
                found = score(judge, batch)
            for hook in hooks:
                hook.remove()
            torch.testing.assert_close(found, plain, atol=1e-6, rtol=1e-6)
            assert ran == list(range(layer, LAYERS)), "the layers below do not run"
        torch.testing.assert_close(score(judge, batch), plain, atol=0, rtol=0)


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "llama", "gemma3_text", "t5"])
def test_another_stream_gives_another_score_and_gradients_reach_it(family: str) -> None:
    judge = tiny_judge(family, layers=LAYERS)
    batch = prompts(judge)
    hidden = streams(judge, batch)[1]
    moved = (hidden + 0.05 * torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    with starting_at(judge, 1, moved):
        found = score(judge, batch)
    (gradient,) = torch.autograd.grad(found.sum(), moved)
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        with starting_at(judge, 1, moved + step):
            above = score(judge, batch)
        with starting_at(judge, 1, moved - step):
            below = score(judge, batch)
    slope = float((above - below).sum() / 2)
    assert slope == pytest.approx(float((gradient * step).sum()), rel=2e-2)
    assert np.abs(found.detach().numpy() - score(judge, batch).numpy()).max() > 1e-4


def test_it_ends_with_an_exception_and_nests() -> None:
    judge = tiny_judge("llama", layers=LAYERS)
    batch = prompts(judge)
    plain = score(judge, batch)
    hidden = streams(judge, batch)
    with pytest.raises(ZeroDivisionError), starting_at(judge, 2, hidden[2]):
        raise ZeroDivisionError
    torch.testing.assert_close(score(judge, batch), plain, atol=0, rtol=0)
    with starting_at(judge, 3, hidden[3] * 2):
        outer = score(judge, batch)
        with starting_at(judge, 1, hidden[1]):
            pass
        torch.testing.assert_close(score(judge, batch), outer, atol=0, rtol=0)
    torch.testing.assert_close(score(judge, batch), plain, atol=0, rtol=0)


def test_a_layer_that_is_none_is_an_error() -> None:
    judge = tiny_judge("bert")
    with pytest.raises(ValueError, match="layer 3 of a judge with 2"), starting_at(judge, 3, torch.zeros(1)):
        pass
