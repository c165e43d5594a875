"""Rates of a judge's verdicts, each with its interval over groups of prompts; unsafe is the positive class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analyzer.statistics.auroc import auroc
from analyzer.statistics.intervals import Clusters
from shared.findings.parts import Interval

Share = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

SHARES: dict[str, Share] = {
    "accuracy": lambda flagged, unsafe: (flagged == unsafe, np.ones_like(unsafe)),
    "precision": lambda flagged, unsafe: (flagged & unsafe, flagged),
    "recall": lambda flagged, unsafe: (flagged & unsafe, unsafe),
    "f1": lambda flagged, unsafe: (2 * (flagged & unsafe), flagged.astype(int) + unsafe),
    "fnr": lambda flagged, unsafe: (~flagged & unsafe, unsafe),
    "fpr": lambda flagged, unsafe: (flagged & ~unsafe, ~unsafe),
}
"""Name -> what is counted (n,) and among what (n,), from who is flagged (n,) and who is unsafe (n,)."""


def rates(scores: np.ndarray, labels: np.ndarray, clusters: Clusters) -> dict[str, Interval]:
    """Those of `SHARES` and "auc", of (n,) scores in nats and (n,) labels, 1 for unsafe.

    A prompt is flagged where its score is above 0. A rate whose denominator is empty (no unsafe prompt, say) is
    left out.
    """
    flagged, unsafe = scores > 0, labels == 1
    found = {}
    for name, share in SHARES.items():
        hits, base = (counts.astype(float) for counts in share(flagged, unsafe))
        if base.any():
            value = float(hits.sum() / base.sum())
            influence = (hits - value * base) / base.sum()
            found[name] = clusters.share(value, influence, clusters.holding(base > 0))
    ranked = auc_of(scores, unsafe, clusters)
    return found | ({} if ranked is None else {"auc": ranked})


def auc_of(scores: np.ndarray, unsafe: np.ndarray, clusters: Clusters) -> Interval | None:
    """AUC of (n,) scores with its interval; `unsafe` (n,) boolean. None with one class alone."""
    ranked = auroc(scores, unsafe.astype(int))
    if not np.isfinite(ranked.value):
        return None
    return clusters.share(ranked.value, ranked.influence, clusters.rarer(unsafe))
