"""The upper part of a judge alone: a forward pass that begins at some layer, with a residual stream given to it.

The layers below become identities and the layer gets the given stream, so that masks, rotary angles and relative
positions are made by the model as ever, and what it counts by layer index stays aligned. Biases of positions that
the first layer makes and hands on are made for it. The embeddings still run, which costs a lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


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
        stack.enter_context(without_layers(judge, range(layer)))
        if layer == len(layers):
            stack.enter_context(forward_replaced(layers[-1], given))
        else:  # before every other hook, so that all of them see the given stream
            hook = layers[layer].register_forward_pre_hook(fed, with_kwargs=True, prepend=True)
            stack.callback(hook.remove)
        yield


@contextmanager
def without_layers(judge: Judge, layers: range) -> Iterator[None]:
    """Inside, these layers hand on what they read."""

    def unchanged(layer: nn.Module) -> Any:
        def forward(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
            bias = bias_handed_on(judge, layer, hidden_states, *args, **kwargs)
            return returned(judge, hidden_states, bias)

        return forward

    with ExitStack() as stack:
        for layer in layers:
            module = judge.anatomy.layers[layer]
            stack.enter_context(forward_replaced(module, unchanged(module)))
        yield


def returned(judge: Judge, hidden: Tensor, bias: Tensor | None = None) -> Any:
    """Hidden states as a layer of this judge's family returns them, with the `bias` that it hands on, if any."""
    if judge.anatomy.position_bias is not None:
        return hidden, bias, None  # the last is the bias of a decoder's other attention
    return (hidden, None) if judge.anatomy.layers_return_pairs else hidden


def bias_handed_on(judge: Judge, layer: nn.Module, hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
    """The biases of positions that a layer which is left out would hand on: those that it is called with, or else
    those that the first layer makes, (1, heads, tokens, tokens). None in families whose layers hand on none.
    """
    maker: Any = judge.anatomy.position_bias
    if maker is None:
        return None
    given = signature(type(layer).forward).bind(layer, hidden, *args, **kwargs).arguments.get("position_bias")
    return maker.compute_bias(*[hidden.shape[1]] * 2, device=hidden.device) if given is None else given


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


def hidden_of(value: Any) -> Tensor:
    """The hidden states in what a module returns, which may be a tuple."""
    return value[0] if isinstance(value, tuple) else value


def hidden_argument(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The hidden states among what a module is called with."""
    return args[0] if args else kwargs["hidden_states"]


@contextmanager
def module_input(module: nn.Module, take: Callable[[Tensor], Any]) -> Iterator[None]:
    """Call `take` with the input of every call of a module; a tensor that it returns takes the input's place."""

    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = take(hidden_argument(args, kwargs))
        if not isinstance(given, Tensor):
            return None
        return ((given, *args[1:]), kwargs) if args else ((), kwargs | {"hidden_states": given})

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def layer_input(judge: Judge, take: Callable[[Tensor], Any]) -> Any:
    """`module_input` of the first layer: the source "input"."""
    return module_input(judge.anatomy.layers[0], take)


@contextmanager
def embeddings_replaced(judge: Judge, embeddings: Tensor) -> Iterator[Tensor]:
    """Let the model read these word embeddings (batch, tokens, d_model) for whatever ids it is given.

    The ids still say which positions, types and pooled token apply, so that only the words change. The decoder of
    an encoder-decoder reads the same words one place later, behind a start that stays what it is; what a model
    itself adds behind the prompt (padding to a multiple of its window) stays, too.
    """
    anatomy = judge.anatomy
    calls: list[None] = []

    def replaced(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        given = embeddings.transpose(0, 1) if anatomy.tokens_first else embeddings
        given = given.clone()  # some models scale what they looked up in place
        shift = int(anatomy.decoder_embeddings is not None and bool(calls))
        calls.append(None)
        if output.shape == given.shape and not shift:
            return given
        return torch.cat([output[:, :shift], given, output[:, shift + given.shape[1] :]], 1)[:, : output.shape[1]]

    with ExitStack() as stack:
        for module in {
            anatomy.embeddings,
            anatomy.decoder_embeddings or anatomy.embeddings,
        }:  # often one and the same
            stack.callback(module.register_forward_hook(replaced).remove)
        yield embeddings
