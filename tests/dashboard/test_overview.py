"""The page Overview in every state, the bar's choices in the link, and the table of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.chrome import bar, reader_choice
from dashboard.chrome.reader_choice import Selection, from_link, to_link
from dashboard.reading.facts import gather
from dashboard.reading.headline import headlines
from dashboard.reading.overview import standing_of
from dashboard.reading.runs import run_row
from dashboard.reading.snapshot import CheckpointView, RunReader
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import checked, titles, words
from tests.making.judged_run import guesses, judged_run, scores_with
from tests.making.waiting import LIMIT_S

OVERVIEW = """from dashboard.chrome import frame
from dashboard.screens import overview
frame.framed('Overview', overview.draw, alerts_first=False)"""
Opener = Callable[..., AppTest]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))

    def start(**query: str) -> AppTest:
        page = AppTest.from_string(OVERVIEW)
        page.default_timeout = LIMIT_S
        for name, value in query.items():
            page.query_params[name] = value
        return checked(page.run())

    return start


def judged(folder: Path, name: str = "judged") -> Run:
    run = judged_run(folder / name, [scores_with(40, 4), scores_with(4, 4), scores_with(0, 40)], [0.5, 0.3, 0.4])
    scenes.alive(run, 3)
    return run


def curves(app: AppTest) -> list[dict[str, Any]]:
    """What is drawn of the small plots."""
    (drawn,) = (each for each in app.get("bidi_component") if '"pictures"' in each.proto.json)
    return json.loads(drawn.proto.json)["pictures"]


def test_the_verdict_the_table_and_the_curves(tmp_path: Path, opened: Opener) -> None:
    judged(tmp_path)
    app = opened()
    said = words(app)
    assert "Epoch 2 has the best AUC, 0.9" in said and "Ship epoch 2" in said
    table = app.dataframe[0].value
    assert list(table["checkpoint"]) == ["epoch 3", "epoch 2", "epoch 1"]
    assert list(table["mark"]) == ["", "best, ship", ""]
    assert not app.get("plotly_chart"), "the first page needs no plotting library"
    assert len(curves(app)) == 4
    (limit,) = (box for box in app.selectbox if box.label == "FPR at most")
    checked(limit.set_value(0.5).run())
    assert app.query_params["fpr"] == "50" and "at FPR ≤ 50 %" in words(app)
    assert "at FPR ≤ 50 %" in words(opened(fpr="50"))


def test_each_checkpoints_place_says_its_values(tmp_path: Path, opened: Opener) -> None:
    judged(tmp_path)
    rates, _, loss, layer = curves(opened())
    assert [text for _, text in layer["levels"]] == ["2", "3", "4"], "a layer is a whole number"
    assert [stop["entry"] for stop in rates["stops"]] == [0, 1, 2]
    told = rates["stops"][1]["words"].split("\n")
    assert told[0] == "epoch 2" and told[1].startswith("FNR 6 %") and "[" in told[1] and told[2].startswith("FPR ")
    assert loss["stops"][1]["words"] == "epoch 2\nloss 0.30", "no interval where none was computed"
    ends = [(stop["start"], round(stop["start"] + stop["width"], 1)) for stop in loss["stops"]]
    assert ends[0][1] == ends[1][0] and ends[1][1] == ends[2][0], "no gap between two places"


def test_above_the_fold_the_page_says_little(tmp_path: Path, opened: Opener) -> None:
    """The verdict's sentences, which stand beside the figures; what explains them is folded."""
    judged(tmp_path)
    said = [text.value for text in opened().text if "epoch" in text.value.lower() and "probe set" not in text.value]
    count = sum(any(letter.isalpha() for letter in word) for sentence in said for word in sentence.split())
    assert 15 < count <= 40


