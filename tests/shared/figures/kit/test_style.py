from __future__ import annotations

import numpy as np
import pytest

from shared.figures.kit.layer_axis import layer_axis
from shared.figures.kit.style import DIVERGING, diverging_colour, nice_limit
from shared.figures.run.grid import Curve
from shared.findings.text import clean, escape, shorten, signed
from shared.views.over_run.run_results import MAX_POINTS, thinned


def test_text_from_data_has_no_meaning_to_plotly():
    assert escape("<b>&amp;$x$%{y}") == "&lt;b&gt;&amp;amp;&#36;x&#36;%&#123;y}"


@pytest.mark.parametrize("text", ["a\u202eb", "a\x00b", "a\ud800b", "a\u2028b"])
def test_spoofing_characters_are_replaced(text):
    assert clean(text) == "a\ufffdb"
    clean(text).encode("utf-8")


def test_shortening_keeps_the_base_of_a_combining_mark():
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abce\u0301f", 5) == "abc…"
    assert shorten("abc", 3) == "abc"


def test_signs():
    assert [signed(0.344), signed(-1.2), signed(-0.001)] == ["+0.34", "−1.20", "0.00"]


def test_diverging_colours_end_and_meet():
    assert diverging_colour(-3) == DIVERGING[0]
    assert diverging_colour(1) == DIVERGING[-1]
    assert diverging_colour(0) == DIVERGING[5]


@pytest.mark.parametrize(("largest", "limit"), [(0, 1), (0.4, 1), (1.2, 1.5), (5.2, 7.5), (100, 100), (820, 1000)])
def test_limits_are_round_and_hold_the_values(largest, limit):
    assert nice_limit([-largest, 0]) == pytest.approx(limit)


def test_thinning_keeps_the_mean():
    values = np.random.default_rng(0).normal(size=MAX_POINTS * 7)
    short = thinned(Curve(np.arange(len(values), dtype=float), values))
    assert len(short.x) == MAX_POINTS
    assert short.y.mean() == pytest.approx(values.mean(), abs=1e-6)


@pytest.mark.parametrize("layers", [0, 1, 2, 6, 12, 28, 32, 80, 126])
def test_layer_ticks_name_the_last_layer_and_are_few(layers):
    axis = layer_axis(layers)
    assert axis["tickvals"] == sorted(set(axis["tickvals"])) and len(axis["tickvals"]) <= 31
    assert axis["ticktext"][0] == "emb" and axis["tickvals"][-1] == layers - 1
