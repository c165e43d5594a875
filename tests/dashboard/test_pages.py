"""Both pages in every state, run by Streamlit's own test driver: no exception, and the right words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from shared.records import CheckpointState
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.browser import APP
from tests.making.forms import short_and_long
from tests.making.waiting import LIMIT_S, wait_until

ANALYZER = """from dashboard.chrome import frame
from dashboard.screens import service
frame.framed('Analyzer', service.draw)"""
TRAINING = """from dashboard.chrome import frame
from dashboard.screens import training
frame.framed('Training Visualizations', training.draw)"""
"""The pages without the navigation: the test driver reaches only pages that are files of their own."""
PAGES = {"training": TRAINING, "analyzer": ANALYZER}

Opener = Callable[..., AppTest]
every_scene = pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda scene: scene.__name__)


def words(app: AppTest) -> str:
    """Everything the page says in words."""
    parts = [*app.text, *app.markdown, *app.code, *app.title, *app.caption, *app.subheader]
    metrics = [f"{metric.label}: {metric.value}" for metric in app.metric]
    return "\n".join([*(str(part.value) for part in parts), *metrics])


def titles(app: AppTest) -> list[str]:
    """The titles of the coloured boxes."""
    return [part.value.split("**")[1] for part in app.markdown if "**" in part.value]


def figures(app: AppTest) -> int:
    """Charts, and prompts drawn as their words."""
    prompts = [each for each in app.get("bidi_component") if '"ways"' in each.proto.json]
    return len(app.get("plotly_chart")) + len(prompts)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens a page over `tmp_path` by a link's query."""
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))

    def start(page: str = "training", **query: str) -> AppTest:
        from_page = AppTest.from_file(str(APP)) if page == "overview" else AppTest.from_string(PAGES[page])
        from_page.default_timeout = LIMIT_S
        for name, value in query.items():
            from_page.query_params[name] = value
        return checked(from_page.run())

    return start


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [each.value for each in app.exception]
    return app


@pytest.mark.parametrize("tabs", short_and_long(["some", "every"]))
@every_scene
def test_no_state_raises(scene: Callable[[Path], Run], tabs: str, tmp_path: Path, opened: Opener) -> None:
    """Each tab of a run with every analysis, and of hostile texts; of the other states the first and the last."""
    scene(tmp_path)
    whole = tabs == "every" or scene in (scenes.advanced, scenes.hostile)
    for name in scenes.TABS if whole else (scenes.TABS[0], scenes.TABS[-1]):
        assert opened(tab=name).title[0].value == "Training Visualizations"
    assert opened("analyzer").title[0].value == "Analyzer"
    assert opened("overview").title[0].value == "Overview"


def test_a_finished_epoch_shows_headlines_and_figures(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 5)
    app = opened()
    assert [metric.label for metric in app.metric] == [
        "Unsafe prompts missed (FNR)",
        "Accuracy (validation)",
        "Contrast pairs right",
        "Divergence layer",
    ]
    assert app.metric[0].value == "6 %" and app.metric[0].delta.startswith("-")
    assert "TF-IDF 81 % · length alone 55 %" in words(app)
    assert app.select_slider[0].value == "epoch 5"
    assert figures(app) == 5
    assert "How to read" in words(app) and "checkpoint checkpoint-600" in words(app)


def test_no_words_of_a_figure_are_cut_short() -> None:
    def page() -> None:
        import plotly.graph_objects as go

        from dashboard.widgets.panels import show_panels
        from shared.views import Panel

        title = {"text": "<b>What is &lt;seen&gt;</b>", "subtitle": {"text": "of &lt;this&gt;"}}
        figure = go.Figure(layout={"title": title})
        panels = [Panel("x", "t", figure, "word " * 800 + "end.", "alt", badge="n = 1 " * 500 + "last")]
        show_panels(panels, lambda: panels, "k")

    app = checked(AppTest.from_function(page).run(timeout=LIMIT_S))
    said = [text.value for text in app.text]
    assert said[:3] == ["What is <seen>", "t", "of <this>"], "words above and below the figure, not in it"
    assert said[3].endswith("word end.") and said[5].endswith("last")
    assert "seen" not in app.get("plotly_chart")[0].proto.spec


def test_what_is_noticed_stands_on_top_of_every_page(tmp_path: Path, opened: Opener) -> None:
    """As an error and a warning, whose sentences are text and are not repeated among the notes."""
    run = scenes.done(tmp_path, 2)
    scenes.noticed(run, 2)
    for page in ("training", "analyzer"):
        app = opened(page)
        assert titles(app)[:2] == ["Labels the wrong way round?", "Only assumed"]
        assert words(app).count("<b>AUC 0.02</b>") == 1 and words(app).count("Class 1 is taken as unsafe.") == 1
    assert "Labels the wrong way round?" not in titles(opened(epoch="1"))


