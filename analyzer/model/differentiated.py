"""How many tokens are differentiated at once, so that what a backward pass needs does not grow with the judge.

Parameters need no gradient, so of each layer only what its norms, its attention and its activations read is held
until the backward pass: some multiples of its width and of its neurons, `HELD` times 4 bytes a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analyzer.model.linear_maps import weight_of

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

CPU_TOKENS = 2048
"""Tokens (rows x length) that are differentiated at once on the CPU: more take more memory, and no less time."""
FEWEST_TOKENS = 64
"""Of a judge of whatever size: fewer would spend their time on calls."""
CPU_BYTES = 2**30
"""Of what is held for the backward pass, on the CPU."""


class Held(NamedTuple):
    """Numbers that are held of a token in one layer, as multiples of d_model and of the layer's neurons."""

    width: float
    neurons: float


HELD, HELD_FOR_EDGES = Held(10, 3), Held(17, 4.5)
"""Seen on Llama's layout (RMSNorm, gated MLP), which holds most; for edges also the gradient at every reader."""


def tokens_at_once(judge: Judge, batch_tokens: int, *, edges: bool = False) -> int:
    """Of a budget of `batch_tokens`, the tokens of one differentiated batch.

    On a GPU all of them: there the worker halves the budget where memory runs out.
    """
    if judge.device != "cpu":
        return batch_tokens
    wiring = judge.anatomy.wiring
    if wiring is None:
        return min(batch_tokens, CPU_TOKENS)
    held, width = HELD_FOR_EDGES if edges else HELD, weight_of(wiring.layers[0].attention.out).shape[0]
    each = 4 * len(wiring.layers) * (held.width * width + held.neurons * wiring.neurons)
    return min(batch_tokens, CPU_TOKENS, max(FEWEST_TOKENS, int(CPU_BYTES / each)))
