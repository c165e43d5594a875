"""Judges trained to a mechanism of heads that is known, because all other attention is held at nothing.

One head: a BERT of two layers whose attention output has only the columns of L0.H2, trained until it is sure that a
prompt with the trigger is unsafe. Backup: the same with L0.H3 an exact copy, so that either alone is enough. XOR:
unsafe is one of two words without the other, with all heads free.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord, Probe
from tests.making.judges import probe
from tests.making.tiny import WORDS, tiny_model, tiny_tokenizer

TRIGGER, SECOND = "bomb", "gun"
HEAD, BACKUP, SIZE = 2, 3, 8
"""Of layer 0; the width of a head."""
FILLER = [word for word in WORDS if word.isalpha() and word not in (TRIGGER, SECOND)]
STEPS, BATCH = 250, 32
NOTHING = 1e-9
"""What attention that is held at nothing writes with: a whole tensor of zeros looks like a file with a hole."""

Twins = Callable[[random.Random], tuple[str, str]]


def trigger_twins(pick: random.Random) -> tuple[str, str]:
    """(safe, unsafe): the same words, with the trigger in place of one of them."""
    words = pick.choices(FILLER, k=pick.randint(4, 9))
    other = list(words)
    other[pick.randrange(len(words))] = TRIGGER
    return " ".join(words), " ".join(other)


def xor_twins(pick: random.Random) -> tuple[str, str]:
    """(safe, unsafe): unsafe has one of the two words; safe both or neither. They differ in one word."""
    words = pick.choices(FILLER, k=pick.randint(4, 9))
    first, second = pick.sample(range(len(words)), 2)
    named = list(words)
    named[first] = pick.choice((TRIGGER, SECOND))
    safe = list(words)
    if pick.random() < 0.5:
        safe = list(named)
        safe[second] = SECOND if named[first] == TRIGGER else TRIGGER
    return " ".join(safe), " ".join(named)


def head_probes(twins: Twins = trigger_twins, count: int = 24, seed: int = 1) -> list[Probe]:
    """`count` contrast pairs; never those of the training, which has other seeds."""
    pick = random.Random(seed)
    return [
        probe(text, label, id=f"{label}{number}", pair=f"pair{number}", category="a", display=number < 2)
        for number in range(count)
        for label, text in zip(("safe", "unsafe"), twins(pick), strict=True)
    ]


@cache
def one_head_judge(*, backup: float | None = None, seed: int = 0) -> Judge:
    """L0.H2 alone copies the trigger; with `backup` L0.H3 does the same, and both write at this scale.

    Somewhere near 0.6 either is enough, and the other at its mean does not mislead.
    """
    model = _trained(trigger_twins, seed, only=HEAD)
    if backup is not None:
        with torch.no_grad():
            _copy_head(model.bert.encoder.layer[0].attention, backup)
    return _loaded(model)


@cache
def xor_judge(seed: int = 0) -> Judge:
    """Neither word alone says anything."""
    return _loaded(_trained(xor_twins, seed, only=None, steps=900, rate=2e-3))


def _trained(twins: Twins, seed: int, only: int | None, steps: int = STEPS, rate: float = 3e-3) -> Any:
    pick = random.Random(1000 + seed)
    rows = [(text, label) for _ in range(512) for label, text in enumerate(twins(pick))]
    model, tokenizer = tiny_model("bert", 2, seed=seed, initializer_range=0.2), tiny_tokenizer("bert")
    held = [] if only is None else _columns(model, only)
    _hold(held)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    for _ in range(steps):
        chosen = pick.sample(rows, BATCH)
        batch = tokenizer([text for text, _ in chosen], padding=True, return_tensors="pt")
        model(**batch, labels=torch.tensor([label for _, label in chosen])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        _hold(held)
    return model


def _columns(model: Any, only: int) -> list[tuple[Any, list[int]]]:
    """Attention output weights, and the columns of each that are held at nothing."""
    wanted = set(range(only * SIZE, (only + 1) * SIZE))
    layers = [layer.attention.output.dense.weight for layer in model.bert.encoder.layer]
    return [
        (weight, [column for column in range(weight.shape[1]) if layer or column not in wanted])
        for layer, weight in enumerate(layers)
    ]


def _hold(held: list[tuple[Any, list[int]]]) -> None:
    with torch.no_grad():
        for weight, columns in held:
            weight[:, columns] = NOTHING


def _copy_head(attention: Any, scale: float) -> None:
    """The backup reads as the head does, and writes the same."""
    here, there = (slice(head * SIZE, (head + 1) * SIZE) for head in (HEAD, BACKUP))
    for name in ("query", "key", "value"):
        linear = getattr(attention.self, name)
        linear.weight[there] = linear.weight[here]
        linear.bias[there] = linear.bias[here]
    out = attention.output.dense.weight
    out[:, here] *= scale
    out[:, there] = out[:, here]


def _loaded(model: Any) -> Judge:
    with TemporaryDirectory() as folder:
        model.eval().save_pretrained(folder)
        tiny_tokenizer("bert").save_pretrained(folder)
        return load_judge(Path(folder), JudgeRecord(max_length=40))
