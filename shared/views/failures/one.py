"""All that the results hold of one probe prompt at one checkpoint, judged wrongly or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.text import clean
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.records import Probe
from shared.views.failures.history import Course
from shared.views.failures.readout import Readout, readout
from shared.views.failures.twins import Near, Twins
from shared.views.failures.wrong import Failures, samples_of


@dataclass(frozen=True, eq=False)
class OnePrompt:
    """One prompt."""

    index: int
    probe: Probe
    course: Course
    near: Near | None
    """Its twin, or the nearest rightly judged prompt of the other label."""
    sample: SampleAttribution | None
    """Its words; None where they are not attributed."""
    readout: Readout | None
    neurons: tuple[str, ...]
    """Neurons that carry weight at this checkpoint and are strongest on a word of this prompt."""
    heads: tuple[str, ...]
    """Heads that carry the verdict at this checkpoint over the probe set, whatever they do here."""


def one_prompt(
    found: Failures,
    index: int,
    lens: np.ndarray | None,
    tokens: TokensResult | None = None,
    neurons: NeuronsResult | None = None,
    heads: HeadsResult | None = None,
) -> OnePrompt:
    """What is known of the probe at `index`; `lens` (n, layers + 1) nats, None without."""
    probe, history = found.probes[index], found.history
    wrong = history.wrong[history.place]
    near = Twins(found.probes, history.known[history.place] & ~wrong).of(index)
    return OnePrompt(
        index=index,
        probe=probe,
        course=history.course(index),
        near=near,
        sample=samples_of(tokens).get(probe.id),
        readout=None if lens is None else readout(found, index, near.index if near else None, lens),
        neurons=_neurons(probe.id, neurons),
        heads=() if heads is None else tuple(row.name for row in heads.top if row.ablation.carries),
    )


def _neurons(probe_id: str, result: NeuronsResult | None) -> tuple[str, ...]:
    """ "L4.N1203 on “password” (+3.1)"."""
    if result is None:
        return ()
    return tuple(
        f"{row.name} on “{clean(token.token, 24)}” ({token.activation:+.2f})"
        for row in result.top
        for token in row.tokens
        if token.probe_id == probe_id
    )