@pytest.mark.parametrize(
    ("scene", "query", "title", "detail"),
    [
        (scenes.foreign, {}, "Not analysed yet", "midwatch watch"),
        (scenes.busy, {"epoch": "4"}, "Not analysed yet", "Place 2 of 2 in the queue"),
        (scenes.busy, {"epoch": "3"}, "Next", "layers"),
        (scenes.busy, {"epoch": "6"}, "Failed", "midwatch retry"),
        (scenes.gone, {}, "The analyzer is gone", "midwatch watch"),
        (scenes.damaged, {}, "Some results cannot be read; the others are kept", "progress"),
        (scenes.rotated, {}, "Nobody described this run", "midwatch init"),
        (scenes.begun, {}, "No checkpoint yet", "first save"),
    ],
)
def test_every_state_says_what_is_and_what_to_do(
    scene: Callable[[Path], Run],
    query: dict[str, str],
    title: str,
    detail: str,
    tmp_path: Path,
    opened: Opener,
) -> None:
    scene(tmp_path)
    app = opened(**query)
    assert title in titles(app) and detail in words(app)


def test_what_has_no_number_is_counted_and_takes_no_row(tmp_path: Path, opened: Opener) -> None:
    scenes.busy(tmp_path)
    app = opened()
    assert list(app.dataframe[0].value["checkpoint"]) == ["epoch 3", "epoch 2", "epoch 1"]
    assert "6 checkpoints without a result left out" in words(app)


def test_an_empty_folder_says_what_to_run(opened: Opener) -> None:
    app = opened()
    assert "Waiting for a run" in titles(app) and not app.dataframe


def test_a_checkpoint_that_is_not_finished_is_partial(tmp_path: Path, opened: Opener) -> None:
    run = judged(tmp_path)
    scenes.drop(run, 3, ["tokens"])
    rows = [*(scenes.row(e, scenes.CheckpointState.DONE, []) for e in (1, 2))]
    scenes.alive(run, 3, checkpoints=[*rows, scenes.row(3, scenes.CheckpointState.QUEUED, ["tokens"])])
    app = opened()
    assert "Partial" in titles(app) and "still to do: tokens." in words(app)
    assert app.dataframe[0].value["shortcut share"][0] == "–", "what is missing is not another's"


def test_of_judges_that_learned_nothing_nothing_is_claimed(tmp_path: Path, opened: Opener) -> None:
    run = judged_run(tmp_path / "null", [guesses(0), guesses(1)])
    scenes.alive(run, 2)
    app = opened()
    said = words(app)
    assert "Epoch 2: nothing to explain" in said and "Ship" not in said and "best" not in said
    assert list(app.dataframe[0].value["mark"]) == ["", ""]


def test_errors_stand_above_the_verdict_and_warnings_below(tmp_path: Path, opened: Opener) -> None:
    run = judged(tmp_path)
    scenes.noticed(run, 3)
    app = opened()
    order = [str(getattr(part, "value", "")) for part in app.main if part.type in ("text", "markdown")]
    place = {name: next(i for i, text in enumerate(order) if name in text) for name in (
        "Labels the wrong way round?", "has the best AUC", "Only assumed",
    )}  # fmt: skip
    assert place["Labels the wrong way round?"] < place["has the best AUC"] < place["Only assumed"]


def test_a_row_and_a_point_open_their_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.screens import overview

    snapshot = RunReader(judged(tmp_path)).snapshot()
    links: list[Selection] = []
    monkeypatch.setattr(reader_choice, "write_link", lambda chosen, view: links.append(chosen))
    chosen = Selection()
    overview._open(SimpleNamespace(snapshot=snapshot, selection=chosen), "checkpoint-240")  # type: ignore[arg-type]
    assert (chosen.checkpoint, chosen.follow, len(links)) == ("checkpoint-240", False, 1)


def test_runs_are_listed_found_by_words_and_opened(tmp_path: Path, opened: Opener) -> None:
    judged(tmp_path, "a/b/c/d/e/deep")
    scenes.gone(tmp_path)
    app = opened(run="deep")
    table = app.dataframe[1].value
    assert dict(zip(table["run"], table["state"], strict=True)) == {"deep": "idle", "gone": "gone"}
    deep = list(table["run"]).index("deep")
    assert list(table["newest judged"])[deep] == "epoch 3"
    assert list(table["FNR (probe set)"])[deep].startswith("0 % [0")
    checked(app.text_input[0].set_value("GONE").run())
    assert list(app.dataframe[1].value["run"]) == ["gone"] and app.query_params["find"] == "GONE"
    checked(app.text_input[0].set_value("nothing like it").run())
    assert len(app.dataframe) == 1 and "No run's name or state holds these words." in words(app)


