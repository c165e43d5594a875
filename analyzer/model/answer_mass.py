"""Whether a judge that answers in words answers with ours: how probable its answers are, and what else is.

A verdict is read from a few tokens at one place. Where the template ends one line too early, or the answers are
spelled another way, these tokens hold almost nothing there, and their difference is noise that looks like a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.jobs.messages import BATCH_TOKENS
from analyzer.model.batches import Encoded
from analyzer.model.next_tokens import next_tokens
from shared.records import Label

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

TOP = 8
"""Tokens that are named."""


class TopAnswer(NamedTuple):
    """One token that the judge would say where the verdict is read."""

    token: int
    text: str
    """As it stands in a text, line breaks and spaces too: "\\n\\n", " Yes"; a special token by its name."""
    probability: float
    """Its mean over the prompts, 0 to 1."""
    side: Label | None
    """The side it counts for; None where it counts for neither."""


class AnswersRead(NamedTuple):
    """What stands where the verdict is read."""

    mass: np.ndarray
    """(prompts,) probability that the tokens of both sides hold together, 0 to 1, float64."""
    top: list[TopAnswer]
    """The most probable tokens, the first the most."""


def read_answers(
    judge: Judge, prompts: Sequence[Encoded], batch_tokens: int = BATCH_TOKENS, count: int = TOP
) -> AnswersRead:
    """Both from one pass over `prompts`, which are in the judge's template.

    Raises CannotCompute for a judge that does not answer in words.
    """
    sides = {**dict.fromkeys(judge.record.safe, "safe"), **dict.fromkeys(judge.record.unsafe, "unsafe")}
    mass, mean = np.zeros(len(prompts)), np.zeros(0)
    for batch in next_tokens(judge, prompts, 1, batch_tokens):
        held = batch.logprobs[:, 0].double().exp()  # (prompts, vocabulary)
        mass[batch.rows] = held[:, list(sides)].sum(1).cpu().numpy()
        total = held.sum(0).cpu().numpy() / len(prompts)
        mean = total if not len(mean) else mean + total
    order = np.argsort(-mean, kind="stable")[:count]
    top = [TopAnswer(int(i), token_text(judge, int(i)), float(mean[i]), sides.get(int(i))) for i in order]  # type: ignore[arg-type]
    return AnswersRead(np.clip(mass, 0.0, 1.0), top)


def token_text(judge: Judge, token: int) -> str:
    """What a token adds to a text; a special one's name."""
    if token in judge.tokenizer.all_special_ids:
        return str(judge.tokenizer.convert_ids_to_tokens(token))
    named = judge.tokenizer.convert_ids_to_tokens(token)
    text = str(judge.tokenizer.decode([token]))
    # sentencepiece marks a word's space, and its decoder drops it at the beginning
    return f" {text}" if isinstance(named, str) and named.startswith("▁") and not text.startswith(" ") else text
