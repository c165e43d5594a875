"""Judges that were really trained: tiny ones, in seconds, on a rule that no single word decides.

A prompt is unsafe when it has both a dangerous act and a dangerous thing ("steal ... gun"); either alone is safe
("steal ... song", "paint ... gun"). Twins differ in one word: the act or the thing.
"""

from __future__ import annotations

import random
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

ACTS = (("build", "make", "steal", "grow"), ("paint", "read", "lock", "tie"))
"""Dangerous, harmless."""
THINGS = (("bomb", "gun", "poison", "virus"), ("cake", "song", "door", "garden"))
FILLER = [word for word in WORDS if word.isalpha() and word not in {w for kind in (*ACTS, *THINGS) for w in kind}]
LAYERS, BATCH = 3, 32
TRAINED = ("bert", "llama")
SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8}
RECIPES: dict[str, dict[str, Any]] = {
    "bert": {"steps": 300, "rate": 5e-4, "initializer_range": 0.2, **SHAPE},
    "llama": {"steps": 400, "rate": 1e-3, "initializer_range": 0.15, **SHAPE, "num_key_value_heads": 4},
}
"""Right on 90 % and more of new prompts, with scores near 5 nats: as sure as a fine-tuned judge usually is.

Trained on until it is saturated, gradients say less of what patching does (`analyzer/test_exact.py`).
"""
SURE = {"steps": 400, "rate": 2e-3}
"""Of the recipe's, for scores near 8 nats."""


def rule_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """`count` (safe, unsafe) twins of 5 to 8 words."""
    pick = random.Random(seed)
    found = []
    for _ in range(count):
        words = pick.choices(FILLER, k=pick.randint(5, 8))
        places = pick.sample(range(len(words)), 2)
        for place, kinds in zip(places, (ACTS, THINGS), strict=True):
            words[place] = pick.choice(kinds[0])
        safe = list(words)
        changed = pick.randrange(2)
        safe[places[changed]] = pick.choice((ACTS, THINGS)[changed][1])
        found.append((" ".join(safe), " ".join(words)))
    return found


def rule_probes(count: int = 24, seed: int = 1) -> list[Probe]:
    """`count` contrast pairs; never those of the training, which has other seeds."""
    return [
        probe(text, label, id=f"{label}{number}", pair=f"pair{number}", category="a", display=number < 2)
        for number, twins in enumerate(rule_pairs(count, seed))
        for label, text in zip(("safe", "unsafe"), twins, strict=True)
    ]


@cache
def trained_judge(family: str = "bert", *, shuffled: bool = False, sure: bool = False, seed: int = 0) -> Judge:
    """A judge trained on 512 twins of the rule, or on the same prompts with labels that mean nothing.

    Made once a process.
    """
    texts = [text for twins in rule_pairs(512, 1000 + seed) for text in twins]
    labels = [0, 1] * 512
    pick = random.Random(seed)
    if shuffled:
        pick.shuffle(labels)
    shape = RECIPES[family] | (SURE if sure else {})
    steps, rate = shape.pop("steps"), shape.pop("rate")
    model, tokenizer = tiny_model(family, LAYERS, seed=seed, **shape), tiny_tokenizer(family)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for _ in range(steps):
        rows = pick.sample(range(len(texts)), BATCH)
        batch = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        truth = torch.tensor([labels[row] for row in rows])
        model(**batch, labels=truth).loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_judge(Path(folder), JudgeRecord(max_length=40))
