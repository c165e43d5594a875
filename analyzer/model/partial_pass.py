"""The upper part of a judge alone: a forward pass that begins at some layer, with a residual stream given to it.

The layers below become identities and the layer gets the given stream, so that masks, rotary angles and relative
positions are made by the model as ever, and what it counts by layer index stays aligned. The embeddings still run,
which costs a lookup.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

RETURN_PAIRS = {"deberta-v2"}
"""Families whose layers return (hidden states, attention weights); the others' return the hidden states alone."""


@contextmanager
def starting_at(judge: Judge, layer: int, hidden: Tensor) -> Iterator[None]:
    """Inside, calls of `judge.model` begin at `layer` (0 to depth) with `hidden` (batch, tokens, d_model).

    `hidden` is the residual stream that the layer reads (after the last one when `layer` is the depth), for the
    batch that the model is called with; gradients flow back to it. The family must be known (`anatomy.layers`).
    """
    layers = judge.anatomy.layers
    if not 0 <= layer <= len(layers):
        raise ValueError(f"layer {layer} of a judge with {len(layers)} layers")

    def given(*_args: Any, **_kwargs: Any) -> Any:
        return returned(judge, hidden)

    def fed(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return ((hidden, *args[1:]), kwargs) if args else ((), kwargs | {"hidden_states": hidden})

    with ExitStack() as stack:
        stack.enter_context(without_layers(judge, layer))
        if layer == len(layers):
            stack.enter_context(forward_replaced(layers[-1], given))
        else:  # before every other hook, so that all of them see the given stream
            hook = layers[layer].register_forward_pre_hook(fed, with_kwargs=True, prepend=True)
            stack.callback(hook.remove)
        yield


@contextmanager
def without_layers(judge: Judge, count: int) -> Iterator[None]:
    """Inside, the first `count` layers hand on what they read."""

    def unchanged(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Any:
        return returned(judge, hidden_states)

    with ExitStack() as stack:
        for module in judge.anatomy.layers[:count]:
            stack.enter_context(forward_replaced(module, unchanged))
        yield


def returned(judge: Judge, hidden: Tensor) -> Any:
    """Hidden states as a layer of this judge's family returns them."""
    return (hidden, None) if judge.anatomy.family in RETURN_PAIRS else hidden


@contextmanager
def forward_replaced(module: nn.Module, forward: Any) -> Iterator[None]:
    """Another `forward` for this one module object; its own, or the one set on it before, comes back after."""
    before = module.__dict__.get("forward")
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before
