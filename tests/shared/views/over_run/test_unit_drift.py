"""Units that carry the verdict over a run: who is named, and where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.views.over_run.unit_drift import MOST_UNITS, UnitCourse, drift_panel

LABELS = ["epoch 1", "epoch 2", "epoch 3"]


def course(
    name: str, carries: Sequence[bool | None], effect: Sequence[float | None] = (0.1, 0.2, 0.3)
) -> UnitCourse:
    return UnitCourse(name, tuple(effect), tuple(carries))


def test_only_who_carries_twice_in_a_row_is_named() -> None:
    steady, once = course("L1.H2", (None, True, True)), course("L0.H0", (True, False, True))
    across = course("L3.N9", (True, None, True))
    panel = drift_panel([once, across, steady], LABELS, LABELS)
    assert panel is not None and panel.claims
    assert panel.headline == (
        "2 units carry the verdict alone, 2 at epoch 3; L1.H2 at 2 of the 2 where it was removed"
    )
    assert {row["unit"] for row in panel.rows} == {"L1.H2", "L3.N9"}
    lone = drift_panel([once], LABELS, LABELS)
    assert lone is not None and not lone.claims and "No head or neuron" in lone.headline


def test_nothing_is_drawn_before_a_unit_was_removed_twice() -> None:
    assert drift_panel([course("L0.H0", (True, None, None))], LABELS, LABELS) is None
    assert drift_panel([], LABELS, LABELS) is None


def test_an_unknown_effect_is_a_gap_and_each_cell_names_its_unit() -> None:
    panel = drift_panel([course("L1.H2", (True, True, False), (None, 0.2, -0.3))], LABELS, LABELS)
    assert panel is not None
    heat, carries, denied, cells = panel.figure.data  # type: ignore[misc]
    assert np.isnan(heat.z[0][0]) and heat.z[0][1] == np.float32(0.2) and heat.zmax == -heat.zmin == 0.3
    assert list(carries.x) == [0, 1] and list(denied.x) == [2]
    assert list(cells.customdata) == ["L1.H2"] * 3 and "not known" in cells.text[0]


def test_a_long_list_is_cut_and_counted() -> None:
    many = [course(f"L0.N{number}", (True, True, True)) for number in range(MOST_UNITS + 5)]
    panel = drift_panel(many, LABELS, LABELS)
    assert panel is not None and f"{MOST_UNITS + 5} units, {MOST_UNITS} of them drawn" in str(
        panel.figure.layout.title
    )
