"""Judges of the planted kind whose weights were found by training, to a loss near 0, in a second or two each.

Less clean than what is written by hand (`plants.py`): the words stay entangled, and the norms saturate as they do
in real judges, so that plain gradients vanish.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.making.by_weights import HEAD_SIZE, LAYERS
from tests.making.plant_prompts import (
    Twins,
    as_probes,
    either_twins,
    length_twins,
    plant_tokenizer,
    trigger_twins,
)
from tests.making.plants import BACKUP, HEAD, Plant
from tests.making.tiny import tiny_model

PAIRS, BATCH = 400, 64
TRACE = 1e-4
"""What is left of the muted heads' weights."""
SCALE = 4.0
"""By how much a backed up head and its backup write more: enough that one of them does."""


def _columns(head: int) -> slice:
    return slice(HEAD_SIZE * head, HEAD_SIZE * (head + 1))


@torch.no_grad()
def _mute(model: PreTrainedModel, first: list[Tensor]) -> None:
    """All attention output columns but L0.H2's stay a trace of what they were at `first`."""
    for layer, (block, weight) in enumerate(zip(model.bert.encoder.layer, first, strict=True)):
        kept = block.attention.output.dense.weight[:, _columns(HEAD[1])].clone()
        block.attention.output.dense.weight.copy_(TRACE * weight)
        if layer == HEAD[0]:
            block.attention.output.dense.weight[:, _columns(HEAD[1])] = kept


def _trained(twins: Callable[..., Twins], seed: int, steps: int, *, one_head: bool = False) -> PreTrainedModel:
    """On its own pairs of a rule; with `one_head` only L0.H2 may carry anything from token to token."""
    pick, tokenizer = random.Random(seed), plant_tokenizer()
    model = tiny_model("bert", LAYERS, seed=seed, vocab_size=len(tokenizer), initializer_range=0.1)
    first = [block.attention.output.dense.weight.detach().clone() for block in model.bert.encoder.layer]
    texts = [text for pair in twins(7000 + seed, PAIRS) for text in pair]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps)
    for _ in range(steps):
        rows = pick.sample(range(len(texts)), BATCH)
        batch = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        model(**batch, labels=torch.tensor([row % 2 for row in rows])).loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if one_head:
            _mute(model, first)
    return model


@cache
def trained_trigger(seed: int) -> Plant:
    """Unsafe: with zeta, by head L0.H2 alone."""
    model = _trained(trigger_twins, seed, 120, one_head=True)
    return Plant([model], plant_tokenizer(), as_probes(trigger_twins(seed)), heads=(HEAD,))


def trained_backup(seed: int) -> Plant:
    """The same with L0.H3 an exact copy of L0.H2, both written larger."""
    model = copy.deepcopy(trained_trigger(seed).models[0])
    attention = model.bert.encoder.layer[HEAD[0]].attention
    mine, copied = _columns(HEAD[1]), _columns(BACKUP[1])
    with torch.no_grad():
        for part in (attention.self.query, attention.self.key, attention.self.value):
            part.weight[copied] = part.weight[mine]
            part.bias[copied] = part.bias[mine]
        attention.output.dense.weight[:, mine] *= SCALE
        attention.output.dense.weight[:, copied] = attention.output.dense.weight[:, mine]
    return Plant([model], plant_tokenizer(), as_probes(trigger_twins(seed)), heads=(HEAD, BACKUP))


def trained_either(seed: int) -> Plant:
    """Unsafe: alpha or beta, not both."""
    model = _trained(either_twins, seed, 250)
    return Plant([model], plant_tokenizer(), as_probes(either_twins(seed)))


def trained_length(seed: int) -> Plant:
    """Unsafe: 12 words and more."""
    model = _trained(length_twins, seed, 120)
    return Plant([model], plant_tokenizer(), as_probes(length_twins(seed)))


TRAINED_PLANTS: dict[str, Callable[[int], Plant]] = {
    maker.__name__: maker for maker in (trained_trigger, trained_backup, trained_either, trained_length)
}
