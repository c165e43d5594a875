"""Figures without their own title."""

from __future__ import annotations

import plotly.graph_objects as go

from dashboard.widgets.untitled import LEAST_TOP, room, untitled
from shared.figures.kit.sheet import Sheet


def two_beside_each_other(title: str = "Found", subtitle: str = "of &lt;64&gt;<br>prompts") -> go.Figure:
    sheet = Sheet(500, title, subtitle, top=110)
    for across in ((0, 0.4), (0.6, 1)):
        sheet.draw(sheet.pane(across, (0.5, 1)), x=[1], y=[1])
    sheet.draw(sheet.pane(up=(0, 0.4)), x=[1], y=[1])
    return sheet.figure()


def test_the_plots_keep_their_height_and_the_words_are_handed_over() -> None:
    figure = two_beside_each_other()
    bare, subtitle = untitled(figure)
    assert subtitle == "of <64> prompts" and bare.layout.title.text is None
    plots = [each.layout.height - each.layout.margin.t - each.layout.margin.b for each in (figure, bare)]
    assert plots[0] == plots[1] and LEAST_TOP <= bare.layout.margin.t < figure.layout.margin.t
    assert figure.layout.title.text == "<b>Found</b>", "the figure itself is another reader's too"


def test_a_figure_without_a_title_is_as_it_was() -> None:
    bare, subtitle = untitled(go.Figure(layout={"height": 300, "margin": {"t": 50}}))
    assert (bare.layout.height, bare.layout.margin.t, subtitle) == (300, 50, "")


def test_room_counts_the_plots_beside_each_other() -> None:
    assert room(two_beside_each_other()) == 2 and room(go.Figure()) == 1