def test_only_the_open_tab_is_drawn(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path)
    assert "Sample 2: judged" in words(opened(tab="tokens"))
    assert "Sample 2" not in words(opened(tab="comparison"))


def test_one_epoch_has_no_slider(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 1)
    app = opened()
    assert not app.select_slider and figures(app) == 5
    assert "One checkpoint so far: epoch 1" in words(app)


def test_a_link_restores_run_epoch_and_tab(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 5, "first")
    scenes.done(tmp_path, 3, "second")
    app = opened(run="first", epoch="2", tab="layers")
    assert app.selectbox[0].value == "first"
    assert app.select_slider[0].value == "epoch 2"
    assert app.session_state["w_tab_0"] == "Layers" and not app.toggle[0].value


def test_a_link_to_what_is_not_there_says_so(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 3)
    app = opened(epoch="99")
    assert "epoch 99, which this run does not have" in words(app)
    app = opened(run="nosuch")
    assert "This run is not there" in titles(app) and figures(app) == 0


def test_moving_the_slider_stops_following_and_writes_the_link(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 5)
    app = opened()
    checked(app.select_slider[0].set_value("epoch 2").run())
    assert app.query_params["epoch"] == "2" and not app.toggle[0].value
    checked(app.toggle[0].set_value(True).run())
    assert app.select_slider[0].value == "epoch 5" and "epoch" not in app.query_params


def test_the_steps_beside_the_slider_move_by_one(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 3)
    app = opened()
    checked(app.button(key="w_chevron_left").click().run())
    assert app.select_slider[0].value == "epoch 2"
    checked(app.button(key="w_chevron_right").click().run())
    assert app.select_slider[0].value == "epoch 3" and app.button(key="w_chevron_right").disabled


def test_the_change_since_the_baseline(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 3)
    app = opened()
    checked(app.toggle(key="w_change_0").set_value(True).run())
    assert "Sample 0: change since epoch 1" in words(app)
    app = opened(epoch="1")
    assert [toggle.label for toggle in app.toggle] == ["Follow newest"], "the baseline has no change to itself"


@pytest.mark.parametrize(
    ("epoch", "title", "detail"),
    [
        (3, "Running now", "3 of 12"),
        (4, "Not analysed yet", "Place 2 of 2 in the queue"),
        (5, "Waiting to try again", "The worker was killed."),
        (6, "Failed", "midwatch retry"),
        (7, "Checkpoint refused", "model.safetensors is truncated"),
        (8, "Left out by the analyzer's policy", "midwatch analyze"),
        (9, "Checkpoint still being written", "trainer_state.json is not there yet."),
    ],
)
def test_a_missing_figure_says_why(epoch: int, title: str, detail: str, tmp_path: Path, opened: Opener) -> None:
    scenes.busy(tmp_path)
    app = opened(epoch=str(epoch), tab="layers")
    assert title in titles(app) and detail in words(app)
    assert figures(app) == 0


def test_a_partial_epoch_draws_what_is_finished_and_names_the_rest(tmp_path: Path, opened: Opener) -> None:
    scenes.busy(tmp_path)
    app = opened(epoch="3", tab="tokens")
    assert figures(app) == 5
    assert (
        "1 of 6 analyses done; missing: Layers, Circuit comparison, Training progress, Calibration, What changed."
    ) in words(app)


def test_damaged_results_are_refused_one_by_one(tmp_path: Path, opened: Opener) -> None:
    scenes.damaged(tmp_path)
    app = opened(epoch="5", tab="layers")
    assert "This result cannot be read" in titles(app) and "written by a newer Midwatch" in words(app)
    assert "its result cannot be read" in words(app)
    assert "This result cannot be read" in titles(opened(epoch="5", tab="tokens"))
    assert "This result cannot be drawn" in titles(
        opened(epoch="5", tab="comparison")
    ) or "cannot be read" in words(app)
    assert figures(opened(epoch="4", tab="layers")) == 1, "the other epochs are whole"


def test_damaged_results_leave_the_curves_of_the_others(tmp_path: Path, opened: Opener) -> None:
    scenes.damaged(tmp_path)
    assert figures(opened(epoch="5", tab="progress")) == 1


def test_the_alerts(tmp_path: Path, opened: Opener) -> None:
    scenes.alarming(tmp_path)
    app = opened()
    assert titles(app)[0] == "Frozen check failed", "errors come first"
    assert {
        "Many unsafe prompts are missed",
        "Accuracy up while FNR rises",
        "Shortcut alarm",
        "Probe set leaks into training",
        "Some attributions did not converge",
        "No divergence layer",
        "Checkpoint accepted without proof of completeness",
        "The analyzer warns",
    } <= set(titles(app))
    assert "Frozen check failed" in titles(opened("analyzer")), "on every page"


def test_no_alert_without_reason(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 5)
    assert titles(opened()) == []


