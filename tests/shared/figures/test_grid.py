"""Small plots over a run."""

from __future__ import annotations

import numpy as np
import pytest

from shared.figures.run.grid import Curve, Line, Plot, progress_figure


@pytest.mark.parametrize(
    ("values", "levels", "limits", "expected"),
    [
        ([0.001, 0.001], {}, (0, None), (0, 0.002)),
        ([0.001, np.nan, 0.001], {"bound": 0.001}, (0, None), (0, 0.002)),
        ([0.001, 0.002], {}, (0, None), None),
        ([0.001, 0.001], {"bound": 0.05}, (0, None), None),
        ([0.0, 0.0], {}, (0, None), None),
        ([0.5, 0.5], {}, (0, 1.02), (0, 1.02)),
    ],
)
def test_a_curve_that_never_moves_is_not_drawn_as_zero(values, levels, limits, expected):
    curve = Curve(np.arange(len(values), dtype=float), np.array(values))
    plot = Plot("learning rate", [Line("rate", curve, "rate")], "", limits=limits, levels=levels)
    found = progress_figure([plot], "epoch", "", "").layout.yaxis.range
    assert found == (None if expected is None else pytest.approx(expected))
