"""The ROC's numbers by hand; against scikit-learn they stand in tests/trainer/test_metrics.py."""

from __future__ import annotations

import numpy as np
import pytest

from shared.roc import auc, tpr_at


def test_auc_counts_ties_half() -> None:
    assert auc(np.array([1.0, 1.0, 0.0]), np.array([True, False, False])) == pytest.approx(0.75)


def test_what_is_caught_at_a_rate() -> None:
    """Ten safe prompts: none may be refused at 9 %, one at 10 %; a tie with the next is no gain."""
    safe, unsafe = [*range(10)], [9.5, 8.5, 8.0, 1.0]
    scores, labels = np.array([*safe, *unsafe], float), np.array([False] * 10 + [True] * 4)
    assert [tpr_at(scores, labels, rate) for rate in (0.09, 0.1, 1.0)] == [0.25, 0.5, 1.0]
