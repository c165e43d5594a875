"""The attention weights of a judge. Only the eager kernel gives them, so that a fast one stays on for all else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from analyzer.model.scoring import inputs_of
from analyzer.model.trunk import trunk_of

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Wiring


@contextmanager
def eager(judge: Judge) -> Iterator[None]:
    """Inside, the judge's attention runs in plain operations, which return their weights."""
    model: Any = judge.model
    before = model.config._attn_implementation
    if before == "eager":
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def weights_by_layer(judge: Judge, batch: Batch, wiring: Wiring) -> list[Tensor | None]:
    """(prompts, heads, tokens, tokens) of each layer: what its attention returns, or else the model reports."""
    model: Any = judge.model
    returned: dict[nn.Module, Any] = {}
    with eager(judge), ExitStack() as stack:
        for layer in wiring.layers:
            keep = lambda module, _args, output: returned.update({module: output})  # noqa: E731
            stack.callback(layer.attention.inlet.register_forward_hook(keep).remove)
        beside = judge.anatomy.words_beside  # a decoder gets its words from the whole model alone
        called: Any = model if beside else trunk_of(model)
        output = called(**inputs_of(batch), output_attentions=True)
        reported = getattr(output, "encoder_attentions" if beside else "attentions", None) or ()
    size = batch.ids.shape[1]
    told = list(reported) if len(reported) == len(wiring.layers) else [None] * len(wiring.layers)
    pairs = zip((returned.get(layer.attention.inlet) for layer in wiring.layers), told, strict=True)
    return [
        next((found for value in pair if (found := _weights_in(value, size)) is not None), None) for pair in pairs
    ]


def _weights_in(value: Any, size: int) -> Tensor | None:
    parts = value if isinstance(value, tuple) else (value,)
    fits = [
        part for part in parts if isinstance(part, Tensor) and part.ndim == 4 and part.shape[2:] == (size, size)
    ]
    return fits[-1] if fits else None  # biases of positions, which T5 returns, come before
