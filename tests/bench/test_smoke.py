"""Every benchmark still runs: on tiny judges, once, and what comes out is a figure. Nothing about speed."""

from __future__ import annotations

import importlib.util
import math

import pytest

from tests.bench import Size, Unavailable
from tests.bench._book import NAMES, measure_of, purpose
from tests.dashboard.browser import find_chromium

MARKS = {
    "attack": [pytest.mark.slow],
    "judges": [pytest.mark.slow],
    "own_runs": [pytest.mark.slow],
    "dashboard": [pytest.mark.browser, pytest.mark.slow],
    "exact": [pytest.mark.slow],
    "frozen_prefix": [pytest.mark.slow],
    "gpu": [pytest.mark.slow],
    "report": [pytest.mark.slow],
    "service": [pytest.mark.slow],
    "throughput": [pytest.mark.slow],
}
"""What has tests of its own, such as a real dashboard or analyzer in `tests/e2e`, is in the long form."""
LACKS = {
    "dashboard": find_chromium() is None,
    "transformer_lens": importlib.util.find_spec("transformer_lens") is None,
}
"""Whether this machine lacks what a tiny run needs; any other benchmark needs nothing."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [])) for name in NAMES])
def test_it_runs(name: str) -> None:
    try:
        figures = measure_of(name)(Size.TINY)
    except Unavailable as reason:
        assert LACKS.get(name, False), reason
        pytest.skip(str(reason))
    assert figures
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        assert figure.value is not None and math.isfinite(figure.value), figure
        assert figure.name.strip() == figure.name != ""
        assert figure.n is None or figure.n > 0
        if figure.interval is not None:
            assert figure.interval.low <= figure.value <= figure.interval.high, figure
        if figure.bar is not None:
            comparison, limit, *_ = figure.bar.text.split()
            assert (comparison, float(limit)) == (figure.bar.comparison, figure.bar.limit), figure


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_measures(name: str) -> None:
    assert purpose(name).endswith((".", "?"))
