"""On which tokens some chosen neurons are strongest, and in which text these stand.

A neuron's strength on a token is its activation, or the size of it where neurons are gated and both signs speak.
Looked at while the judge runs anyway; of each prompt only the strongest word and the strongest special token are
kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analyzer.encode import Batch, Encoded
from analyzer.sources import known_wiring, module_input
from analyzer.token_names import special_names
from analyzer.units import reading_of
from analyzer.words import words
from shared.analyses.neurons import TokenInContext

if TYPE_CHECKING:
    from analyzer.context import Context

SHOWN = 5
"""Tokens shown of a neuron."""
AROUND = 40
"""Characters of text shown on each side, and at most of a word."""
WORD, SPECIAL = 0, 1
"""Of each prompt, the strongest token of the text, and the strongest that the tokenizer or template added."""


class _Peak(NamedTuple):
    """A neuron's strongest token of one kind in one prompt."""

    strength: float
    row: int
    position: int
    activation: float


class TokenLook:
    """A `Look` that keeps where the chosen (layer, neuron) are strongest; rows are those of the probe set."""

    def __init__(self, context: Context, chosen: Sequence[tuple[int, int]]) -> None:
        self._context, self._chosen = context, list(chosen)
        self._signed = reading_of(context.judge.anatomy.family) == "max"
        shape = (2, len(self._chosen), len(context.encoded))  # WORD or SPECIAL, neurons, prompts
        self._strength = np.full(shape, -np.inf)
        self._position = np.zeros(shape, dtype=int)
        self._activation = np.zeros(shape)

    @contextmanager
    def __call__(self, rows: Sequence[int], batch: Batch) -> Iterator[None]:
        layers = known_wiring(self._context.judge).layers
        special = torch.zeros(batch.mask.shape, dtype=torch.bool)
        for place, row in enumerate(rows):
            flags = self._context.encoded[row].special
            special[place, : len(flags)] = torch.tensor(flags)
        others = torch.stack([special, ~special]).to(batch.mask.device)
        hidden = others | (batch.mask == 0)  # (2, prompts, tokens): all but WORD, all but SPECIAL
        with ExitStack() as stack:
            for layer in {layer for layer, _ in self._chosen}:
                stack.enter_context(module_input(layers[layer].mlp.out, self._taking(layer, rows, hidden)))
            yield

    def _taking(self, layer: int, rows: Sequence[int], hidden: Tensor) -> Any:
        numbers = [number for number, (where, _) in enumerate(self._chosen) if where == layer]
        neurons = torch.tensor([self._chosen[number][1] for number in numbers], device=hidden.device)
        place = np.ix_((WORD, SPECIAL), numbers, rows)

        def take(values: Tensor) -> None:
            own = values[..., neurons].float()  # (prompts, tokens, chosen of this layer)
            strength = (own if self._signed else own.abs()).masked_fill(hidden[..., None], -torch.inf)
            highest, where = strength.max(2)  # (2, prompts, chosen)
            found = own.expand(2, -1, -1, -1).gather(2, where[:, :, None])[:, :, 0]
            self._strength[place] = highest.transpose(1, 2).cpu().numpy()
            self._position[place] = where.transpose(1, 2).cpu().numpy()
            self._activation[place] = found.transpose(1, 2).cpu().numpy()

        return take

    def strongest(self, number: int) -> list[TokenInContext]:
        """The strongest tokens of the chosen neuron `number`, each from another prompt, and no two from twins.

        A special token that is strong is so in every prompt, so that only its strongest place is shown.
        """
        specials, taken = set(), set()
        found: list[TokenInContext] = []
        for peak in sorted(self._peaks(number), key=lambda peak: (-peak.strength, peak.row)):
            prompt, probe = self._context.encoded[peak.row], self._context.probes[peak.row]
            added = prompt.special[peak.position]
            name = prompt.ids[peak.position]
            own = {probe.pair or probe.id, probe.id}
            if len(found) == SHOWN or (added and name in specials) or own & taken:
                continue
            specials |= {name} if added else set()
            taken |= own
            found.append(self._in_context(peak))
        return found

    def _peaks(self, number: int) -> list[_Peak]:
        return [
            _Peak(
                float(self._strength[kind, number, row]),
                row,
                int(self._position[kind, number, row]),
                float(self._activation[kind, number, row]),
            )
            for kind in (WORD, SPECIAL)
            for row in np.flatnonzero(np.isfinite(self._strength[kind, number])).tolist()
        ]

    def _in_context(self, peak: _Peak) -> TokenInContext:
        prompt, probe = self._context.encoded[peak.row], self._context.probes[peak.row]
        before, token, after = in_text(prompt, peak.position, special_names(self._context.judge, prompt))
        return TokenInContext(
            probe_id=probe.id,
            label=probe.label,
            before=before,
            token=token,
            after=after,
            activation=peak.activation,
        )


def in_text(prompt: Encoded, position: int, names: Sequence[str]) -> tuple[str, str, str]:
    """The word that holds a token, and about `AROUND` characters before and after, of what the judge reads.

    A special token goes by its name, and stands before or after all of the text.
    """
    read = prompt.text[: max((end for _, end in prompt.offsets), default=0)]
    if prompt.special[position]:
        first = not any(not special for special in prompt.special[:position])
        return ("", names[position], read[:AROUND]) if first else (read[-AROUND:], names[position], "")
    word = next(word for word in words(prompt, names) if position in word.tokens)
    start, end = prompt.offsets[position]
    start, end = max(word.start, start - AROUND), min(word.end, end + AROUND)
    return read[max(0, start - AROUND) : start], read[start:end] or "(blank)", read[end : end + AROUND]
