"""Judges about which nothing can be said: untrained ones, and ones trained on labels that mean nothing."""

from __future__ import annotations

import random
from functools import cache

import torch
from transformers import PreTrainedModel

from tests.making.by_weights import LAYERS
from tests.making.plant_prompts import Twins, as_probes, blind_twins, either_twins, plant_tokenizer
from tests.making.plants import Plant
from tests.making.tiny import tiny_model

SMALL, LARGE = 0.02, 0.3
"""Standard deviation of the weights: as models begin, where scores differ by 1e-6 nats; large, by nats."""
NULL_SEEDS = range(20)
STEPS, RATE, BATCH = 150, 2e-3, 32


def untrained_model(seed: int, spread: float) -> PreTrainedModel:
    return tiny_model("bert", LAYERS, seed=seed, vocab_size=len(plant_tokenizer()), initializer_range=spread)


def untrained(seed: int, spread: float) -> Plant:
    """With small weights beside prompts that a rule could tell apart; with large ones beside labels by lot.

    A judge with large weights does answer otherwise to alpha than to another word, untrained as it is, and it would
    be true to say so.
    """
    twins = either_twins(seed) if spread < 0.1 else blind_twins(1000 + seed)
    return _of(twins, untrained_model(seed, spread))


def identical(seed: int) -> Plant:
    """Two checkpoints of the same bytes, untrained."""
    model = untrained_model(seed, LARGE)
    return _of(blind_twins(2000 + seed), model, model)


@cache
def shuffled(seed: int) -> Plant:
    """Trained on labels drawn by lot until it knows them by heart; the probes are others, labelled as blindly.

    Made once a process.
    """
    model, tokenizer, pick = untrained_model(seed, 0.1), plant_tokenizer(), random.Random(seed)
    texts = [text for twins in blind_twins(3000 + seed, 64) for text in twins]
    labels = [pick.randrange(2) for _ in texts]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        rows = pick.sample(range(len(texts)), BATCH)
        batch = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        model(**batch, labels=torch.tensor([labels[row] for row in rows])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return _of(blind_twins(4000 + seed), model)


def _of(twins: Twins, *models: PreTrainedModel) -> Plant:
    return Plant(list(models), plant_tokenizer(), as_probes(twins))
