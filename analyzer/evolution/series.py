"""The watched numbers over the newest checkpoints, oldest first and this one last; None where one is not known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from analyzer.evolution.drift import TENSORS, Tokens, correlations
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.statistics.cka import cka_by_point

Series = list[float | None]


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


def drift_series(earlier: EarlierResults, own: Tokens | None) -> Series:
    """1 - mean Spearman correlation of each checkpoint's attributions with those of the one before it."""
    tokens = [earlier.tensors(ancestor, "tokens", TENSORS) for ancestor in earlier.lineage.window]
    return [None, *(_drift(before, now) for before, now in pairwise([*tokens, own]))]


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


def _drift(before: Tokens | None, now: Tokens | None) -> float | None:
    if before is None or now is None:
        return None
    found = correlations(now, before)
    return 1 - float(np.mean(list(found.values()))) if found else None


def _cka(before: np.ndarray | None, now: np.ndarray | None) -> float | None:
    found = cka_by_point(now, before) if before is not None and now is not None else None
    return found[0] if found is not None else None
