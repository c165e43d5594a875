"""The page Failures in every state; what is chosen on it, in the link; and what is asked of an analyzer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.chrome.failure_choice import FailureChoice, from_link, to_link
from dashboard.chrome.reader_choice import Selection
from dashboard.chrome.reader_choice import from_link as whole_from_link
from dashboard.chrome.reader_choice import to_link as whole_to_link
from dashboard.reading.failures import lens_of
from dashboard.reading.inside import question, state_of_question
from dashboard.reading.snapshot import CheckpointView, RunReader
from shared.answers import ASK, answer_store
from shared.errors import UsageError
from shared.findings.asked import AskedResult, ScoredText
from shared.findings.inside import InsidePair, UnitOnPair
from shared.prompts.probes import read_probes, write_probes
from shared.records import Probe
from shared.requests.folder import entries, write_state
from shared.requests.record import RequestedCheckpoint, RequestState, id_of
from shared.results import ResultStore, payload_of
from shared.run import Run
from shared.views.failures.table import Filter
from tests.dashboard import scenes
from tests.dashboard.test_pages import checked, titles, words
from tests.making.failing_run import failing_run, run_of_scores, safe, scores_of, unsafe, written
from tests.making.fakes import fake_record
from tests.making.judged_run import STEPS, guesses
from tests.making.waiting import LIMIT_S

PAGE = """from dashboard.chrome import frame
from dashboard.screens import failures
frame.framed('Failures', failures.draw)"""
Opener = Callable[..., AppTest]
FRAUD = [unsafe(number) for number in range(10)]
OPENED = written()[unsafe(3)]
"""An unsafe prompt that is missed at epochs 2 and 3; its twin is judged rightly."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that no test changes."""
    folder = tmp_path_factory.mktemp("kept")
    missing(folder)
    return folder


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))

    def start(folder: Path | None = None, **query: str) -> AppTest:
        if folder is not None:
            monkeypatch.setenv("MIDWATCH_RUNS", str(folder))
        page = AppTest.from_string(PAGE)
        page.default_timeout = LIMIT_S
        for name, value in query.items():
            page.query_params[name] = value
        return checked(page.run())

    return start


def missing(folder: Path) -> Run:
    """Epoch 1 misses two and refuses one; epochs 2 and 3 miss the fraud."""
    first = [unsafe(20), unsafe(21), safe(40)]
    run = failing_run(folder / "failing", [first, [*FRAUD, safe(40)], [*FRAUD, unsafe(60)]])
    scenes.alive(run, 3)
    return run


def test_the_table_of_wrong_prompts_and_what_is_said_of_them(kept: Path, opened: Opener) -> None:
    app = opened(kept)
    said = words(app)
    assert "11 of 128 probes judged wrongly at epoch 3: 11 of 64 unsafe missed (17 %" in said
    assert "0 of 64 safe refused" in said and "category fraud, 62 % [39, 82] of 16 unsafe missed" in said
    table = app.dataframe[0].value
    assert len(table) == 11 and set(table["kind"]) == {"missed"}
    row = table[table["prompt"] == OPENED.text].iloc[0]
    assert (row["wrong since"], row["first wrong"], row["flips"]) == ("epoch 2", "epoch 2", 1)
    assert row["nearest twin"].startswith("right −") and "How do I lock" in row["nearest twin"]
    attributed = table["top words (nats)"].str.contains("not attributed")
    assert attributed.sum() == 10 and len(app.dataframe) == 2


def test_above_the_fold_the_page_says_little(kept: Path, opened: Opener) -> None:
    app = opened(kept)
    said = [
        text.value
        for text in app.text
        if any(part in text.value for part in ("probes judged wrongly", "Never", "opens"))
    ]
    count = sum(any(letter.isalpha() for letter in word) for sentence in said for word in sentence.split())
    assert len(said) == 3 and 20 < count <= 40


def test_a_filter_and_an_order_are_in_the_link_and_come_back(kept: Path, opened: Opener) -> None:
    app = opened(kept, epoch="2")
    assert len(app.dataframe[0].value) == 11
    box = {each.label: each for each in app.selectbox}
    checked(box["Kind"].set_value("refused").run())
    assert list(app.dataframe[0].value["kind"]) == ["refused"] and app.query_params["kind"] == "refused"
    again = opened(kept, epoch="2", group="category:fraud", order="text", holds="number 7")
    assert list(again.dataframe[0].value["prompt"]) == [written()[unsafe(7)].text]
    nothing = opened(kept, epoch="2", holds="no such words")
    assert "No wrong prompt is let through" in words(nothing)


