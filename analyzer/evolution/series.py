"""The watched numbers over the newest checkpoints, oldest first and this one last; None where one is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analyzer.evolution.drift import TENSORS, Tokens, correlations
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from shared.findings.cka import cka_by_point
from shared.records import Probe

Series = list[float | None]


@dataclass(frozen=True)
class Numbers:
    """What step alerts look at."""

    series: dict[str, Series]
    """The signals by name, and "learning_rate"."""
    errors: dict[str, float | None]
    """Standard error of the newest step over the same prompts, where there is one."""


def numbers_of(
    earlier: EarlierResults,
    gram: np.ndarray,
    tokens: Tokens | None,
    with_effect: Series,
    kept: float | None,
    probes: Sequence[Probe],
) -> Numbers:
    """All of them; `gram`, `tokens` and `kept` (by the previous circuit) are this checkpoint's."""
    drifts = drift_history(earlier, tokens)
    series = {
        "divergence_layer": divergence_series(earlier, len(gram) - 1),
        "neurons_with_effect": with_effect,
        "drift": [None, *(1 - float(np.mean(list(each.values()))) if each else None for each in drifts)],
        "cka_last": cka_series(earlier, gram),
        "transfer": transfer_series(earlier, kept),
        "learning_rate": summary_series(earlier, "progress", "learning_rate"),
    }
    return Numbers(series, {"drift": paired_error(drifts[-2], drifts[-1], probes) if len(drifts) > 1 else None})


def summary_series(earlier: EarlierResults, analysis: str, name: str) -> Series:
    """A number from the summaries of an analysis."""
    summaries = [earlier.summary(ancestor, analysis) for ancestor in earlier.lineage.window]
    return [(summary or {}).get(name) for summary in [*summaries, earlier.own_summary(analysis)]]


def divergence_series(earlier: EarlierResults, layers: int) -> Series:
    """The divergence layer; where there is none, one past the last layer."""
    told = summary_series(earlier, "comparison", "auroc_last")  # a summary without a divergence layer has this
    found = summary_series(earlier, "comparison", "divergence_layer")
    return [
        float(layers) if layer is None and known is not None else layer
        for known, layer in zip(told, found, strict=True)
    ]


def drift_history(earlier: EarlierResults, own: Tokens | None) -> list[dict[int, float]]:
    """Spearman correlation of each checkpoint's attributions with those of the one before it, by prompt."""
    tokens = [earlier.tensors(ancestor, "tokens", TENSORS) for ancestor in earlier.lineage.window]
    return [
        correlations(now, before) if before is not None and now is not None else {}
        for before, now in pairwise([*tokens, own])
    ]


def paired_error(before: dict[int, float], now: dict[int, float], probes: Sequence[Probe]) -> float | None:
    """Standard error of the change of a mean over the same prompts; None where there is none to tell."""
    both = sorted(before.keys() & now.keys())
    if len(both) < 2:
        return None
    changes = np.array([now[index] - before[index] for index in both])
    error = Clusters(independent_groups([probes[index] for index in both]).tolist(), 0, 0).error(changes)
    return error if np.isfinite(error) else None


def cka_series(earlier: EarlierResults, gram: np.ndarray) -> Series:
    """CKA of each checkpoint's last layer with that of the one before it; `gram` (points, n, n) is this one's."""
    grams = [earlier.last_gram(ancestor) for ancestor in earlier.lineage.window]
    return [None, *(_cka(before, now) for before, now in pairwise([*grams, gram[-1:]]))]


def transfer_series(earlier: EarlierResults, own: float | None) -> Series:
    """What the circuit of the checkpoint before keeps in each checkpoint; `own` is this one's."""
    return [None, *_transfers(earlier), own]


def _transfers(earlier: EarlierResults) -> Iterator[float | None]:
    for before, ancestor in pairwise(earlier.lineage.window):
        yield earlier.transfer(before, ancestor)


def _cka(before: np.ndarray | None, now: np.ndarray | None) -> float | None:
    found = cka_by_point(now, before) if before is not None and now is not None else None
    return found[0] if found is not None else None
