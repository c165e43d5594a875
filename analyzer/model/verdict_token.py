"""The last layer where nothing but the score is wanted: computed at the token that the verdict is read from alone.

What the last layer writes at other tokens is read by nobody. Its queries, keys and values are computed at all of
them as ever; its output projection and its MLP, three quarters of the layer, at the one token. The sums are the
same, so scores differ by rounding at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from analyzer.model.partial_pass import forward_replaced
from analyzer.model.scoring import place_read, score

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge


@dataclass(frozen=True)
class VerdictToken:
    """Where each prompt of a batch is read."""

    place: Tensor
    """(prompts,)"""

    def of(self, values: Tensor) -> Tensor:
        """(..., prompts, tokens, width) -> (..., prompts, 1, width)."""
        rows = torch.arange(len(self.place), device=values.device)
        return values[..., rows, self.place, :].unsqueeze(-2)

    def alone(self, values: Tensor, tokens: int) -> Tensor:
        """(prompts, 1, width) -> (prompts, tokens, width), zero at every other token.

        Llama 4's experts give (prompts, width), as all tokens are one list to them; the layer takes both.
        """
        values = values[:, 0] if values.ndim == 3 else values
        spread = values.new_zeros(len(values), tokens, values.shape[-1])
        spread[torch.arange(len(values), device=values.device), self.place] = values
        return spread


def verdict_token(judge: Judge, batch: Batch) -> VerdictToken | None:
    """None where the verdict is read from more than one token, or where the last layer's parts are not known."""
    anatomy = judge.anatomy
    if anatomy.wiring is None or anatomy.tokens_first or anatomy.decoder_embeddings is not None:
        return None
    place = place_read(anatomy, batch)
    return None if place is None else VerdictToken(place)


def score_alone(judge: Judge, batch: Batch, *, all_neurons: bool = False) -> Tensor:
    """`scoring.score`, for whom nothing else of the pass is of use.

    With `all_neurons` hooks on what reads the neurons still meet every token: the MLP stays whole where that is
    called inside it, and elsewhere neurons of other tokens are zero, as are their gradients.
    """
    token = verdict_token(judge, batch)
    if token is None:
        return score(judge, batch)
    with _last_layer_at(judge, token, all_neurons):
        return score(judge, batch)


@contextmanager
def _last_layer_at(judge: Judge, token: VerdictToken, all_neurons: bool) -> Iterator[None]:
    """Inside, what ends each block of the last layer is computed at this token, and zero at the others."""
    assert judge.anatomy.wiring is not None  # noqa: S101 (verdict_token looked)
    last = judge.anatomy.wiring.layers[-1]
    inside = last.mlp.out_inside
    modules = [last.attention.out, *([last.mlp.inlet] if not inside or not all_neurons else [])]
    modules += [] if inside else [last.mlp.out]
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(forward_replaced(module, _at(token, module)))
        yield


def _at(token: VerdictToken, module: nn.Module) -> Any:
    """The forward of a module that treats every token alike, for one token."""
    plain = module.forward

    def forward(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        tokens = hidden_states.shape[1]
        found = plain(token.of(hidden_states), *args, **kwargs)
        if isinstance(found, tuple):
            return (token.alone(found[0], tokens), *found[1:])
        return token.alone(found, tokens)

    return forward
