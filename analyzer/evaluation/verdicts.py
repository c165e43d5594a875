"""Verdicts on labelled prompts, the judge's and the baselines', and whether they can be told apart."""

from __future__ import annotations

from typing import Literal

import numpy as np

from analyzer.statistics.auroc import auroc
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rates import rates
from analyzer.statistics.score_meaning import Scored
from shared.findings.evaluation import Against, Confusion, Paired, Verdicts
from shared.findings.flips import flips_of
from shared.findings.parts import Interval

Name = Literal["judge", "length", "tfidf"]


def verdicts_of(name: Name, prompts: Scored, clusters: Clusters) -> Verdicts:
    """At the threshold 0; `clusters` are those of the prompts."""
    return Verdicts(
        name=name,
        confusion=confusion_of(prompts),
        rates=rates(prompts.scores, prompts.unsafe.astype(int), clusters),
    )


def confusion_of(prompts: Scored) -> Confusion:
    flagged, unsafe = prompts.scores > 0, prompts.unsafe
    return Confusion(
        true_positive=int((flagged & unsafe).sum()),
        false_positive=int((flagged & ~unsafe).sum()),
        true_negative=int((~flagged & ~unsafe).sum()),
        false_negative=int((~flagged & unsafe).sum()),
    )


def against(name: Name, judge: Scored, scores: np.ndarray, clusters: Clusters) -> Against:
    """The judge beside a baseline with its own (n,) scores on the same prompts."""
    other = judge._replace(scores=scores)
    right, theirs = ((each.scores > 0) == each.unsafe for each in (judge, other))
    return Against(
        baseline=verdicts_of(name, other, clusters),
        auc_gain=_auc_gain(judge, other, clusters),
        by_prompts=paired(theirs, right, np.arange(len(right))),
        by_groups=paired(theirs, right, judge.groups),
    )


def paired(theirs: np.ndarray, right: np.ndarray, groups: np.ndarray) -> Paired:
    """(n,) whether the other and the judge are right; `groups` (n,) of each prompt its group's number."""
    found = flips_of(theirs, right, groups)
    return Paired(better=found.better, worse=found.worse, p_value=found.p_value)


def _auc_gain(judge: Scored, other: Scored, clusters: Clusters) -> Interval | None:
    """Difference of the AUCs, as the mean of its linearised values: the bootstrap-t over groups is of that."""
    ours, theirs = (auroc(each.scores, each.unsafe.astype(int)) for each in (judge, other))
    if not np.isfinite(ours.value):
        return None
    moved = len(judge.scores) * (ours.influence - theirs.influence)
    return clusters.mean(ours.value - theirs.value + moved)
