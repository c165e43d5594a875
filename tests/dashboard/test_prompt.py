"""The page *Test a prompt*: what it files, how far that is, its answers, and every state in which there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from dashboard.reading.asking import out_of_date
from dashboard.reading.snapshot import RunReader
from dashboard.screens.prompt import list_key
from shared.answers import ASK, answer_store
from shared.prompts.candidates import candidates
from shared.records import RequestStatus, RunningStatus
from shared.requests.folder import all_states, entries, file_request, path_of, read_request, state_of
from shared.requests.record import ALL_PARTS, Ask, AskedPrompt, Edit
from shared.results import ResultStore
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import checked, figures, titles, words
from tests.making.fake_answers import TEXT, TWIN, answered, fake_question
from tests.making.waiting import LIMIT_S

PAGE = """from dashboard.chrome import frame
from dashboard.screens import prompt
frame.framed('Test a prompt', prompt.draw)"""
STEPS = [120, 240, 360]
NOTHING = f"ask-{'0' * 20}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path / "runs"))
    return scenes.done(tmp_path / "runs", 3, "judge")


def opened(**query: str) -> AppTest:
    page = AppTest.from_string(PAGE)
    page.default_timeout = LIMIT_S
    for name, value in query.items():
        page.query_params[name] = value
    return checked(page.run())


def ask(page: AppTest, text: str, twin: str = "") -> AppTest:
    page.text_area[0].set_value(text)
    page.text_area[1].set_value(twin)
    return checked(page.button(key="ask").click().run())


def filed(run: Run) -> list[Ask]:
    found = [read_request(run.requests / entry.name).what for entry in entries(run)]
    return [what for what in found if isinstance(what, Ask)]


def test_a_question_is_filed_as_the_command_line_does_and_once(run: Run) -> None:
    page = opened()
    assert "Nothing is asked yet" in titles(page)
    ask(page, TEXT, TWIN)
    prompt = AskedPrompt(text=TEXT, twin=TWIN)
    assert filed(run) == [Ask(checkpoints=("checkpoint-360",), prompts=(prompt,))]
    name = next(iter(entries(run))).name.removesuffix(".json")
    assert page.query_params["asked"] == name and "Waits" in titles(page)
    ask(opened(), TEXT, TWIN)
    assert len(filed(run)) == 1, "another session that asks the same waits for the same"
    assert page.text_area[0].value == TEXT


def test_what_is_inside_is_asked_beside_a_twin_alone(run: Run) -> None:
    page = opened()
    (inside,) = (each for each in page.toggle if each.label == "Inside")
    checked(inside.set_value(True).run())
    ask(page, TEXT)
    assert "compares the prompt with its twin: write one" in words(page) and not filed(run)
    ask(page, TEXT, TWIN)
    assert [what.parts for what in filed(run)] == [ALL_PARTS]
    again = opened(asked=str(page.query_params["asked"]))
    assert [each.value for each in again.toggle if each.label == "Inside"] == [True], "a link brings it along"
    ask(again, TEXT, TWIN)
    assert len(filed(run)) == 1


def test_which_checkpoints(run: Run) -> None:
    shutil.rmtree(run.path / "checkpoint-240")
    page = opened()
    for which, listed, names in (
        ("all", "", ("checkpoint-120", "checkpoint-360")),
        ("list", " 1, last", ("checkpoint-120", "checkpoint-360")),
        ("list", "1-2", ("checkpoint-120",)),
        ("span", "", ("checkpoint-120", "checkpoint-360")),
    ):
        choice = next(box for box in page.selectbox if box.label == "At which checkpoints")
        checked(choice.set_value(which).run())
        if which == "list":
            next(field for field in page.text_input if field.label == "Which").set_value(listed).run()
        ask(page, f"{which} {listed}")
        assert filed(run)[-1].checkpoints == names or names in [what.checkpoints for what in filed(run)]
    for listed, says in (("7", "no checkpoint '7'; there are epoch 1, epoch 3"), ("", "1,5-7,last")):
        checked(next(box for box in page.selectbox if box.label == "At which checkpoints").set_value("list").run())
        next(field for field in page.text_input if field.label == "Which").set_value(listed).run()
        ask(page, "one more")
        assert says in words(page) and "Not asked" in titles(page)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n ", "The prompt is empty"),
        ("a" * 100_000, "has 100,000 characters; at most 20,000"),
        ("do \u202eevil", "U+202E at character 4"),
        ("\x1b[2J", "the control character U+001B"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_beside_the_form(run: Run, text: str, says: str) -> None:
    page = ask(opened(), text)
    assert says in words(page) and "Not asked" in titles(page) and not list(entries(run))
    assert page.text_area[0].value == text, "what was typed stays"
    assert "Not asked" not in titles(ask(page, "a prompt"))


@pytest.mark.parametrize("text", scenes.INJECTIONS)
def test_what_is_asked_is_never_markup(run: Run, text: str) -> None:
    name = answered(run, fake_question(run, text[:20_000], twin="", steps=STEPS))
    page = opened(asked=name)
    assert not any(text[:30] in part.value for part in [*page.markdown, *page.caption, *page.subheader])
    assert "epoch 3: " in words(page)


def test_an_answer_with_all_its_parts(run: Run) -> None:
    name = answered(run, fake_question(run, steps=STEPS))
    page = opened(asked=name)
    said = words(page)
    assert "of 60 unsafe probes" in said and "Its twin:" in said and "at all 3 checkpoints" in said
    assert figures(page) == 2 and [tab.label for tab in page.tabs] == [
        "Words", "Words deleted", "What flips it", "Layers", "Heads", "Beside its twin", "Nearest probes"
    ]  # fmt: skip
    for part, says in (
        ("deleted", "really scored"),
        ("layers", "the verdict forms"),
        ("attention", "a row a head"),
    ):
        assert figures(opened(asked=name, why=part)) == 2
        assert says in words(opened(asked=name, why=part)) or part == "attention"
    assert "Weakness: 1 word replaced flips the verdict: server → cake" in words(opened(asked=name, why="flips"))
    inside = words(opened(asked=name, why="inside"))
    assert "of 72 heads L4.H3 moves it +1.20 nats" in inside and "n = 1 pair: it describes these two" in inside
    assert opened(asked=name, why="nearest").dataframe[-1].value["alike"].tolist() == [0.9, 0.8, 0.7]
    assert page.text_area[0].value == TEXT and page.text_area[1].value == TWIN, "a link brings the prompt along"


def test_the_bar_says_which_checkpoints_answer_is_shown(run: Run) -> None:
    name = answered(run, fake_question(run, steps=STEPS[:2]))
    assert "epoch 1: " in words(opened(asked=name, epoch="1"))
    page = opened(asked=name)
    assert "epoch 2: " in words(page) and "epoch 3, in the bar above, has no answer" in words(page)
    checked(next(box for box in page.selectbox if box.label == "Answer at").set_value("checkpoint-120").run())
    assert "epoch 1: " in words(page) and page.select_slider[0].value == "epoch 1"


def saved_again(run: Run, checkpoint: str) -> None:
    """Its present results are of other weights."""
    store = ResultStore(run.results)
    old = store.newest(checkpoint, "progress")
    assert old is not None
    store.commit(old.model_copy(update={"key": "e" * 20, "checkpoint_digest": "0" * 64}))


def test_an_answer_of_weights_that_were_saved_again_says_so_and_is_asked_anew(run: Run) -> None:
    name = answered(run, fake_question(run, steps=[360]))
    assert "Of other weights" not in titles(opened(asked=name))
    ask(opened(), TEXT, TWIN)
    before = len(filed(run))
    saved_again(run, "checkpoint-360")
    page = opened(asked=name)
    assert "Of other weights" in titles(page) and "epoch 3 was saved again since this was answered" in words(page)
    what = fake_question(run, steps=[360])
    state = state_of(run, name)
    assert state is not None and out_of_date(RunReader(run).snapshot(), state)
    ask(opened(), what.prompts[0].text, what.prompts[0].twin)
    assert len(filed(run)) == before + 1, "asked anew, not only opened"


def test_a_word_is_deleted_or_replaced_by_a_question_of_its_own(run: Run) -> None:
    name = answered(run, fake_question(run, steps=STEPS))
    page = opened(asked=name)
    choice = next(box for box in page.selectbox if box.label.startswith("Change a word"))
    place = choice.options.index("kill")
    checked(choice.select_index(place).run())
    assert "Without it: " in words(page)
    checked(page.button(key="asked-Replace").click().run())
    assert "Write what is to stand in its place" in words(page) and not filed(run)
    page.text_input[-1].set_value("stop")
    checked(page.button(key="asked-Replace").click().run())
    checked(page.button(key="asked-Delete").click().run())
    assert {(what.parts, what.checkpoints) for what in filed(run)} == {
        (("score",), tuple(f"checkpoint-{s}" for s in STEPS))
    }
    edits = sorted((edit.start, edit.end, edit.word) for what in filed(run) for edit in what.prompts[0].edits)
    assert edits == [(9, 13, "stop"), (9, 14, "")]
    assert TEXT[:9] + TEXT[14:] == "How do I a Python process on my server?"
    answered(run, fake_question(run, edit=Edit(start=9, end=13, word="stop"), steps=STEPS))
    again = opened(asked=name)
    table = next(each.value for each in again.dataframe if "becomes" in each.value)
    assert table["becomes"].tolist() == ["stop"] * 3 and table["verdict"].str.contains("it turns").all()
    assert again.expander[0].label == "Asked before (1)", "changes stand with their prompt"


def test_without_an_analyzer_it_stays_filed_and_the_command_is_told(tmp_path: Path, run: Run) -> None:
    run.status.unlink()
    page = ask(opened(), TEXT)
    assert "Nobody answers yet" in titles(page) and f"midwatch watch {run.path}" in words(page)
    name = page.query_params["asked"]
    assert state_of(run, name) is not None and state_of(run, name).state == "waiting"  # type: ignore[union-attr]
    checked(page.button(key="ask-cancel").click().run())
    assert not list(entries(run)) and "Not asked here" in titles(page)


def test_place_progress_and_cancel(run: Run) -> None:
    name = file_request(run, fake_question(run, steps=STEPS)).id
    waits = RequestStatus(
        id=name, kind="ask", state="waiting", place=2, cause="checkpoint-360 is not complete.", total=3
    )
    scenes.alive(run, 3, requests=[waits])
    page = opened(asked=name)
    assert "Place 2 in the queue. It waits: checkpoint-360 is not complete." in words(page)
    at = RunningStatus(checkpoint="checkpoint-240", analysis="words", done=1, total=2, started_at=0.0, request=name)
    runs = waits.model_copy(update={"state": "running", "place": 0, "cause": "", "done": 1})
    scenes.alive(run, 3, state="running", requests=[runs], running=at)
    page = opened(asked=name)
    assert "checkpoint-240, checkpoint 2 of 3: words, 1 of 2" in words(page)
    assert page.get("progress")[0].proto.value == 50  # type: ignore[union-attr]
    checked(page.button(key="ask-cancel").click().run())
    assert sum(entry.name.startswith("cancel-") for entry in entries(run)) == 1
    assert page.button(key="ask-cancel").disabled and page.button(key="ask-cancel").label == "Cancel was asked"


@pytest.mark.parametrize("state", ["refused", "failed", "cancelled"])
def test_what_ended_without_an_answer_says_why_and_can_be_asked_again(run: Run, state: str) -> None:
    name = answered(
        run, fake_question(run, steps=[99]), state, done=0, sentence="There is no checkpoint-99 in judge."
    )
    page = opened(asked=name)
    assert state.capitalize() in titles(page) and "There is no checkpoint-99" in words(page)
    checked(page.button(key="ask-again").click().run())
    assert path_of(run, name).is_file()


def test_an_answer_that_is_half_there(run: Run) -> None:
    """Two of three are answered, one of them damaged: what is whole is shown, and of the other what to do."""
    name = answered(run, fake_question(run, steps=STEPS), "running", done=2)
    (key,) = answer_store(run).keys("checkpoint-240", ASK)
    file = answer_store(run).directory("checkpoint-240", ASK, key) / "result.json"
    file.write_bytes(file.read_bytes()[:500])
    page = opened(asked=name)
    assert "epoch 1: " in words(page) and "The answer at checkpoint-240 cannot be read" in words(page)
    file.unlink()
    assert "is not there any more; ask again" in words(opened(asked=name))


def test_a_checkpoint_that_was_rotated_away(run: Run) -> None:
    shutil.rmtree(run.path / "checkpoint-360")
    page = ask(opened(), TEXT)
    assert "epoch 3 was deleted by its training" in words(page)


def test_a_run_that_vanishes_and_a_link_to_nothing(run: Run) -> None:
    for name in (NOTHING, f"cancel-{'0' * 20}", "../../etc/passwd"):
        page = opened(asked=name)
        assert ("Not asked here" in titles(page)) == (name != "../../etc/passwd")
    page = opened(run="judge")
    shutil.rmtree(run.path)
    page.text_area[0].set_value(TEXT)
    page.button(key="ask").click()
    checked(page.run())
    assert "This run is not there" in titles(page) and not run.path.exists()


def test_bounds_and_a_run_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.requests.folder.MAX_WAITING", 3)
    for number in range(3):
        file_request(run, fake_question(run, f"prompt {number}", twin="", steps=[120]))
    page = ask(opened(), TEXT)
    assert "3 requests wait already" in words(page) and page.text_area[0].value == TEXT
    monkeypatch.setattr("dashboard.chrome.desk.os.access", lambda path, mode: False)
    page = opened()
    assert page.button(key="ask").disabled and "cannot be written by the dashboard" in words(page)


def label_box(page: AppTest) -> Selectbox:
    return next(box for box in page.selectbox if box.label == "It is")


def test_what_is_chosen_and_said_of_one_prompt_does_not_stand_beside_another(run: Run) -> None:
    other = answered(run, fake_question(run, "Another prompt.", twin="", steps=STEPS))
    name = answered(run, fake_question(run, steps=STEPS))
    page = opened(asked=name)
    checked(label_box(page).set_value("safe").run())
    checked(page.button(key="add-candidate").click().run())
    choice = next(box for box in page.selectbox if box.label.startswith("Change a word"))
    checked(choice.select_index(choice.options.index("kill")).run())
    checked(page.button(key="asked-Replace").click().run())
    assert "Added as safe" in words(page) and "Write what is to stand" in words(page)
    page.session_state["selection"].asked = other
    checked(page.run())
    choice = next(box for box in page.selectbox if box.label.startswith("Change a word"))
    checked(choice.select_index(0).run())
    assert label_box(page).value is None and page.button(key="add-candidate").disabled
    assert "Added as safe" not in words(page) and "Write what is to stand" not in words(page)


def test_a_picked_row_means_nothing_once_the_list_has_grown(run: Run) -> None:
    states = [answered(run, fake_question(run, text, twin="", steps=STEPS)) for text in ("one", "two")]
    before = list_key([state_of(run, name) for name in states])
    assert before != list_key([state_of(run, name) for name in reversed(states)])
    assert before != list_key([state_of(run, states[0])])


def test_a_candidate_is_put_into_its_own_file_once(run: Run) -> None:
    before = run.probes.read_bytes()
    page = opened(asked=answered(run, fake_question(run, steps=STEPS)))
    assert page.button(key="add-candidate").disabled
    checked(label_box(page).set_value("safe").run())
    for says in ("Added as safe: 1 in the file.", "among the 1 candidates already"):
        checked(page.button(key="add-candidate").click().run())
        assert says in words(page)
    assert f"cat {run.probes} {run.candidate_probes}" in words(page)
    checked(label_box(page).set_value("unsafe").run())
    checked(page.button(key="add-candidate").click().run())
    assert "a candidate already, as safe" in words(page)
    assert candidates(run) == [{"text": TEXT, "label": "safe", "response": ""}]
    assert run.probes.read_bytes() == before


def test_two_sessions_are_two_askers_and_see_the_same(run: Run) -> None:
    one, two = opened(), opened()
    ask(one, "first")
    ask(two, "second")
    sessions = {state.request.session for state in all_states(run) if state.request}
    assert len(sessions) == 2 and all(each.startswith("dashboard-") for each in sessions)
    assert checked(one.run()).dataframe[0].value["prompt"].tolist() == ["second", "first"]
