"""Tiny judges with heads of any size, as init describes them, and what plain transformers says of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.checkpoints.head_config import head_config
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.judge_labels import Word, read_classifier
from shared.records import JudgeRecord
from tests.making.edited import edit_config
from tests.making.tiny import save_tiny_judge

HEADS: dict[str, tuple[dict[str, Any], Word]] = {
    "two": ({"id2label": {"0": "unsafe", "1": "safe"}}, Word()),
    "three": ({"id2label": {"0": "normal", "1": "hate", "2": "offensive"}}, Word()),
    "five": ({"id2label": {str(i): f"c{i}" for i in range(5)}}, Word(unsafe="c1,4", threshold=0.75)),
    "left-out": ({"id2label": {"0": "safe", "1": "odd", "2": "unsafe"}}, Word(safe="safe", unsafe="unsafe")),
    "labels": (
        {
            "id2label": {"0": "toxic", "1": "insult", "2": "safe", "3": "threat"},
            "problem_type": "multi_label_classification",
        },
        Word(),
    ),
    "reward": ({"id2label": {"0": "LABEL_0"}}, Word(threshold=-0.5)),
    "number": ({"id2label": {"0": "LABEL_0"}, "problem_type": "regression"}, Word()),
}
"""Name -> what the config says of the classes, and what the user says."""


def save_head(path: Path, name: str, family: str = "bert", **extra: Any) -> Path:
    """A checkpoint with this head."""
    config = HEADS[name][0]
    save_tiny_judge(path, family, labels=len(config["id2label"]), initializer_range=0.3, **extra)
    edit_config(path, **config)
    return path


def record_of(checkpoint: Path, word: Word = Word(), max_length: int = 40) -> JudgeRecord:  # noqa: B008 (frozen)
    """As init describes it."""
    return read_classifier(head_config(checkpoint), word, max_length).record


@cache
def head_judge(name: str, family: str = "bert") -> tuple[Judge, Path]:
    """The judge, and its directory, which stays; made once a process."""
    KEPT.append(TemporaryDirectory())
    path = save_head(Path(KEPT[-1].name) / "checkpoint-1", name, family)
    return load_judge(path, record_of(path, HEADS[name][1])), path


KEPT: list[TemporaryDirectory[str]] = []


def plain_logits(checkpoint: Path, texts: list[str]) -> np.ndarray:
    """(n, classes) of plain transformers, one prompt at a time, float64."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    with torch.no_grad():
        rows = [model(**tokenizer([text], return_tensors="pt")).logits[0] for text in texts]
    return torch.stack(rows).double().numpy()


def by_hand(name: str, logits: np.ndarray) -> np.ndarray:
    """(n,) scores from probabilities: under a softmax the odds of unsafe, of labels the odds of each added up."""
    odds = np.exp(logits)
    if name == "two":
        return np.log(odds[:, 0] / odds[:, 1])
    if name == "three":
        shares = odds / odds.sum(1, keepdims=True)
        return np.log((shares[:, 1] + shares[:, 2]) / shares[:, 0])
    if name == "five":
        shares = odds / odds.sum(1, keepdims=True)
        unsafe = shares[:, 1] + shares[:, 4]
        return np.log(unsafe / (1 - unsafe)) - 0.75
    if name == "left-out":
        return logits[:, 2] - logits[:, 0]
    if name == "labels":
        chances = 1 / (1 + np.exp(-logits))  # a sigmoid each
        each = chances / (1 - chances)
        return np.log(each[:, 0] + each[:, 1] + each[:, 3])
    return -logits[:, 0] - 0.5 if name == "reward" else logits[:, 0]
