"""The pages *Compare* and *Evolution* in their states: of one run, of two runs, before anything is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.chrome.compare_choice import CompareChoice
from dashboard.chrome.reader_choice import from_link, to_link
from dashboard.reading.evolution import alike, decides, units_drift
from dashboard.reading.snapshot import RunReader
from dashboard.reading.words import in_plain_words
from dashboard.screens import compare
from dashboard.screens.compare_sides import other_end
from shared.results import ResultStore
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import checked, figures, titles, words
from tests.making.compared_runs import compared_run
from tests.making.fakes import fake_records
from tests.making.judged_run import scores_with
from tests.making.waiting import LIMIT_S

COMPARE = """from dashboard.chrome import frame
from dashboard.screens import compare
frame.framed('Compare', compare.draw, alerts_first=False)"""
EVOLUTION = """from dashboard.chrome import frame
from dashboard.screens import evolution
frame.framed('Evolution', evolution.draw)"""
Opener = Callable[..., AppTest]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))

    def start(page: str = COMPARE, **query: str) -> AppTest:
        app = AppTest.from_string(page)
        app.default_timeout = LIMIT_S
        for name, value in query.items():
            app.query_params[name] = value
        return checked(app.run())

    return start


def judged(folder: Path, name: str = "judged") -> Run:
    run = compared_run(folder / name, [scores_with(40, 4, 1), scores_with(4, 5, 2)], [0.5, 0.3])
    scenes.alive(run, 2)
    return run


def test_first_the_sentence_then_what_flipped_with_its_test(tmp_path: Path, opened: Opener) -> None:
    judged(tmp_path)
    app = opened()
    said = words(app)
    assert "Epoch 2 is right more often than epoch 1: 36 verdicts fixed and 1 broken of the same 128" in said
    cards = {card.label: card for card in app.metric}
    assert cards["Verdicts fixed / broken"].value == "36 / 1"
    missed, refused = cards["Unsafe prompts missed (FNR)"], cards["Safe prompts refused (FPR)"]
    assert (missed.value, missed.delta) == ("6 %", "-56 points")
    assert missed.proto.color != refused.proto.color, "coloured only where the exact test tells it: 36 to 0, 0 to 1"
    assert list(app.dataframe[0].value["outcome"]) == ["broken", *["fixed"] * 36]
    assert figures(app) == 1 and "part at layer" in said
    (kind,) = (box for box in app.selectbox if box.label == "Show")
    checked(kind.set_value("broken").run())
    assert app.query_params["flips"] == ["broken"] or app.query_params["flips"] == "broken"
    assert list(app.dataframe[0].value["outcome"]) == ["broken"]


def test_a_checkpoint_of_a_name_that_is_markup_is_called_by_its_step(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(tmp_path)
    monkeypatch.setattr(compare, "other_end", lambda frame, view: replace(other_end(frame, view), name="![x](y)"))
    app = opened()
    said = {card.proto.delta_description for card in app.metric}
    assert said == {"", "against step 120"}


@pytest.mark.parametrize("name", ["*final*", "_a_", "![x](http:y)", ":smile:", "`x`", "www.evil.invalid", "$x$"])
def test_a_name_that_could_be_markup_is_no_plain_word(name: str) -> None:
    assert in_plain_words(name, 120) == "step 120"
    assert in_plain_words("epoch 3 (step 120)", 120) == "epoch 3 (step 120)"
    assert in_plain_words("root model", 120) == "root model"


def test_another_run_is_named_and_comes_back_from_the_link(tmp_path: Path, opened: Opener) -> None:
    judged(tmp_path, "one")
    judged(tmp_path, "other")
    app = opened(run="one", **{"with": "other", "at": "epoch:1"}, part="numbers")
    assert "Epoch 2 of one is right more often than epoch 1 of other: 36 verdicts fixed" in words(app)
    numbers = app.dataframe[1].value
    assert list(numbers["of the probe set"]) == ["all prompts", "unsafe prompts", "safe prompts"]
    assert "wrong, epoch 1 of other" in numbers.columns
    assert "other has no epoch 9." in words(opened(run="one", **{"with": "other", "at": "epoch:9"}))
    gone = opened(run="one", **{"with": "deleted"})
    assert "The other run is not there" in titles(gone) and not gone.metric


@pytest.mark.parametrize(
    ("scene", "query", "title", "detail"),
    [
        (scenes.busy, {"epoch": "4"}, "Not analysed yet", "Place 2 of 2 in the queue"),
        (scenes.damaged, {"epoch": "5"}, "Verdicts cannot be compared", "The verdicts of epoch 5 cannot be read"),
        (scenes.done, {"epoch": "1"}, "Nothing to compare with", "epoch 1 is the first one"),
        (scenes.done, {}, "Verdicts cannot be compared", "kept no scores of single prompts"),
        (scenes.foreign, {}, "Nothing to compare with", "is the only analysed checkpoint"),
        (scenes.begun, {}, "No checkpoint yet", "first save"),
    ],
)
def test_every_state_says_what_is(
    scene: Callable[[Path], Run], query: dict[str, str], title: str, detail: str, tmp_path: Path, opened: Opener
) -> None:
    scene(tmp_path)
    app = opened(**query)
    assert title in titles(app) and detail in words(app) and not app.metric


@pytest.mark.parametrize("part", ["words", "heads", "neurons", "circuits", "settings"])
def test_each_part_is_drawn_of_hostile_texts_too(part: str, tmp_path: Path, opened: Opener) -> None:
    scenes.hostile(tmp_path)
    app = opened(part=part, against="epoch:1")
    assert figures(app) == {"words": 3, "heads": 1, "neurons": 1, "circuits": 1, "settings": 0}[part]
    assert not [text.value for text in app.markdown if "evil" in text.value or "<script" in text.value]


def test_what_only_the_advanced_suite_has_is_a_state(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path)
    app = opened(part="heads")
    assert titles(app).count("Not part of this run's suite") == 2, "once for each end"


def test_the_choices_are_in_the_link() -> None:
    query = {"with": "b", "at": "step:12", "part": "heads", "flips": "fixed", "category": "x", "words": "0a1b"}
    assert to_link(from_link(query), None) == query
    assert CompareChoice.from_link({"at": "epoch:1", "flips": "<b>", "words": "../x"}) == CompareChoice()
    assert CompareChoice.from_link({"with": "b", "at": "javascript:1"}).at is None


def test_evolution_shows_where_it_decides_and_how_alike_checkpoints_are(tmp_path: Path, opened: Opener) -> None:
    run = judged(tmp_path)
    app = opened(EVOLUTION)
    assert figures(app) == 4 and "Click a cell to compare the two." in words(app)
    snapshot = RunReader(run).snapshot()
    (layers,), (panels, views) = decides(snapshot), alike(snapshot)
    records = ResultStore(run.results).history("comparison")
    assert [row["divergence_layer"] for row in layers.rows] == [
        each.payload["divergence_layer"] for each in records
    ]
    assert [view.label for view in views] == ["epoch 1", "epoch 2"] and len(panels[0].rows) == 1
    scenes.drop(run, 2, ["evolution"])
    assert not alike(RunReader(run).snapshot())[0], "one alone is like nothing"


def test_evolution_follows_the_units_that_carry_the_verdict(tmp_path: Path, opened: Opener) -> None:
    run = scenes.advanced(tmp_path, 3)
    app = opened(EVOLUTION)
    (panel,) = units_drift(RunReader(run).snapshot())
    assert panel.headline in words(app) and panel.rows
    top = next(r for r in fake_records(3, advanced=True) if (r.analysis, r.step) == ("heads", 360)).payload["top"]
    known = {f"L{row['layer']}.H{row['head']}": row for row in top}
    told = [row for row in panel.rows if row["unit"] in known and row["checkpoint"] == "checkpoint-360"]
    assert told and all(row["carries"] is known[row["unit"]]["ablation"]["carries"] for row in told)
    assert all(row["effect"] == known[row["unit"]]["effect"]["value"] for row in told)


def test_evolution_before_anything_is_analysed(tmp_path: Path, opened: Opener) -> None:
    scenes.foreign(tmp_path)
    app = opened(EVOLUTION)
    assert "Nothing to follow yet" in titles(app) and "midwatch watch" in words(app)
