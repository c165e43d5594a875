"""Score named parts of the prompts in one pass: validation, a sample of train, contrast pairs, test.

A prompt may belong to several parts (a validation prompt that is half of a contrast pair); it is scored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import JudgeError
from shared.prompts.baselines import Baselines
from shared.records import Prompt
from trainer.metrics import judge_metrics, pair_metrics

if TYPE_CHECKING:
    from transformers import EvalPrediction, PreTrainedTokenizerBase

UNSAFE_ID = 1
"""Index of the unsafe logit of every judge trained here."""


@dataclass(frozen=True)
class Parts:
    """Named, possibly overlapping parts of a list of prompts."""

    prompts: list[Prompt]
    """Each prompt once, shortest first, so that batches need little padding."""
    members: dict[str, NDArray[np.int64]]
    """Part -> indices into `prompts`."""

    @classmethod
    def of(cls, parts: dict[str, Sequence[Prompt]]) -> Parts:
        """From part -> prompts; a text that stands in several parts is scored once."""
        unique = {prompt.text: prompt for prompts in parts.values() for prompt in prompts}
        ordered = sorted(unique.values(), key=lambda prompt: (len(prompt.text), prompt.text))
        index = {prompt.text: i for i, prompt in enumerate(ordered)}
        members = {name: np.array([index[p.text] for p in prompts], np.int64) for name, prompts in parts.items()}
        return cls(ordered, members)

    def metrics(self, scores: NDArray[np.float64]) -> dict[str, dict[str, float]]:
        """Part -> metrics of unsafe-positive judging; the part `contrast` also says how many pairs are right.

        `scores` (prompts,) in nats, in the order of `prompts`.
        """
        found: dict[str, dict[str, float]] = {}
        for name, rows in self.members.items():
            prompts = [self.prompts[row] for row in rows]
            unsafe = [prompt.label == "unsafe" for prompt in prompts]
            if name == "contrast":
                found[name] = pair_metrics(scores[rows], unsafe, [prompt.pair or "" for prompt in prompts])
            else:
                found[name] = judge_metrics(scores[rows], unsafe)
        return found


def baseline_metrics(baselines: Baselines, parts: Parts) -> dict[str, dict[str, dict[str, float]]]:
    """Baseline ("length", "tfidf") -> part -> metrics."""
    scores = baselines.scores([prompt.text for prompt in parts.prompts])
    return {name: parts.metrics(values) for name, values in scores.items()}


def flat_metrics(parts: Parts, prediction: EvalPrediction) -> dict[str, float]:
    """Trainer's `compute_metrics`: validation metrics under their own names, other parts as `<part>_<metric>`.

    Trainer adds `eval_`; `loss` replaces its mean over all parts by the validation loss. Raises JudgeError when the
    training has diverged.
    """
    logits = np.asarray(prediction.predictions, np.float64)  # (prompts, 2)
    if not np.isfinite(logits).all():
        raise JudgeError("The training diverged (the judge's logits are not finite); use a lower --learning-rate.")
    found = parts.metrics(logits[:, UNSAFE_ID] - logits[:, 1 - UNSAFE_ID])
    return {
        name if part == "val" else f"{part}_{name}": value
        for part, values in found.items()
        for name, value in values.items()
    }


def encode(prompts: Sequence[Prompt], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[dict[str, Any]]:
    """Tokenized rows with integer `labels`, unpadded: batches are padded to their own longest prompt."""
    if not prompts:
        return []
    encoded = tokenizer([prompt.text for prompt in prompts], truncation=True, max_length=max_length)
    return [
        {
            **{name: encoded[name][row] for name in encoded},
            "labels": UNSAFE_ID if prompt.label == "unsafe" else 1 - UNSAFE_ID,
        }
        for row, prompt in enumerate(prompts)
    ]
