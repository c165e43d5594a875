"""Fisher's exact test against scipy's, and what it must say by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from shared.findings.fisher import fisher_p


@pytest.mark.parametrize("seed", range(40))
def test_it_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of, other_of = (int(each) for each in rng.integers(1, 60, 2))
    hits, other_hits = int(rng.integers(of + 1)), int(rng.integers(other_of + 1))
    wanted = fisher_exact([[hits, of - hits], [other_hits, other_of - other_hits]]).pvalue
    assert fisher_p(hits, of, other_hits, other_of) == pytest.approx(wanted, rel=1e-6)


def test_by_hand() -> None:
    assert fisher_p(3, 3, 0, 3) == pytest.approx(2 / 20), "two of twenty tables are as extreme"
    assert fisher_p(0, 5, 0, 9) == 1.0 and fisher_p(0, 0, 3, 5) == 1.0
    assert fisher_p(900, 1000, 0, 1000) < 1e-300, "so many that floats would not count them"
