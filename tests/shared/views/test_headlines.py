"""What a page says first, and whether that is a claim: read from the view, whose logic nobody repeats."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part
from shared.findings.text import escape
from shared.views import Panel, View, all_views, headlines
from tests.making.fakes import fake_records


class Found(Part):
    """A typed result with what it explains."""

    to_explain: ToExplain


class Bare(Part):
    """One that does not say how large what it explains is."""


def of_size(value: float, groups: int = 24) -> ToExplain:
    size = Interval(value=value, low=value - 0.2, high=value + 0.2)
    return ToExplain(
        size=size, p_value=1e-6 if abs(value) > 0.2 else 0.5, groups=groups, unit="contrast pairs", needed=30
    )


def view_of(result: type[Part], claims: bool | None = None) -> View:
    figure = go.Figure(layout={"title": {"text": "<b>Half of it</b>"}})
    return View(
        "made",
        "Made",
        "basic",
        999,
        result,
        panels=lambda _: [Panel("made", "Made", figure, "c", "a", claims=claims)],
    )


def record_of(payload: dict):
    return fake_records(1)[0].model_copy(update={"payload": payload})


@pytest.mark.parametrize(("value", "claims"), [(1.0, True), (0.1, False), (-1.0, True)])
def test_a_headline_claims_where_there_is_something_to_explain(value, claims):
    record = record_of({"to_explain": of_size(value).model_dump()})
    assert headlines(view_of(Found), record) == [("made", "Half of it", claims)]


def test_a_result_that_does_not_say_what_it_explains_counts_as_a_claim():
    assert headlines(view_of(Bare), record_of({}))[0].claims


@pytest.mark.parametrize("said", [True, False])
def test_the_view_has_the_last_word(said):
    record = record_of({"to_explain": of_size(0.1 if said else 1.0).model_dump()})
    assert headlines(view_of(Found, said), record)[0].claims is said


def test_the_headline_is_plain_text():
    title = f"<b>{escape('<i>$5 & more')}</b>"
    panel = Panel("x", "X", go.Figure(layout={"title": {"text": title}}), "c", "a")
    assert panel.headline == "<i>$5 & more"
    assert replace(panel, figure=go.Figure()).headline == ""


def test_every_view_has_a_headline():
    records = {record.analysis: record for record in fake_records(2, advanced=True)}
    for view in all_views():
        found = headlines(view, records[view.name])
        assert [line.stem for line in found] == [panel.stem for panel in view.panels(records[view.name])]
        assert all(line.text and "<b>" not in line.text for line in found)
