"""One unit over the checkpoints: gaps stay gaps, and births are what they are defined to be."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from shared.views.over_run.unit_history import MAX_DRAWN, Moment, born, history_panel


def moments(*with_effect: bool | None) -> list[Moment]:
    """With an effect or not; removed nowhere."""
    return [
        Moment(10 * n, float(n), f"epoch {n}", None if is_on is None else 0.1 * n, 0.01, 0.6, is_on)
        for n, is_on in enumerate(with_effect, start=1)
    ]


def removed(*carries: bool | None) -> list[Moment]:
    """With an effect everywhere; removed where it is known."""
    plain = moments(*[True] * len(carries))
    return [replace(each, carries=known) for each, known in zip(plain, carries, strict=True)]


def test_a_missing_checkpoint_is_a_gap_and_nothing_else():
    panel = history_panel("L1.N7", moments(True, None, True), 30, selective=True)
    line = panel.figure.data[0]
    assert list(line.x) == [1, 2, 3] and line.connectgaps is False
    assert np.isnan(line.y[1]) and np.allclose(line.y[[0, 2]], [0.1, 0.3])
    assert panel.rows[1]["effect"] is None and "1 without a result (gaps)" in panel.alt
    json.dumps(panel.rows, allow_nan=False)


def test_a_birth_needs_two_analysed_checkpoints_in_a_row():
    def label(*with_effect: bool | None) -> str | None:
        first = born(moments(*with_effect))
        return first.label if first else None

    assert label(True, False, True, True) == "epoch 3"
    assert label(False, True, None, True) == "epoch 2"
    assert label(True, False, True) is None and label(True) is None and label(None, None) is None


def test_the_headline_speaks_of_the_checkpoint_shown():
    def title(shown: int, *with_effect: bool | None) -> str:
        return history_panel("L1.N7", moments(*with_effect), shown, selective=True).figure.layout.title.text

    said = "L1.N7: 0.20 nats by attribution at epoch 2; first with a significant effect at epoch 1"
    assert said in title(20, True, True)
    assert "no result at the checkpoint shown" in title(20, True, None)
    never = "without a significant effect at any two checkpoints in a row"
    assert never in title(20, False, False) and never not in title(10, True)


def test_carrying_is_said_of_where_it_was_removed_alone():
    """Attribution says that it has an effect everywhere."""

    def said(*carries: bool | None) -> str:
        return history_panel("L1.N7", removed(*carries), 10, selective=True).figure.layout.title.subtitle.text

    assert "carries the verdict at 1 of the 2 checkpoints where it was removed" in said(True, None, False)
    assert "carries the verdict at 0 of the 1 checkpoint where it was removed" in said(False, None)
    assert said(None, None) == "2 checkpoints · removed at none" and "carr" not in said(None)


def test_open_symbols_do_not_carry_and_the_shown_one_is_marked():
    panel = history_panel("L1.N7", removed(False, True, None), 20, selective=True)
    assert list(panel.figure.data[0].marker.symbol) == ["circle-open", "circle", "circle-open-dot"]
    assert [row["carries"] for row in panel.rows] == [False, True, None]
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
    assert list(panel.rows[0]) == ["step", "epoch", "effect", "carries"]


def test_a_unit_that_no_result_holds_is_said():
    panel = history_panel("L9.N9", [Moment(5, 1.0, "epoch 1")], 5, selective=True)
    assert "no result of any checkpoint holds this unit" in str(panel.figure.layout.annotations)
