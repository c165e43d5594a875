"""What a result says where nobody knows at which output the judge's verdict turns: where it would best, here."""

from __future__ import annotations

import numpy as np

from analyzer.session.context import Context
from analyzer.statistics.best_threshold import Cut, best_threshold
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import separation, unit_of
from shared.judge_labels import THRESHOLD_ASSUMED

DRAWS = 1000
"""Bootstrap draws of the separation's interval."""
KEPT = "assumed_threshold"


def assumed_threshold(context: Context) -> list[str]:
    """One sentence under an assumed threshold, none under any other.

    Nor where the judge does not tell the classes apart, or tells them the other way round: even scores that mean
    nothing are cut best somewhere.
    """
    if THRESHOLD_ASSUMED not in context.judge.record.assumed or not context.probes:
        return []
    if KEPT not in context.kept:
        context.kept[KEPT] = _sentences(context)
    return context.kept[KEPT]


def _sentences(context: Context) -> list[str]:
    scores = context.forward.scores.astype(float)
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    groups = independent_groups(context.probes)
    clusters = Clusters(groups.tolist(), DRAWS, context.seed)
    apart = separation(scores, unsafe, clusters, unit_of(context.probes, groups))
    cut = best_threshold(scores, unsafe)
    if cut is None or not apart.claimable or apart.reversed or cut.accuracy <= cut.at_zero:
        return []
    return [threshold_sentence(cut, len(scores), falls=not context.judge.record.unsafe)]


def threshold_sentence(cut: Cut, prompts: int, *, falls: bool) -> str:
    """`falls`: the score falls where the head's output, on whose scale a threshold is given, rises."""
    told = f"{-cut.threshold if falls else cut.threshold:.10g}"
    return (
        f"Threshold 0 was assumed; on these {prompts} prompts the verdicts are best at {told} (balanced accuracy "
        f"{cut.accuracy:.2f}, {cut.at_zero:.2f} at 0), which is chosen on them and so flatters: `midwatch init "
        f"--threshold {told}` sets it."
    )
