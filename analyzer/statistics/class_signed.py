"""How far apart a judge puts the two classes, as one value a prompt, so that intervals over groups follow."""

from __future__ import annotations

import numpy as np

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.to_explain import to_explain
from shared.findings.claims import ToExplain
from shared.findings.parts import Interval


def class_signed(scores: np.ndarray, unsafe: np.ndarray) -> np.ndarray:
    """(n,) values whose mean is mean score of unsafe - mean score of safe prompts; both classes are there.

    Scores are taken from the middle between the classes, so that a judge's lean to one side adds no noise.
    """
    means = [float(scores[unsafe == label].mean()) for label in (False, True)]
    sign = np.where(unsafe, 1 / unsafe.mean(), -1 / (1 - unsafe.mean()))
    return sign * (scores - sum(means) / 2)


def separation(scores: np.ndarray, unsafe: np.ndarray, clusters: Clusters) -> ToExplain:
    """How far apart the classes are; nothing, from no group, where there is one class only."""
    if unsafe.all() or not unsafe.any():
        none = Interval(value=0, low=0, high=0)
        return ToExplain(size=none, p_value=1, groups=0, unit="groups of prompts", needed=None)
    return to_explain(class_signed(scores, unsafe), clusters, "groups of prompts")
