"""The field that leads anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.chrome.search import targets
from dashboard.reading.snapshot import RunReader
from tests.dashboard import scenes
from tests.dashboard.browser import APP
from tests.dashboard.test_pages import checked
from tests.making.waiting import LIMIT_S


def test_what_can_be_found(tmp_path: Path) -> None:
    snapshot = RunReader(scenes.done(tmp_path, 2)).snapshot()
    found = targets(["Overview", "Training Visualizations"], snapshot, ["<b>a</b>"])
    assert found["Analysis: Layers"].tab == "layers" and found["Page: Overview"].page == "Overview"
    assert found["Checkpoint: epoch 1"].checkpoint == "checkpoint-120" and found["Run: <b>a</b>"].run == "<b>a</b>"
    assert not any(name.startswith("Analysis") for name in targets(["Overview"], None, []))


@pytest.mark.parametrize(
    ("entry", "title", "query"),
    [
        ("Analysis: Layers", "Training Visualizations", {"tab": "layers"}),
        ("Checkpoint: epoch 1", "Overview", {"epoch": "1"}),
        ("Run: other", "Overview", {"run": "other"}),
    ],
)
def test_an_entry_leads_there_and_the_field_is_empty_again(
    entry: str, title: str, query: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes.done(tmp_path, 2, "other")
    scenes.done(tmp_path, 2, "first")
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    app = AppTest.from_file(str(APP), default_timeout=LIMIT_S)
    app.query_params["run"] = "first"
    checked(app.run())
    field = next(box for box in app.selectbox if box.label == "Search")
    assert field.value is None
    checked(field.set_value(entry).run())
    assert app.title[0].value == title
    assert {name: app.query_params[name] for name in query} in (
        query,
        {name: [value] for name, value in query.items()},
    )
    assert next(box for box in app.selectbox if box.label == "Search").value is None