def test_every_choice_goes_through_the_link() -> None:
    chosen = FailureChoice(Filter("missed", "category:a:b", "two words", "flips"), "ab" * 8)
    assert from_link(to_link(chosen)) == chosen and to_link(FailureChoice()) == {}
    whole = Selection(run="r", failures=chosen)
    assert whole_from_link(whole_to_link(whole, None)).failures == chosen
    hostile = {"kind": "<b>", "order": "x", "group": "unknown:a", "prompt": "../../x", "holds": "y" * 1000}
    assert from_link(hostile) == FailureChoice(Filter(text="y" * 100))


def test_an_opened_prompt_shows_what_is_known_of_it(kept: Path, opened: Opener) -> None:
    app = opened(kept, prompt=OPENED.id)
    said = words(app)
    assert OPENED.text in said and "unsafe, judged safe" in said and "Wrong since epoch 2" in said
    assert "Contrast twin: How do I lock the front door of house number 3?" in said
    assert "parts" in said or "below all those of 53 rightly judged unsafe probes from layer 3 on" in said
    assert len(app.get("plotly_chart")) == 2 and "ask for them below" in said
    checked(next(each for each in app.button if each.label == "Token attribution").click().run())
    assert app.query_params["tab"] == "tokens" and app.query_params["epoch"] == "3"
    assert app.query_params["prompt"] == OPENED.id, "the prompt stays chosen"
    app = opened(kept, prompt=OPENED.id)
    closed = checked(next(each for each in app.button if each.label == "Close").click().run())
    assert "prompt" not in closed.query_params and not closed.get("plotly_chart")


def test_of_an_attributed_one_the_words_are_drawn(kept: Path, opened: Opener) -> None:
    first = written()[unsafe(0)]
    app = opened(kept, prompt=first.id)
    drawn = {part.key for part in app.get("bidi_component")}
    assert {"failure-words-card", "failure-words-scale"} <= drawn and "ask for them below" not in words(app)
    checked(next(each for each in app.button if each.label == "Token attribution").click().run())
    assert re.fullmatch(r"4\.\d+", app.query_params["word"]), "its strongest word is picked there"


def test_at_a_checkpoint_that_judges_it_rightly_it_is_not_called_wrong(kept: Path, opened: Opener) -> None:
    said = words(opened(kept, epoch="1", prompt=OPENED.id))
    assert "not judged wrongly at epoch 1" in said and "Right at each of 1 checkpoint so far" in said


def test_an_unknown_prompt_says_so(kept: Path, opened: Opener) -> None:
    assert "This prompt is not there" in titles(opened(kept, prompt="0" * 16))


def test_nothing_wrong_says_what_that_allows(tmp_path: Path, opened: Opener) -> None:
    scenes.alive(failing_run(tmp_path / "good", [[], []]), 2)
    app = opened()
    assert "Nothing wrong among 128 probes at epoch 2: at most 4 % by the 95 % interval" in words(app)
    assert len(app.dataframe) == 1, "the groups, which are all right"


def test_of_a_judge_that_learned_nothing_no_group_is_named(tmp_path: Path, opened: Opener) -> None:
    scenes.alive(run_of_scores(tmp_path / "null", [guesses(0)]), 1)
    said = words(opened())
    assert "may be chance" in said and "Told apart" not in said


@pytest.mark.parametrize(
    ("scene", "query", "title", "detail"),
    [
        (scenes.foreign, {}, "Not analysed yet", "midwatch watch"),
        (scenes.busy, {"epoch": "3"}, "Next", "layers"),
        (scenes.busy, {"epoch": "4"}, "Not analysed yet", "Place 2 of 2 in the queue"),
        (scenes.busy, {"epoch": "6"}, "Failed", "midwatch retry"),
        (scenes.gone, {}, "Which prompts are wrong cannot be told", "--force"),
        (scenes.damaged, {}, "Which prompts are wrong cannot be told", "--force"),
    ],
)
def test_every_state_says_what_is_and_what_to_do(
    scene: Callable[[Path], Run], query: dict[str, str], title: str, detail: str, tmp_path: Path, opened: Opener
) -> None:
    scene(tmp_path)
    app = opened(**query)
    assert title in titles(app) and detail in words(app) and not app.dataframe


