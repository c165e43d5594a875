"""Integrated gradients, gradient x input and random rankings put to the same test of faithfulness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.attribution.faithfulness import faithfulness, rank
from analyzer.attribution.integrated_gradients import neutral_embedding
from analyzer.attribution.word_statistics import Attributed
from analyzer.statistics.intervals import Clusters
from shared.findings.tokens import Faithfulness
from shared.records import Probe

if TYPE_CHECKING:
    from analyzer.session.context import Context

METHODS = ("integrated_gradients", "gradient_x_input", "random")


def method_tests(
    context: Context, attributed: Sequence[Attributed], random_rankings: int, bootstraps: int
) -> list[Faithfulness]:
    """Each method over the prompts that have content tokens; empty when none has."""
    usable = [one for one in attributed if one.path.encoded.content]
    if not usable:
        return []
    rankings, methods = [], []
    for place, one in enumerate(usable):
        random = np.random.default_rng([context.seed, int.from_bytes(one.probe.id.encode()[:8].ljust(8)), 7])
        scored = [
            ("integrated_gradients", one.attribution.values),
            ("gradient_x_input", one.attribution.gradient_x_input),
            *[("random", random.random(len(one.path.encoded.ids))) for _ in range(random_rankings)],
        ]
        for method, values in scored:
            rankings.append(rank(one.path.encoded, values, one.score, place))
            methods.append(method)
    comprehensiveness, sufficiency = faithfulness(
        context.judge,
        [one.path.encoded for one in usable],
        np.array([one.score for one in usable]),
        neutral_embedding(context.judge)[0],
        rankings,
        context.batch_tokens,
        context.progress,
    )
    clusters = Clusters(_units([one.probe for one in usable]), bootstraps, context.seed)
    found = []
    for method in METHODS:
        rows = [i for i, name in enumerate(methods) if name == method]
        shape = (len(usable), -1)  # a random ranking is the mean of several
        found.append(
            Faithfulness(
                method=method,
                comprehensiveness=clusters.mean(comprehensiveness[rows].reshape(shape).mean(1)),
                sufficiency=clusters.mean(sufficiency[rows].reshape(shape).mean(1)),
            )
        )
    return found


def _units(probes: Sequence[Probe]) -> list[str]:
    """What a bootstrap draws: a contrast pair as a whole, else the prompt."""
    return [probe.pair if probe.pair is not None else f"id {probe.id}" for probe in probes]
