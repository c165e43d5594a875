"""The judge's verdict on each prompt, as rows of predictions.csv."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shared.csv_text import Cell
from shared.prompts.load import Loaded
from shared.records import Prompt
from shared.stated_probability import stated_probability


def prediction_rows(loaded: Loaded, scores: np.ndarray, shift: float | None) -> Iterator[dict[str, Cell]]:
    """One row a prompt, labelled ones first; `scores` (prompts,) in nats, in the same order.

    Where the judge gives no number there is no verdict, and its cells are empty; so is the probability of a judge
    that states none (`shift` is None, see `stated_probability`).
    """
    stated = stated_probability(scores, shift)
    judged = [(float(score), float(one)) for score, one in zip(scores, stated, strict=True)]
    for prompt, (score, probability) in zip(loaded.labelled, judged, strict=False):
        row = _row(prompt, score, probability)
        yield {**row, "label": prompt.label, "correct": row["predicted"] and row["predicted"] == prompt.label}
    for prompt, (score, probability) in zip(loaded.unlabelled, judged[len(loaded.labelled) :], strict=True):
        yield _row(prompt, score, probability)


def _row(prompt: Prompt, score: float, probability: float) -> dict[str, Cell]:
    told = np.isfinite(score)
    return {
        "prompt": prompt.text,
        "response": prompt.response,
        "predicted": ("unsafe" if score > 0 else "safe") if told else None,
        "score": score if told else None,
        "probability": probability if np.isfinite(probability) else None,
        "category": prompt.category,
        "language": prompt.language,
        "style": prompt.style,
        "source": prompt.source,
        "group": prompt.group,
        "pair": prompt.pair,
    }