def test_a_run_that_is_damaged_or_empty_has_a_row(tmp_path: Path) -> None:
    damaged, begun = scenes.damaged(tmp_path), scenes.begun(tmp_path)
    damaged.status.write_text("{")
    found = run_row(damaged, "damaged", 0.0)
    assert (found.state, found.fnr) == ("status unreadable", "–")
    assert (run_row(begun, "begun", 0.0).newest, run_row(begun, "begun", 0.0).state) == ("–", "no analyzer")


def test_a_link_holds_everything_that_was_chosen() -> None:
    chosen = Selection(
        run="a/b", checkpoint="checkpoint-240", follow=False, against="epoch:1", tab="circuits", change=True,
        edges=80, units={"neurons": (4, 1203), "heads": (0, 2)}, limit=0.05, find="idle",
    )  # fmt: skip
    query = to_link(chosen, CheckpointView("checkpoint-240", 240, 2.0, "epoch 2"))
    again = from_link(query)
    assert again.wanted == ("epoch", "2") and not again.follow
    again.wanted, again.checkpoint = None, chosen.checkpoint
    assert again == chosen
    assert to_link(Selection(run="a"), None) == {"run": "a"}, "what is usual is left out"


@pytest.mark.parametrize("name", ["against", "edges", "neurons", "heads", "fpr"])
@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 30, "1.2.3", "epoch:", "1000", "<b>"])
def test_a_link_that_means_nothing_changes_nothing(name: str, value: str) -> None:
    assert name == "edges" or from_link({name: value}) == Selection()


def test_against_is_the_first_the_previous_or_a_checkpoint(tmp_path: Path) -> None:
    snapshot = RunReader(scenes.done(tmp_path, 4)).snapshot()
    third = snapshot.checkpoints[2]

    def against(choice: str | None) -> str | None:
        found = reader_choice.resolve_against(Selection(against=choice), snapshot, third)
        return found.label if found else None

    assert [against(c) for c in (None, "previous", "epoch:4", "epoch:3")] == ["epoch 1", "epoch 2", "epoch 4", None]
    missing = Selection(against="epoch:9")
    assert reader_choice.resolve_against(missing, snapshot, third) is None
    assert missing.link_problem == "It is compared with epoch 9, which this run does not have."


def test_a_difference_has_a_colour_only_where_the_same_prompts_tell_it(tmp_path: Path) -> None:
    """From 17 to 14 of 64 missed is no news; from 40 to 4 is."""
    run = judged_run(
        tmp_path / "run", [scores_with(17, 4), scores_with(14, 4), scores_with(40, 4), scores_with(4, 4)]
    )
    snapshot = RunReader(run).snapshot()

    def fnr(now: int, before: int):
        views = snapshot.checkpoints
        return headlines(gather(snapshot, views[now], views[before]))[0]

    assert (fnr(1, 0).delta, fnr(1, 0).told) == ("-5 points", False)
    assert (fnr(3, 2).delta, fnr(3, 2).told) == ("-56 points", True)


def test_the_marks_below_the_slider(tmp_path: Path) -> None:
    snapshot = RunReader(judged(tmp_path)).snapshot()
    found = standing_of(snapshot)
    marks = bar.tick_marks(snapshot.checkpoints, found)
    assert 'left:50.00%" title="epoch 2: best">★' in marks and marks.count("<span") == 1
    hostile = [CheckpointView("checkpoint-240", 240, None, '"><img src=x>')] * 2
    assert "<img" not in bar.tick_marks(hostile, found)


def test_while_following_the_last_numbers_stay_under_their_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.dashboard.test_pages import TRAINING

    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    run = judged(tmp_path)
    scenes.drop(run, 3, [name for name in scenes.NAMES if name != "tokens"])
    page = AppTest.from_string(TRAINING)
    page.default_timeout = LIMIT_S
    app = checked(page.run())
    assert "Numbers of epoch 2; those of epoch 3 come when it is judged." in words(app)
    assert app.metric[0].value == "6 %"
