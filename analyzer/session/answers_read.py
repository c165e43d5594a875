"""Where a prompted judge's verdict is read: how much probability its answers hold there, and what else does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from analyzer.model.answer_mass import TOP, TopAnswer, read_answers
from analyzer.model.whole_answers import categories_named, has_several_tokens, whole_answer_scores
from shared.errors import CannotCompute
from shared.records import Label

if TYPE_CHECKING:
    from analyzer.session.context import Context

SOME = 32
"""Prompts of each label of which whole answers and categories are read: each takes passes of its own."""


@dataclass(frozen=True)
class ProbeAnswers:
    """Of the probe set."""

    mass: np.ndarray
    """(n,) probability that the tokens of both sides hold together, 0 to 1."""
    top: dict[Label, list[TopAnswer]]
    """By true label, where there are prompts of it: the most probable tokens, as a mean over its prompts."""
    counts: dict[Label, int]
    """Prompts of each label."""
    agreeing: tuple[int, int] | None
    """Of some prompts, how many get the same verdict from whole answers as from the token that is read, and of how
    many; None where every answer is one token."""
    categories: dict[str, dict[Label, float]]
    """Of a judge with a taxonomy: category -> by true label the mean probability of its code among all codes."""

    @property
    def top_of_all(self) -> list[TopAnswer]:
        """The same over all prompts; a token outside the lists of one class counts as 0 there."""
        total, held, known = sum(self.counts.values()), defaultdict(float), {}
        for label, answers in self.top.items():
            for answer in answers:
                known[answer.token] = answer
                held[answer.token] += answer.probability * self.counts[label] / total
        answers = [known[token]._replace(probability=share) for token, share in held.items()]
        return sorted(answers, key=lambda answer: -answer.probability)[:TOP]


def probe_answers(context: Context) -> ProbeAnswers | None:
    """Read once for the whole job, of a prompted judge only; None for others. One pass over the probe set, and some
    prompts more where answers are of several tokens or there are categories."""
    if context.judge.record.kind != "prompted" or not context.probes:
        return None
    if "probe_answers" not in context.kept:
        context.kept["probe_answers"] = _possible(lambda: _read(context))
    return context.kept["probe_answers"]


Value = TypeVar("Value")


def _possible(read: Callable[[], Value]) -> Value | None:
    """What `read` gives; None where the judge lacks what it needs, which is no reason to publish nothing else."""
    try:
        return read()
    except CannotCompute:
        return None


def _read(context: Context) -> ProbeAnswers:
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    mass, top, counts = np.zeros(len(unsafe)), {}, {}
    sides: tuple[tuple[Label, np.ndarray], ...] = (("safe", ~unsafe), ("unsafe", unsafe))
    for label, chosen in sides:
        rows = np.flatnonzero(chosen)
        if len(rows):
            found = read_answers(context.judge, [context.encoded[row] for row in rows], context.batch_tokens)
            mass[rows], top[label], counts[label] = found.mass, found.top, len(rows)
    spread: dict[Label, np.ndarray] = {label: _spread(np.flatnonzero(chosen)) for label, chosen in sides}
    return ProbeAnswers(mass, top, counts, _agreeing(context, spread), _categories(context, spread))


def _spread(rows: np.ndarray) -> np.ndarray:
    """At most `SOME` of the rows, evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(SOME, len(rows))).round().astype(int))]


def _agreeing(context: Context, spread: dict[Label, np.ndarray]) -> tuple[int, int] | None:
    """Verdicts by whole answers beside those by the token that is read, on some prompts of each label."""
    judge = context.judge
    if len(set(judge.record.answers.values())) < 2 or not has_several_tokens(judge):
        return None
    rows = np.concatenate([*spread.values()])
    prompts = [context.encoded[row] for row in rows]
    whole = _possible(lambda: whole_answer_scores(judge, prompts, context.batch_tokens))
    if whole is None:
        return None
    return int(((whole > 0) == (context.forward.scores[rows] > 0)).sum()), len(rows)


def _categories(context: Context, spread: dict[Label, np.ndarray]) -> dict[str, dict[Label, float]]:
    """What the judge's category would be, if it named one, on some prompts of each label."""
    found: dict[str, dict[Label, float]] = {}
    for label, rows in spread.items() if context.judge.record.categories else ():
        if len(rows):
            prompts = [context.encoded[row] for row in rows]
            named = _possible(lambda those=prompts: categories_named(context.judge, those, context.batch_tokens))
            for name, share in zip(named.names, named.shares.mean(0), strict=True) if named else ():
                found.setdefault(name, {})[label] = float(share)
    return found