def test_an_analyzer_that_is_gone_or_stopped(tmp_path: Path, opened: Opener) -> None:
    gone, stopped = scenes.gone(tmp_path), scenes.stopped(tmp_path)
    for page in ("training", "analyzer"):
        app = opened(page, run=gone.name)
        assert "The analyzer is gone" in titles(app) and f"midwatch watch {gone.path}" in words(app)
        app = opened(page, run=stopped.name)
        assert "The analyzer was stopped" in titles(app) and "The analyzer is gone" not in titles(app)


def test_the_analyzer_page(tmp_path: Path, opened: Opener) -> None:
    scenes.busy(tmp_path)
    app = opened("analyzer")
    values = {metric.label: metric.value for metric in app.metric}
    assert values == {
        "Analyzer": "running",
        "Done": "2 of 8",
        "Waiting": "2",
        "Behind the trainer": "2\u00a0min",
        "Failed or refused": "2",
    }
    assert "checkpoint-720: Out of memory on cpu with one prompt." in words(app)
    assert list(app.dataframe[0].value["checkpoint"]) == ["checkpoint-600", "checkpoint-480"], "newest first"
    assert len(app.dataframe[1].value) == 9


def test_waiting_for_a_run(tmp_path: Path, opened: Opener) -> None:
    app = opened()
    assert "Waiting for a run" in titles(app)
    assert str(tmp_path) in words(app) and "midwatch demo" in words(app)


def test_a_run_without_checkpoints_and_one_without_analyzer(tmp_path: Path, opened: Opener) -> None:
    scenes.begun(tmp_path)
    foreign = scenes.foreign(tmp_path)
    assert "No checkpoint yet" in titles(opened(run="begun"))
    app = opened(run="foreign")
    assert f"midwatch watch {foreign.path}" in words(app) and app.select_slider[0].value == "step 200"


def test_a_run_deleted_while_open_is_not_replaced_by_another(tmp_path: Path, opened: Opener) -> None:
    run = scenes.done(tmp_path, 3, "deleted")
    scenes.done(tmp_path, 3, "other")
    app = opened(run="deleted")
    shutil.rmtree(run.path)
    wait_until(lambda: not figures(checked(app.run())), "the page without the run")
    assert "This run is not there" in titles(app) and app.selectbox[0].value == "deleted"
    checked(app.selectbox[0].set_value("other").run())
    assert figures(app) == 5


def test_a_checkpoint_that_vanishes_is_not_replaced_by_another(tmp_path: Path, opened: Opener) -> None:
    run = scenes.done(tmp_path, 3)
    app = opened(epoch="2")
    shutil.rmtree(run.results / "checkpoint-240")
    shutil.rmtree(run.path / "checkpoint-240")
    scenes.alive(run, 3, checkpoints=[scenes.row(e, CheckpointState.DONE, []) for e in (1, 3)])
    checked(app.run())
    assert app.select_slider[0].value == "step 240" and "No such checkpoint" in titles(app)


def test_what_was_deleted_before_it_was_analysed_is_named_on_every_page(tmp_path: Path, opened: Opener) -> None:
    scenes.rotated(tmp_path)
    said = words(opened("analyzer"))
    assert "Deleted before they were analysed" in said and "checkpoint-240 was deleted before its turn." in said
    assert said.count("callbacks=[AnnounceCheckpoint()]") == 1 and "Class 1 is taken as unsafe." in said
    assert "1 checkpoint deleted before being analysed" in titles(opened())
    assert "Deleted before it was analysed" in titles(opened(epoch="2"))


def test_what_was_assumed_is_said_once_a_page(tmp_path: Path, opened: Opener) -> None:
    run = scenes.done(tmp_path, 3)
    scenes.noticed(run, 3)
    scenes.alive(run, 3, assumed=["Class 1 is taken as unsafe.", "The shipped prompts are asked."])
    said = words(opened("analyzer"))
    assert said.count("Class 1 is taken as unsafe.") == said.count("The shipped prompts are asked.") == 1


def test_a_run_that_waits_to_be_told_says_so_first_with_the_command(tmp_path: Path, opened: Opener) -> None:
    scenes.untold(tmp_path)
    app = opened()
    said = words(app)
    assert said.count("cannot be guessed") == 1, "one sentence is said once a page"
    assert [code.value for code in app.code].count("midwatch init untold --chat") == 1
    assert "in the queue" not in said and "slot" not in said
    app = opened("analyzer")
    assert titles(app)[0] == "The analyzer waits to be told"
    assert "midwatch init untold --chat" in [code.value for code in app.code]


def test_a_newer_run_does_not_take_the_page(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 3, "mine")
    app = opened()
    scenes.done(tmp_path, 2, "newer")
    checked(app.run())
    assert app.selectbox[0].value == "mine" and set(app.selectbox[0].options) == {"mine", "newer"}
