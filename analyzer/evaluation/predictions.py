"""The judge's verdict on each prompt, as rows of predictions.csv."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from shared.csv_text import Cell
from shared.prompts.load import Loaded
from shared.records import Prompt


def prediction_rows(loaded: Loaded, scores: np.ndarray) -> Iterator[dict[str, Cell]]:
    """One row a prompt, labelled ones first; `scores` (prompts,) in nats, in the same order.

    Where the judge gives no number there is no verdict, and its cells are empty.
    """
    for prompt, score in zip(loaded.labelled, scores, strict=False):
        row = _row(prompt, float(score))
        yield {**row, "label": prompt.label, "correct": row["predicted"] and row["predicted"] == prompt.label}
    for prompt, score in zip(loaded.unlabelled, scores[len(loaded.labelled) :], strict=True):
        yield _row(prompt, float(score))


def _row(prompt: Prompt, score: float) -> dict[str, Cell]:
    told = np.isfinite(score)
    return {
        "prompt": prompt.text,
        "response": prompt.response,
        "predicted": ("unsafe" if score > 0 else "safe") if told else None,
        "score": score if told else None,
        "probability": float(expit(score)) if told else None,
        "category": prompt.category,
        "language": prompt.language,
        "style": prompt.style,
        "source": prompt.source,
        "group": prompt.group,
        "pair": prompt.pair,
    }
