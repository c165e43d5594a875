"""Where a prompted judge's verdict is read: how much probability its answers hold there, and what else does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.model.answer_mass import TOP, TopAnswer, read_answers
from shared.records import Label

if TYPE_CHECKING:
    from analyzer.session.context import Context

LITTLE = 0.5
"""Mean answer mass, of all prompts or of a class, below which most of the probability lies elsewhere."""


@dataclass(frozen=True)
class ProbeAnswers:
    """Of the probe set."""

    mass: np.ndarray
    """(n,) probability that the tokens of both sides hold together, 0 to 1."""
    top: dict[Label, list[TopAnswer]]
    """By true label, where there are prompts of it: the most probable tokens, as a mean over its prompts."""
    counts: dict[Label, int]
    """Prompts of each label."""

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
    """From one pass over the probe set for the whole job, of a prompted judge only; None for others."""
    if context.judge.record.kind != "prompted" or not context.probes:
        return None
    if "probe_answers" not in context.kept:
        context.kept["probe_answers"] = _read(context)
    return context.kept["probe_answers"]


def _read(context: Context) -> ProbeAnswers:
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    mass, top, counts = np.zeros(len(unsafe)), {}, {}
    sides: tuple[tuple[Label, np.ndarray], ...] = (("safe", ~unsafe), ("unsafe", unsafe))
    for label, chosen in sides:
        rows = np.flatnonzero(chosen)
        if len(rows):
            found = read_answers(context.judge, [context.encoded[row] for row in rows], context.batch_tokens)
            mass[rows], top[label], counts[label] = found.mass, found.top, len(rows)
    return ProbeAnswers(mass, top, counts)