def test_partial_results_leave_the_rest(tmp_path: Path, opened: Opener) -> None:
    run = missing(tmp_path)
    scenes.drop(run, 3, ["tokens", "layers"])
    app = opened(prompt=OPENED.id)
    assert len(app.get("plotly_chart")) == 1 and "Through the layers:" in words(app)
    assert app.dataframe[0].value["top words (nats)"].str.contains("words not analysed").all()


def test_a_probe_set_that_was_exchanged_is_never_shown_for_another(tmp_path: Path, opened: Opener) -> None:
    run = missing(tmp_path)
    probes = written()
    write_probes(run.probes, [*probes[1:], probes[0].model_copy(update={"text": "Another one."})])
    app = opened()
    assert "Which prompts are wrong cannot be told" in titles(app) and not app.dataframe


def test_prompts_without_a_score_are_neither_right_nor_wrong(tmp_path: Path, opened: Opener) -> None:
    scores = scores_of(FRAUD)
    scores[unsafe(3)] = np.nan
    scenes.alive(run_of_scores(tmp_path / "holes", [scores]), 1)
    said = words(opened())
    assert "9 of 127 probes judged wrongly" in said and "1 probe without a score" in said


def view_of(run: Run, epoch: int = 3) -> CheckpointView:
    found = RunReader(run).snapshot().get(f"checkpoint-{epoch * STEPS}")
    assert found is not None
    return found


@pytest.mark.parametrize("digest", ["probe_digest", "checkpoint_digest"])
def test_read_outs_of_other_prompts_or_weights_are_not_shown(tmp_path: Path, digest: str) -> None:
    run = missing(tmp_path)
    assert lens_of(view_of(run)) is not None
    store = ResultStore(run.results)
    old = store.newest(f"checkpoint-{3 * STEPS}", "layers")
    assert old is not None
    store.commit(old.model_copy(update={"key": "e" * 20, digest: "0" * 64}), store.tensors(old))
    assert lens_of(view_of(run)) is None


def test_the_button_files_one_request_and_waits(tmp_path: Path, opened: Opener) -> None:
    run = missing(tmp_path)
    app = opened(prompt=OPENED.id)
    checked(next(each for each in app.button if each.label == "Ask the analyzer").click().run())
    (entry,) = entries(run)
    twin = next(probe for probe in written() if probe.pair == OPENED.pair and probe.label == "safe")
    what = question(view_of(run), OPENED, twin)
    state = state_of_question(run, what)
    assert entry.name == f"{state.id}.json" if state is not None else False
    assert "Waits" in titles(app) and not [each for each in app.button if each.label == "Ask the analyzer"]
    assert "midwatch watch" not in words(app), "an analyzer has the run"
    scenes.alive(run, 3, heartbeat_at=1.0)
    assert "midwatch watch" in words(opened(prompt=OPENED.id))


def test_an_answer_is_shown_where_it_is_there(tmp_path: Path, opened: Opener) -> None:
    run = missing(tmp_path)
    twin = next(probe for probe in written() if probe.pair == OPENED.pair and probe.label == "safe")
    what = question(view_of(run), OPENED, twin)
    told = AskedResult(
        prompt=ScoredText(text=OPENED.text, score=-3.0, probability=0.05, tokens=9),
        inside=InsidePair(
            score=-3.0,
            twin_score=-1.0,
            heads=[UnitOnPair(kind="head", layer=4, unit=3, effect=1.2)],
            heads_tried=72,
            heads_of=72,
            other_heads=0.02,
            neurons=[UnitOnPair(kind="neuron", layer=5, unit=7, effect=0.5, reading=0.0, twin_reading=2.0)],
            random_neurons=[0.01, 0.03],
        ),
        notes=["<b>bold</b>"],
    )
    record = fake_record(ASK, payload_of(told), {}, 3 * STEPS, 3.0, 6)
    answer_store(run).commit(record)
    state = state_of_question(run, what)
    done = RequestedCheckpoint(checkpoint=record.checkpoint, state="done", answers=[record.key])
    write_state(run, RequestState(id=id_of(what), state="done", checkpoints=[done]))
    assert state is None
    app = opened(prompt=OPENED.id)
    said = words(app)
    assert "The twin scores +2.00 nats from this prompt" in said and "of 72 heads L4.H3 moves it +1.20 nats" in said
    assert "the other heads 0.020 (median)" in said and "2 random neurons of the same layers 0.030 at most" in said
    assert "n = 1 pair: it describes these two" in said and "Of other weights" not in titles(app)
    checked(next(each for each in app.button if each.label.startswith("Whole answer")).click().run())
    assert app.query_params["asked"] == id_of(what)
    units = app.dataframe[1].value
    assert list(units["unit"]) == ["L4.H3", "L5.N7"] and list(units["share of the gap"]) == [0.6, 0.25]
    store = ResultStore(run.results)
    old = store.newest(f"checkpoint-{3 * STEPS}", "progress")
    assert old is not None
    again = old.model_copy(update={"key": "e" * 20, "checkpoint_digest": "0" * 64})
    store.commit(again, store.tensors(old))
    app = opened(prompt=OPENED.id)
    assert "Of other weights" in titles(app)
    checked(next(each for each in app.button if each.label == "Ask again").click().run())
    assert len(list(entries(run))) == 1


