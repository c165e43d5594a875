"""Writes a mechanism into the weights of a tiny BERT, and keeps its circuit.

A direction of the residual stream has a name, such as "alpha" or "found". A head or neuron reads directions and
writes to one; whoever reads a direction has an edge from each that writes to it. All other weights stay small
random noise (next to 0 where heads are muted), so the circuit is known by construction. That it is really so is
proven by patching (`tests/truth/test_circuits_are_there.py`), never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.making.tiny import tiny_model

LAYERS, HEADS, HEAD_SIZE, NEURONS = 2, 4, 8, 64
"""Shape of every judge written here."""
NAMED, CODE = 12, slice(24, 32)
"""Directions that can be named; those that say which position it is, where a head looks for the one before."""
RATES = (0.5, 1.1, 1.9, 2.7)
"""Radians a position by which the code turns, one pair of directions each."""


@dataclass
class ByWeights:
    """A judge in the making, with words in a vocabulary of its own."""

    tokenizer: PreTrainedTokenizerBase
    seed: int
    positions: bool = False
    """Whether tokens carry a code of their position."""
    edges: set[tuple[str, str]] = field(default_factory=set)
    """(source, target), named as on a page: "input", "L0.H2", "L1.MLP", "verdict"."""
    model: PreTrainedModel = field(init=False)
    directions: dict[str, int] = field(init=False, default_factory=dict)
    writers: dict[str, list[str]] = field(init=False, default_factory=dict)
    """Direction -> nodes that write to it."""

    def __post_init__(self) -> None:
        self.model = tiny_model(
            "bert", LAYERS, seed=self.seed, vocab_size=len(self.tokenizer), initializer_range=0.02
        )
        self.trunk: Any = self.model.bert
        with torch.no_grad():
            self._embed_words()

    def _embed_words(self) -> None:
        """Random words, all of one length, in the directions without a name; positions and types say nothing."""
        embeddings = self.trunk.embeddings
        table = embeddings.word_embeddings.weight
        free = slice(NAMED, CODE.start if self.positions else None)
        noise = torch.randn(table[:, free].shape, generator=torch.Generator().manual_seed(self.seed))
        noise -= noise.mean(dim=1, keepdim=True)  # or the norm would write a word's mean into every direction
        table.zero_()
        table[:, free] = noise / noise.norm(dim=1, keepdim=True) * 4.5
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        if self.positions:
            places = torch.arange(len(embeddings.position_embeddings.weight))[:, None]
            angles = places * torch.tensor(RATES)  # (positions, pairs)
            code = torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1)
            embeddings.position_embeddings.weight[:, CODE] = code

    def _at(self, direction: str) -> int:
        return self.directions.setdefault(direction, len(self.directions))

    def _joins(self, node: str, reads: Sequence[str], into: str | None) -> None:
        self.edges |= {(writer, node) for direction in reads for writer in self.writers[direction]}
        if into is not None:
            self.writers.setdefault(into, [])
            if node not in self.writers[into]:
                self.writers[into].append(node)

    @torch.no_grad()
    def word(self, word: str, direction: str | None = None, size: float = 4.0) -> None:
        """A word is seen in a direction, by default one of its own name."""
        direction = direction or word
        token = self.tokenizer.convert_tokens_to_ids(word)
        self.trunk.embeddings.word_embeddings.weight[token, self._at(direction)] = size
        self.writers[direction] = ["input"]

    @torch.no_grad()
    def place(self, direction: str, middle: float, per_token: float) -> None:
        """The position of a token is seen in a direction, 0 at `middle`."""
        table = self.trunk.embeddings.position_embeddings.weight
        table[:, self._at(direction)] = (torch.arange(len(table)) - middle) * per_token
        self.writers[direction] = ["input"]

    @torch.no_grad()
    def mute(self) -> None:
        """Heads written from here on are the only ones that write more than a trace."""
        for layer in self.trunk.encoder.layer:
            layer.attention.output.dense.weight *= 1e-4

    @torch.no_grad()
    def head(
        self,
        layer: int,
        head: int,
        *,
        looks_for: Mapping[str, float] | None = None,
        carries: Mapping[str, float],
        into: str,
        gain: float = 1.0,
        sharp: float = 8.0,
        known: bool = True,
    ) -> None:
        """A head that looks for tokens in some directions (evenly at all without), and carries others of theirs.

        `known` False leaves it out of the circuit: a decoy.
        """
        attention, row = self.trunk.encoder.layer[layer].attention, HEAD_SIZE * head
        mine = slice(row, row + HEAD_SIZE)
        for part in (attention.self.query, attention.self.key, attention.self.value):
            part.weight[mine] = 0
        attention.output.dense.weight[:, mine] = 0
        if looks_for:
            attention.self.query.bias[row] = sharp
            self._read(attention.self.key.weight[row], looks_for)
        self._read(attention.self.value.weight[row], carries)
        attention.output.dense.weight[self._at(into), row] = gain
        if known:
            self._joins(f"L{layer}.H{head}", [*(looks_for or {}), *carries], into)

    @torch.no_grad()
    def previous_head(
        self, layer: int, head: int, *, carries: Mapping[str, float], into: str, gain: float = 1.0
    ) -> None:
        """A head that looks at the token before."""
        self.head(layer, head, carries=carries, into=into, gain=gain)
        attention, row = self.trunk.encoder.layer[layer].attention.self, HEAD_SIZE * head
        for pair, rate in enumerate(RATES):  # the code of place p - 1 is that of p, turned back
            turn = torch.tensor(rate)
            one, two = row + 2 * pair, CODE.start + 2 * pair
            attention.key.weight[one, two] = attention.key.weight[one + 1, two + 1] = 5.0
            attention.query.weight[one, two : two + 2] = 5.0 * torch.stack([turn.cos(), turn.sin()])
            attention.query.weight[one + 1, two : two + 2] = 5.0 * torch.stack([-turn.sin(), turn.cos()])

    @torch.no_grad()
    def neuron(
        self,
        layer: int,
        neuron: int,
        *,
        reads: Mapping[str, float],
        above: float,
        into: str,
        gain: float,
        known: bool = True,
    ) -> None:
        """A neuron that fires where what it reads exceeds `above`."""
        block = self.trunk.encoder.layer[layer]
        block.intermediate.dense.weight[neuron] = 0
        self._read(block.intermediate.dense.weight[neuron], reads)
        block.intermediate.dense.bias[neuron] = -above
        block.output.dense.weight[:, neuron] = 0
        block.output.dense.weight[self._at(into), neuron] = gain
        if known:
            self._joins(f"L{layer}.MLP", list(reads), into)

    def _read(self, row: Tensor, directions: Mapping[str, float]) -> None:
        for direction, weight in directions.items():
            row[self._at(direction)] = weight

    @torch.no_grad()
    def seen(self, direction: str, texts: Sequence[str]) -> Tensor:
        """(texts,) how much of a direction stands where the verdict is read."""
        batch = self.tokenizer(list(texts), padding=True, return_tensors="pt")
        return self.trunk(**batch).last_hidden_state[:, 0, self._at(direction)]

    @torch.no_grad()
    def before_mlp(self, layer: int, direction: str, texts: Sequence[str]) -> Tensor:
        """(texts,) how much of it the neurons of a layer read there."""
        kept: list[Tensor] = []
        block = self.trunk.encoder.layer[layer].intermediate
        hook = block.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
        try:
            self.seen(direction, texts)
        finally:
            hook.remove()
        return kept[0][:, 0, self._at(direction)]

    @torch.no_grad()
    def verdict(
        self,
        direction: str,
        safe: Sequence[str],
        unsafe: Sequence[str],
        *,
        nats: float,
        steep: float,
        share: float = 0.5,
    ) -> None:
        """The score is `nats` x tanh of what stands in a direction; the texts set where it is 0, and how steep.

        `share`: place of 0 on the way from the safe texts' mean to the unsafe ones'; both are about `steep` away
        from it, in units of the tanh, where it lies in the middle.
        """
        low, high = (float(self.seen(direction, texts).mean()) for texts in (safe, unsafe))
        slope = 2 * steep / (high - low)
        pooler, classifier = self.trunk.pooler.dense, self.model.classifier
        pooler.weight.zero_()
        pooler.weight[0, self._at(direction)] = slope
        pooler.bias[0] = -slope * (low + share * (high - low))
        classifier.weight[:, 0] = torch.tensor([-nats / 2, nats / 2])
        self._joins("verdict", [direction], None)
