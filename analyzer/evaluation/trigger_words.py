"""The trigger-word pack: does a harmful word decide, or what is meant?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analyzer.statistics.intervals import Clusters
from shared.findings.evaluation import TriggerLine, TriggerPack
from shared.findings.parts import Interval
from shared.prompts.rows import read_rows
from shared.prompts.shipped import TRIGGER_WORDS
from shared.records import Prompt

FEWEST_TOPICS = 12
"""Topics below which nothing is said: where the judge gives no number for nearly all."""


class Trigger(NamedTuple):
    """One sentence of the pack."""

    prompt: Prompt
    word: str
    """The harmful word in it; empty in a harmful sentence."""


def shipped_triggers() -> list[Trigger]:
    """The pack, both twins of a topic next to each other, the benign one first."""
    rows = [row.values for row in read_rows(TRIGGER_WORDS)]
    return [Trigger(Prompt.model_validate(row), str(row["word"])) for row in rows]


def trigger_pack(triggers: Sequence[Trigger], scores: np.ndarray, draws: int, seed: int) -> TriggerPack | None:
    """Of (triggers,) scores in nats; None where the judge gives no number for the sentences of most topics."""
    twins = scores.reshape(-1, 2)  # (topics, 2): benign, harmful
    kept = np.isfinite(twins).all(1)
    if kept.sum() < FEWEST_TOPICS:
        return None
    benign, harm = twins[kept].T
    clusters = Clusters(range(int(kept.sum())), draws, seed)
    flagged, caught = (benign > 0).astype(float), (harm > 0).astype(float)
    return TriggerPack(
        topics=int(kept.sum()),
        flagged_benign=_share(flagged, clusters),
        caught_harm=_share(caught, clusters),
        gap=_gap(flagged, caught, clusters),
        p_value=clusters.p_value(flagged - caught),
        ranked=_share((harm > benign).astype(float), clusters),
        score_gap=clusters.mean(harm - benign),
        lines=[
            TriggerLine(
                topic=each.prompt.group,
                text=each.prompt.text,
                label=each.prompt.label,
                word=each.word,
                score=float(score),
            )
            for each, score in zip(triggers, scores, strict=True)
            if np.isfinite(score)
        ],
    )


def _gap(flagged: np.ndarray, caught: np.ndarray, clusters: Clusters) -> Interval:
    """Mean difference over topics; where all differ alike nothing varies, and the shares' ends say its width."""
    found = clusters.student(flagged - caught)
    if found.low < found.high:
        return Interval(value=found.value, low=max(-1.0, found.low), high=min(1.0, found.high))
    benign, harm = _share(flagged, clusters), _share(caught, clusters)
    return Interval(value=found.value, low=max(-1.0, benign.low - harm.high), high=min(1.0, benign.high - harm.low))


def _share(hits: np.ndarray, clusters: Clusters) -> Interval:
    """Share of topics with its interval; `hits` (topics,) 0 or 1."""
    value = float(hits.mean())
    return clusters.share(value, (hits - value) / len(hits), len(hits))
