"""Figures in a narrow window: every plot has the whole width, none covers another, and nothing is cut."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.widgets.narrow import LEFT, MOST_LEFT, WIDTH, narrowed
from dashboard.widgets.untitled import room, untitled
from shared import views
from shared.figures.kit.text_layout import text_width
from shared.figures.units.rows import WORDS
from tests.dashboard import scenes
from tests.dashboard.test_pages import TRAINING, checked
from tests.making.fakes import fake_records
from tests.making.waiting import LIMIT_S


@cache
def drawn() -> list[tuple[str, go.Figure]]:
    """Every figure of the newest checkpoint and of the run."""
    records = fake_records(3, advanced=True)
    found = []
    for view in views.all_views():
        panels = view.panels([each for each in records if each.analysis == view.name][-1])
        panels += view.run_panels(records, []) if view.run_panels is not None else []
        found += [(f"{view.name} {panel.stem}", untitled(panel.figure)[0]) for panel in panels]
    return found


def spans(figure: go.Figure) -> list[tuple[float, float]]:
    """Of each plot, pixels from the figure's top: its upper and its lower end."""
    layout: Any = figure.layout
    area = layout.height - layout.margin.t - layout.margin.b
    parts = layout.to_plotly_json()
    ups = [parts[name]["domain"] for name in parts if name.startswith("yaxis")]
    return sorted((layout.margin.t + (1 - up[1]) * area, layout.margin.t + (1 - up[0]) * area) for up in ups)


def test_every_figure_gets_one_column_and_keeps_each_plots_height() -> None:
    beside = 0
    for name, figure in drawn():
        narrow, before = narrowed(figure), room(figure)
        beside += before > 1
        assert room(narrow) == 1, name
        ends = spans(narrow)
        assert all(low[1] <= high[0] + 0.5 for low, high in pairwise(ends)), name
        kept = sorted(round(low - high) for high, low in spans(narrow))
        had = sorted(round(low - high) for high, low in spans(figure))
        lost = 1 if any(trace.meta == WORDS for trace in figure.data) else 0  # type: ignore[union-attr]
        assert len(kept) == len(had) - lost and set(kept) <= {each + d for each in had for d in (-1, 0, 1)}, name
    assert beside > 5


def test_notes_and_names_fit_the_window() -> None:
    for name, figure in drawn():
        layout: Any = narrowed(figure).layout
        for note in layout.annotations:
            lines = note.text.replace("<b>", "").replace("</b>", "").split("<br>")
            assert max(text_width(line, note.font.size) for line in lines) < WIDTH + 20, (name, note.text)
        if room(figure) > 1:
            assert LEFT <= layout.margin.l <= MOST_LEFT + 10, name


def test_a_long_legend_lifts_what_stands_above_it() -> None:
    figure = dict(drawn())["neurons neuron_map"]
    wide, narrow = (
        next(note.yshift for note in each.layout.annotations if "each alone" in note.text)  # type: ignore[union-attr]
        for each in (figure, narrowed(figure))
    )
    assert narrow > wide


def test_a_figure_that_is_not_of_the_kit_stays_as_it_is() -> None:
    assert narrowed(go.Figure(layout={"title": "x"})).layout.title.text == "x"  # type: ignore[union-attr]


@pytest.mark.parametrize("narrow", [True, False])
def test_the_page_draws_for_the_window_that_the_browser_tells(
    narrow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.advanced(tmp_path, 1)
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    app = AppTest.from_string(TRAINING, default_timeout=LIMIT_S)
    app.query_params["tab"] = "neurons"
    app.session_state["narrow"] = narrow
    checked(app.run())
    spec = app.get("plotly_chart")[0].proto.spec
    assert ('"meta":"words"' in spec.replace(" ", "")) is not narrow
