"""The page *Analyzer*: its buttons file requests, and say why where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.reading.passages import passages
from dashboard.reading.snapshot import RunReader
from dashboard.screens.service import behind
from dashboard.screens.service_exceptions import SAID
from shared.figures.run.timeline import timeline_figure
from shared.records import RequestStatus
from shared.requests.folder import entries, file_request, read_request
from shared.requests.record import Analyze, Cancel, Retry
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import ANALYZER, checked, titles, words
from tests.making.fake_answers import answered, fake_question
from tests.making.fake_run import fake_status
from tests.making.waiting import LIMIT_S


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    return tmp_path


def opened(**query: str) -> AppTest:
    page = AppTest.from_string(ANALYZER)
    page.default_timeout = LIMIT_S
    for name, value in query.items():
        page.query_params[name] = value
    return checked(page.run())


def filed(run: Run) -> list[object]:
    return [read_request(run.requests / entry.name).what for entry in entries(run)]


def test_exceptions_come_first_each_with_its_button(folder: Path) -> None:
    run = scenes.busy(folder)
    page = opened(epoch="1")
    said = [each.value for each in page.subheader]
    assert said[:2] == ["Failed", "Refused"] and said.index("Failed") < said.index("Queue")
    for key in ("Retry-row-0-checkpoint-720", "retry-all", "Re-analyse-one", "Advanced-one"):
        checked(page.button(key=key).click().run())
    asked = filed(run)
    assert len(asked) == 4 and Retry(checkpoints=("checkpoint-720",)) in asked and Retry() in asked
    assert Analyze(checkpoints=("checkpoint-120",), force=True) in asked
    assert Analyze(checkpoints=("checkpoint-120",), suite="advanced") in asked
    page = opened(epoch="1")
    assert "suite basic of checkpoint-120, anew · not seen by the analyzer yet" in words(page)


def test_why_a_button_did_nothing_is_said_of_its_own_run_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scenes.busy(folder)
    page = opened(epoch="1")
    monkeypatch.setattr("dashboard.chrome.desk.file", lambda run, what: (None, f"{run.name} is full."))
    checked(page.button(key="retry-all").click().run())
    assert "is full." in words(page) and list(page.session_state[SAID]) == [run.out]
    page.session_state[SAID] = {folder / "another": "another is full."}
    assert "is full." not in words(checked(page.run()))


def test_what_waits_and_runs_can_be_cancelled(folder: Path) -> None:
    run = scenes.done(folder, 2)
    names = [file_request(run, fake_question(run, text, twin="", steps=[120, 240])).id for text in ("one", "two")]
    told = [
        RequestStatus(id=name, kind="ask", state=state, place=place, done=1, total=2)
        for place, (name, state) in enumerate(zip(names, ("running", "waiting"), strict=True))
    ]
    scenes.alive(run, 2, requests=told)
    page = opened()
    assert '"one" at 2 checkpoints · runs, 1 of 2 checkpoints' in words(page)
    assert '"two" at 2 checkpoints · place 1 in the queue, 1 of 2 checkpoints' in words(page)
    checked(page.button(key=f"cancel-{names[1]}").click().run())
    assert Cancel(request=names[1]) in filed(run) and page.button(key=f"cancel-{names[1]}").disabled
    assert not page.button(key=f"cancel-{names[0]}").disabled


def test_what_ended_badly_says_why(folder: Path) -> None:
    run = scenes.done(folder, 1)
    cause = "It is no judge. ![x](http://evil.invalid/a.png)"
    answered(run, fake_question(run, scenes.INJECTIONS[0], twin="", steps=[120]), "failed", done=0, sentence=cause)
    page = opened()
    assert "Failed" in titles(page) and cause in words(page)
    assert not any("evil" in part.value for part in [*page.markdown, *page.caption])


def test_on_a_run_that_cannot_be_written_the_buttons_say_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.busy(folder)
    monkeypatch.setattr("dashboard.chrome.desk.os.access", lambda path, mode: False)
    page = opened()
    assert "The buttons cannot be used" in titles(page) and "cannot be written by the dashboard" in words(page)
    assert all(
        page.button(key=key).disabled for key in ("retry-all", "Re-analyse-one", "Retry-row-0-checkpoint-720")
    )


def test_what_is_asked_of_nobody_stays_visible(folder: Path) -> None:
    run = scenes.gone(folder)
    file_request(run, fake_question(run, "one", twin="", steps=[120]))
    assert "No analyzer has this run: what is asked stays filed" in words(opened())
    run.status.unlink()
    assert '"one" at checkpoint-120' in words(opened())


def test_how_far_behind_is_said_in_plain_words() -> None:
    status = fake_status(3)
    assert behind(status)[0] == "nothing"
    late = status.model_copy(update={"lag_checkpoints": 1, "lag_s": 2238.0})
    assert behind(late) == ("37\u00a0min", "1 checkpoint is saved and not analysed, the oldest for 37\u00a0min")
    assert "2 checkpoints are saved" in behind(late.model_copy(update={"lag_checkpoints": 2}))[1]


def test_checkpoints_are_saved_and_analysed_at_the_times_of_their_files(tmp_path: Path) -> None:
    run = scenes.gone(tmp_path)
    found = passages(RunReader(run).snapshot())
    assert [(each.label, each.saved is not None, each.analysed is not None) for each in found] == [
        ("epoch 1", True, True), ("epoch 2", True, True), ("epoch 3", True, False)
    ]  # fmt: skip
    saved, analysed = timeline_figure(found, "t").data
    assert list(saved.y) == [1, 2, 3] and list(analysed.y) == [1, 2]
    assert timeline_figure([], "t").data == ()
