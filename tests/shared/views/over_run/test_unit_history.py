"""One unit over the checkpoints: gaps stay gaps, and births are what they are defined to be."""

from __future__ import annotations

import json

import numpy as np

from shared.views.over_run.unit_history import MAX_DRAWN, Moment, born, history_panel


def moments(*carrying: bool | None) -> list[Moment]:
    return [
        Moment(10 * n, float(n), f"epoch {n}", None if is_on is None else 0.1 * n, 0.01, 0.6, is_on)
        for n, is_on in enumerate(carrying, start=1)
    ]


def test_a_missing_checkpoint_is_a_gap_and_nothing_else():
    panel = history_panel("L1.N7", moments(True, None, True), 30, selective=True)
    line = panel.figure.data[0]
    assert list(line.x) == [1, 2, 3] and line.connectgaps is False
    assert np.isnan(line.y[1]) and np.allclose(line.y[[0, 2]], [0.1, 0.3])
    assert panel.rows[1]["effect"] is None and "1 without a result (gaps)" in panel.alt
    json.dumps(panel.rows, allow_nan=False)


def test_a_birth_needs_two_analysed_checkpoints_in_a_row():
    def label(*carrying: bool | None) -> str | None:
        first = born(moments(*carrying))
        return first.label if first else None

    assert label(True, False, True, True) == "epoch 3"
    assert label(False, True, None, True) == "epoch 2"
    assert label(True, False, True) is None and label(True) is None and label(None, None) is None


def test_the_headline_speaks_of_the_checkpoint_shown():
    def title(shown: int, *carrying: bool | None) -> str:
        return history_panel("L1.N7", moments(*carrying), shown, selective=True).figure.layout.title.text

    assert "L1.N7: 0.20 nats at epoch 2; first carried the verdict at epoch 1" in title(20, True, True)
    assert "no result at the checkpoint shown" in title(20, True, None)
    assert "never carried" in title(20, False, False) and "never" not in title(10, True)


def test_open_symbols_do_not_carry_and_the_shown_one_is_marked():
    panel = history_panel("L1.N7", moments(False, True), 20, selective=True)
    assert list(panel.figure.data[0].marker.symbol) == ["circle-open", "circle"]
    assert {shape.x0 for shape in panel.figure.layout.shapes} == {2}


def test_a_long_run_is_thinned_but_keeps_the_newest_and_the_shown():
    panel = history_panel("L1.N7", moments(*[True] * 700), 6990, selective=True)
    drawn = list(panel.figure.data[0].x)
    assert len(drawn) <= MAX_DRAWN + 1 and {699, 700} <= set(drawn) and len(panel.rows) == 700
    assert len(str(panel.figure.to_json())) < 30_000


def test_heads_have_no_auroc_and_steps_serve_where_epochs_are_unknown():
    points = [Moment(step, None, f"step {step}", 0.1) for step in (5, 10)]
    panel = history_panel("L1.H2", points, 10, selective=False)
    assert len(panel.figure.data) == 1 and panel.figure.layout.xaxis.title.text == "optimizer step"
    assert list(panel.rows[0]) == ["step", "epoch", "effect"]


def test_a_unit_that_no_result_holds_is_said():
    panel = history_panel("L9.N9", [Moment(5, 1.0, "epoch 1")], 5, selective=True)
    assert "no result of any checkpoint holds this unit" in str(panel.figure.layout.annotations)
