"""The onset of deciding, what is drawn of many checkpoints, and the table of how alike they are."""

from __future__ import annotations

import numpy as np
import pytest

from shared.findings.cka import cka, cka_table, gram
from shared.views.over_run.whole_run import Passing, decides_panel, drawn, onset, similarity_panel

AUROC = (0.5, 0.6, 0.9)


def passing(*layers: int | None) -> list[Passing]:
    return [Passing(f"checkpoint-{n}", f"epoch {n}", AUROC, layer) for n, layer in enumerate(layers, 1)]


def test_the_onset_is_the_first_of_two_in_a_row() -> None:
    found = onset(passing(None, 1, None, 0, 1))
    assert found is not None and found.label == "epoch 4"
    assert onset(passing(None, 1, None)) is None and onset([]) is None


def test_the_headline_follows_from_the_layers() -> None:
    panel = decides_panel(passing(None, 1, 0))
    assert panel is not None and panel.claims
    assert panel.headline == "Safe and unsafe part inside since epoch 2, first at layer 1, now at layer 0"
    ended = decides_panel(passing(1, 1, None))
    assert ended is not None and ended.headline.endswith("none at epoch 3, the newest compared")
    later = decides_panel([*passing(1, 1, None), Passing("checkpoint-4", "epoch 4")])
    assert later is not None and later.headline == ended.headline, "epoch 4 is not compared yet"
    nothing = decides_panel(passing(None, 1))
    assert nothing is not None and nothing.headline == "No divergence layer at two checkpoints in a row"
    assert nothing.claims is False and decides_panel([Passing("a", "epoch 1")]) is None


def test_of_many_checkpoints_the_first_and_the_newest_are_drawn() -> None:
    shown = drawn(500, 48)
    assert (
        shown[0] == 0 and shown[-1] == 499 and len(shown) <= 49 and drawn(3, 48) == [0, 1, 2] and drawn(0, 9) == []
    )


def test_the_table_is_cka_of_every_pair() -> None:
    random = np.random.default_rng(0)
    grams = [gram(random.normal(size=(1, 20, 6)))[0] for _ in range(4)]
    grams[2][3] = grams[2][:, 3] = np.nan
    table, known = cka_table(grams), [row for row in range(20) if row != 3]
    assert table is not None
    for one in range(4):
        for other in range(4):
            expected = cka(*(each[np.ix_(known, known)] for each in (grams[one], grams[other])))
            assert table[one, other] == pytest.approx(expected, abs=1e-9)
    assert cka_table([grams[0], grams[1][:5, :5]]) is None and cka_table([]) is None


def test_the_least_alike_are_named_and_cells_carry_their_place() -> None:
    random = np.random.default_rng(1)
    base = random.normal(size=(20, 6))
    grams = [gram((base + size * random.normal(size=(20, 6)))[None])[0] for size in (0.0, 0.1, 5.0)]
    panel = similarity_panel(["epoch 1", "epoch 2", "<b>3</b>"], grams, ["a", "b", "c"], of=3)
    assert panel is not None and " and <b>3</b> see the probe set least alike: CKA " in panel.headline
    some = similarity_panel(["epoch 1", "epoch 2", "<b>3</b>"], grams, ["a", "b", "c"], of=90)
    assert some is not None and "least alike of the 3 drawn: CKA " in some.headline
    (marks,) = (trace for trace in panel.figure.data if trace.name == "cells")  # type: ignore[attr-defined]
    assert [int(place) for place in marks.customdata] == list(range(9))
    assert similarity_panel(["epoch 1"], grams[:1], ["a"], of=1) is None