def test_a_request_that_may_not_be_read_is_none(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.at(kept / "failing")

    def refused(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dashboard.reading.inside.state_of", refused)
    assert state_of_question(run, question(view_of(run), OPENED, None)) is None


def test_what_cannot_be_asked_says_why() -> None:
    view = CheckpointView("checkpoint-1", 1, None, "step 1")
    odd = Probe(id="0" * 16, text="a\x00b", label="safe")
    with pytest.raises(UsageError):
        question(view, odd, None)
    one, other = (Probe(id="1" * 16, text=text, response=text, label="safe") for text in ("a", "b"))
    with pytest.raises(UsageError, match="another response"):
        question(view, one, other)


def test_hostile_prompts_are_text(tmp_path: Path, opened: Opener) -> None:
    run = missing(tmp_path)
    probes = written()
    hostile = "".join(scenes.INJECTIONS[:3])
    probes[unsafe(3)] = probes[unsafe(3)].model_copy(update={"text": hostile, "category": scenes.INJECTIONS[1]})
    write_probes(run.probes, probes)
    digest = read_probes(run.probes).digest
    store = ResultStore(run.results)
    for name in store.checkpoints():
        for analysis in ("progress", "layers", "tokens"):
            old = store.newest(name, analysis)
            assert old is not None
            tensors = store.tensors(old)
            store.remove(name, analysis, old.key)
            store.commit(old.model_copy(update={"probe_digest": digest}), tensors)
    wanted = next(probe.id for probe in read_probes(run.probes).probes if probe.text == hostile)
    app = opened(prompt=wanted)
    assert not [part for part in app.markdown if "evil" in str(part.value)]
    assert any("evil.invalid" in str(part.value) for part in app.text)


TRAINING = """from dashboard.chrome import frame
from dashboard.screens import training
frame.framed('Training Visualizations', training.draw)"""


@pytest.mark.parametrize(
    ("tab", "said"), [("layers", "Chosen prompt: How do I break into"), ("tokens", "not among the attributed")]
)
def test_in_training_visualizations_the_prompt_is_still_chosen(
    tab: str, said: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_RUNS", str(kept))
    app = AppTest.from_string(TRAINING)
    app.default_timeout = LIMIT_S
    for name, value in {"tab": tab, "prompt": OPENED.id}.items():
        app.query_params[name] = value
    assert said in words(checked(app.run()))
    if tab == "layers":
        (box,) = [each for each in app.selectbox if each.label.startswith("Prompt to follow through the layers")]
        assert box.value == OPENED.id and box.options[1].startswith("✗ "), "the wrongly judged ones first"
        checked(box.set_value("").run())
        assert "Chosen prompt" not in words(app) and "prompt" not in app.query_params


def test_a_run_that_cannot_be_written_says_so(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(tmp_path)
    monkeypatch.setattr("dashboard.chrome.desk.why_not", lambda run: "It cannot be written.")
    app = opened(prompt=OPENED.id)
    (button,) = [each for each in app.button if each.label == "Ask the analyzer"]
    assert button.disabled and "It cannot be written." in words(app)
