"""Loaded tiny judges and probe sets for the tests of the computations."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.session.context import Context
from shared.records import JudgeRecord, Label, Probe, RunRecord
from tests.making.tiny import WORDS, save_tiny_judge

_VOCABULARY = [word for word in WORDS if word.isalpha()]


@cache
def tiny_judge(family: str = "bert", layers: int = 2, seed: int = 0, **extra: object) -> Judge:
    """A loaded tiny judge; made once a process. Its head is scaled up so that verdicts differ between prompts."""
    extra = {"initializer_range": 0.3, **extra}
    with TemporaryDirectory() as folder:  # a loaded judge needs its files no more
        path = save_tiny_judge(Path(folder), family, layers=layers, seed=seed, **extra)
        return load_judge(path, JudgeRecord(max_length=40))


def probe(text: str, label: Label = "safe", **fields: object) -> Probe:
    """One probe whose id is its text."""
    return Probe(id=fields.pop("id", text[:60]), text=text, label=label, **fields)  # type: ignore[arg-type]


def random_probes(count: int = 24, pairs: int = 4, seed: int = 0) -> list[Probe]:
    """`count` of each class with random words of 3 to 16 tokens; the first `pairs` of each class are twins."""
    pick = random.Random(seed)
    safe, unsafe = [], []
    for index in range(count):
        words = pick.choices(_VOCABULARY, k=pick.randint(3, 16))
        other = [*words[:-1], "bomb"] if index < pairs else pick.choices(_VOCABULARY, k=pick.randint(3, 16))
        fields = {"pair": f"p{index}"} if index < pairs else {}
        category = ("weapons", "drugs", "fraud")[index % 3]
        safe.append(probe(" ".join(words), "safe", id=f"s{index}", category=category, **fields))
        unsafe.append(probe(" ".join(other), "unsafe", id=f"u{index}", category=category, **fields))
    shown = [p.model_copy(update={"display": True}) for p in [safe[-1], safe[0], unsafe[-1], unsafe[0]]]
    kept = {p.id for p in shown}
    return shown + [p for p in [*safe, *unsafe] if p.id not in kept]


def context(judge: Judge, probes: list[Probe], **fields: object) -> Context:
    """A context at step 10 of an empty run record."""
    return Context(judge=judge, probes=probes, step=10, **{"run": RunRecord(), **fields})  # type: ignore[arg-type]
