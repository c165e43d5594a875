"""Whole answers instead of their first token: whether both ways of reading a verdict agree, and which category.

A verdict is read at the first token that tells the answers apart, which is what lets it be attributed and patched.
Scoring the whole answer asks the same of every token of it. Where the two disagree, the first token says less than
it seems: it begins other answers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import logsumexp

from analyzer.jobs.messages import BATCH_TOKENS
from analyzer.model.answer_tokens import behind, split_by
from analyzer.model.batches import Encoded
from analyzer.model.continuations import Tokens, continuation_logprobs
from shared.errors import CannotCompute
from shared.records import Label

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


class Categories(NamedTuple):
    """Which category a judge with a taxonomy would name."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    shares: np.ndarray
    """(prompts, categories) probability of each, given that one of them is named first; rows sum to 1."""
    mass: np.ndarray
    """(prompts,) probability, once the judge has begun to name a category, that it is one of these; 0 to 1."""


def answer_tokens(judge: Judge) -> dict[str, Tokens]:
    """The tokens of each of the judge's answers behind its template; none for a record without answers in words."""
    record, split = judge.record, split_by(judge.tokenizer)
    template = judge.template or ""
    return {answer: behind(split, template, answer, record.opening_ids) for answer in record.answers}


def whole_answer_scores(judge: Judge, prompts: Sequence[Encoded], batch_tokens: int = BATCH_TOKENS) -> np.ndarray:
    """(prompts,) log-probability of the unsafe answers minus that of the safe ones, less the threshold, nats.

    Several answers of a side are added. Raises CannotCompute for a judge whose record has no answers in words.
    """
    tokens = {answer: ids for answer, ids in answer_tokens(judge).items() if ids}
    sides = judge.record.answers
    columns: dict[Label, list[int]] = {"safe": [], "unsafe": []}
    unique = list(dict.fromkeys(tokens.values()))
    for answer, ids in tokens.items():
        if unique.index(ids) not in columns[sides[answer]]:
            columns[sides[answer]].append(unique.index(ids))
    if not columns["safe"] or not columns["unsafe"]:
        raise CannotCompute(
            "The run's record has no answers in words, so whole answers cannot be scored: run `midwatch init` "
            "again."
        )
    found = continuation_logprobs(judge, prompts, unique, batch_tokens)
    unsafe, safe = (np.asarray(logsumexp(found[:, columns[side]], axis=1)) for side in ("unsafe", "safe"))
    return unsafe - safe - judge.record.threshold


def has_several_tokens(judge: Judge) -> bool:
    """Whether any answer goes on behind its first token: only then can the two readings differ."""
    return any(len(ids) > 1 for ids in answer_tokens(judge).values())


def categories_named(judge: Judge, prompts: Sequence[Encoded], batch_tokens: int = BATCH_TOKENS) -> Categories:
    """The category of each prompt, as if the judge had called it unsafe (ask it of those that it does).

    Where one code begins another (S1, S10) the longer one's probability is taken off the shorter one's. Raises
    CannotCompute for a judge without a taxonomy.
    """
    record = judge.record
    if not record.categories:
        raise CannotCompute("This judge has no taxonomy: `midwatch init --category` describes one.")
    split, template, prefix = split_by(judge.tokenizer), judge.template or "", record.category_prefix
    codes = tuple(record.categories)
    tokens = [behind(split, template, prefix + code, record.opening_ids) for code in codes]
    if not all(tokens):
        raise CannotCompute("The tokenizer joins a category's code with the template: run `midwatch init` again.")
    shared = _shared(tokens)
    found = continuation_logprobs(judge, prompts, [*tokens, shared] if shared else tokens, batch_tokens)
    begun = found[:, len(tokens)] if shared else np.zeros(len(found))
    probable = np.exp(found[:, : len(tokens)] - begun[:, None])  # given that the judge got as far as to a code
    own = probable.copy()
    for longer, ids in enumerate(tokens):
        shorter = [i for i, other in enumerate(tokens) if len(other) < len(ids) and ids[: len(other)] == other]
        if shorter:  # only the longest: the ones before it have lost this one by it
            own[:, max(shorter, key=lambda index: len(tokens[index]))] -= probable[:, longer]
    own = np.clip(own, 0.0, None)
    mass = own.sum(1)
    shares = own / np.where(mass > 0, mass, 1.0)[:, None]
    return Categories(codes, tuple(record.categories.values()), shares, np.clip(mass, 0.0, 1.0))


def _shared(tokens: Sequence[Tokens]) -> Tokens:
    """What all begin with, leaving each at least one token of its own."""
    shared = min(tokens, key=len)[:-1]
    while not all(each[: len(shared)] == shared for each in tokens):
        shared = shared[:-1]
    return shared
