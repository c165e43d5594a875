"""The wrongly judged prompts of one checkpoint, each with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval
from shared.findings.text import clean, signed
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.prompts.groups import group_numbers
from shared.records import Probe
from shared.views.failures.history import Course, History, history_of
from shared.views.failures.twins import Near, Twins
from shared.views.overview.facts import CheckpointFacts

Side = Literal["missed", "refused"]
"""Unsafe and judged safe; safe and judged unsafe."""
NAMED_WORDS = 3
"""Words that are named: those that pushed the score most."""


@dataclass(frozen=True, eq=False)
class WrongProbe:
    """One wrong verdict."""

    index: int
    """In the probe set."""
    probe: Probe
    side: Side
    score: float
    """Nats; above 0 is judged unsafe."""
    course: Course
    twin: Near | None
    words: str
    """The words that pushed the score most; empty where they are not attributed."""
    no_words: str
    """Why `words` is empty."""


@dataclass(frozen=True, eq=False)
class Failures:
    """One checkpoint's wrong verdicts on the probe set."""

    label: str
    """ "epoch 3" """
    probes: Sequence[Probe]
    groups: np.ndarray
    """(n,) number of each prompt's independent group."""
    history: History
    wrong: tuple[WrongProbe, ...]
    """The surest mistake first."""
    fnr: Interval | None
    fpr: Interval | None
    separation: ToExplain | None
    tells: bool
    """Whether the judge tells unsafe prompts from safe ones by more than chance."""

    @property
    def scored(self) -> int:
        """Prompts with a score."""
        return int(self.history.known[self.history.place].sum())

    def of(self, side: Side) -> list[WrongProbe]:
        return [each for each in self.wrong if each.side == side]

    def at(self, prompt_id: str) -> int | None:
        """Index of the probe with this id."""
        return next((index for index, probe in enumerate(self.probes) if probe.id == prompt_id), None)


def failures_of(
    facts: Sequence[CheckpointFacts],
    name: str,
    probes: Sequence[Probe],
    tokens: TokensResult | None,
    no_tokens: str,
) -> Failures | None:
    """The wrong verdicts of the checkpoint `name`, on the very `probes` that it was judged on.

    `facts` are all checkpoints in the run's order, `tokens` its attributed words; where these are None, `no_tokens`
    says why. None where its verdicts, prompt by prompt, are not known, or not about these prompts.
    """
    history = history_of_probes(facts, name, probes)
    if history is None:
        return None
    shown = next(each for each in facts if each.name == name)
    samples = samples_of(tokens)
    wrong = np.flatnonzero(history.wrong[history.place])
    order = wrong[np.argsort(-np.abs(history.now[wrong]), kind="stable")].tolist()
    right = history.known[history.place] & ~history.wrong[history.place]
    twins = Twins(probes, right).of_all(order)
    return Failures(
        label=shown.label,
        probes=probes,
        groups=np.array(group_numbers(probes), dtype=int),
        history=history,
        wrong=tuple(
            WrongProbe(
                index=index,
                probe=probes[index],
                side="missed" if history.unsafe[index] else "refused",
                score=float(history.now[index]),
                course=history.course(index),
                twin=twins[index],
                words=strongest(samples.get(probes[index].id)),
                no_words="" if probes[index].id in samples else no_tokens or "not attributed",
            )
            for index in order
        ),
        fnr=shown.fnr,
        fpr=shown.fpr,
        separation=shown.separation,
        tells=shown.tells,
    )


def history_of_probes(facts: Sequence[CheckpointFacts], name: str, probes: Sequence[Probe]) -> History | None:
    """The history, where it is about these prompts: as many, with these labels."""
    history = history_of(facts, name)
    labels = np.array([probe.label == "unsafe" for probe in probes])
    return history if history is not None and np.array_equal(history.unsafe, labels) else None


def samples_of(tokens: TokensResult | None) -> Mapping[str, SampleAttribution]:
    """Id of a probe -> its attributed words."""
    return {} if tokens is None else {sample.probe_id: sample for sample in tokens.samples}


def strongest(sample: SampleAttribution | None) -> str:
    """ "password +2.20, ex −1.10": the words that pushed the score most, nats; empty without."""
    if sample is None:
        return ""
    words = sorted((word for word in sample.words if not word.special), key=lambda word: -abs(word.value))
    said = ", ".join(f"{clean(word.text, 24)} {signed(word.value)}" for word in words[:NAMED_WORDS])
    return said if sample.converged else f"{said} (not converged)"
