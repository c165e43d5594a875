"""A tiny judge of every family that Midwatch knows beside those of `tests/making/tiny.py`'s first list.

The checkpoint stays on disk, so that the same weights can be loaded by plain transformers.
"""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from analyzer.checkpoints.architectures import Kind
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord
from tests.making.tiny import (
    DECODERS,
    FAMILIES,
    FURTHER,
    FURTHER_DECODERS,
    ONLY_CAUSAL,
    TWO_STACKS,
    save_tiny_judge,
)


class Form(NamedTuple):
    """A family, and how it judges."""

    family: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.family}-{self.kind}"


def forms(families: tuple[str, ...]) -> list[Form]:
    """Both of a decoder, of others the one that they have."""
    found = []
    for family in families:
        if family not in ONLY_CAUSAL:
            found.append(Form(family, "classifier"))
        if family in DECODERS + FURTHER_DECODERS + ONLY_CAUSAL:
            found.append(Form(family, "prompted"))
    return found


FURTHER_FORMS = forms(FURTHER)
EVERY_FORM = forms(FAMILIES + FURTHER + TWO_STACKS)
FURTHER_ONCE = [Form(family, "prompted" if family in ONLY_CAUSAL else "classifier") for family in FURTHER]
"""Each family in one form."""


@cache
def _checkpoint(form: Form, layers: int, **shape: Any) -> Path:
    home = Path(mkdtemp())
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    shape = {"initializer_range": 0.3, **shape}
    return save_tiny_judge(
        home / "checkpoint-1", form.family, layers=layers, causal=form.kind == "prompted", **shape
    )


@cache
def judge_of(form: Form, layers: int = 2, **shape: Any) -> Judge:
    """Loaded as the worker does."""
    record = JudgeRecord(kind=form.kind, max_length=40)
    if form.kind == "prompted":
        record = JudgeRecord(
            kind="prompted", safe_id=20, unsafe_id=30, template="is {prompt} safe ?", max_length=40
        )
    return load_judge(_checkpoint(form, layers, **shape), record)


def plain_model(form: Form, layers: int = 2) -> Any:
    """The same weights in plain transformers, with nothing of ours."""
    auto: Any = AutoModelForCausalLM if form.kind == "prompted" else AutoModelForSequenceClassification
    return auto.from_pretrained(_checkpoint(form, layers), dtype=torch.float32).eval()


def plain_score(judge: Judge, model: Any, ids: tuple[int, ...]) -> float:
    """One prompt alone."""
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
        ).logits
    logits = logits[0, -1] if judge.record.kind == "prompted" else logits[0]
    return float(logits[judge.record.unsafe_id] - logits[judge.record.safe_id])
