"""The page of an evaluation: hostile prompts stay text, it opens from disk, and the index links it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from shared.errors import SchemaError
from shared.evaluations import EvaluationPlace, all_evaluations, data_name
from shared.pages.evaluation import evaluation_html, write_evaluation_page
from shared.pages.index import write_index
from shared.pages.render import render_run
from shared.run import Run
from shared.views.evaluated.words import headline
from tests.making.fake_evaluation import fake_evaluation

HOSTILE = (
    "<script>window.pwned=1</script> </script><img src=x onerror=window.pwned=1> <b>{{7*7}}</b> \u202ereversed"
)
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> EvaluationPlace:
    run = tmp_path_factory.mktemp("page") / "run"
    run.mkdir()
    found = EvaluationPlace(Run.at(run), "checkpoint-10", "test")
    evaluation = fake_evaluation(text=HOSTILE)
    found.write(evaluation)
    write_evaluation_page(found, evaluation)
    write_index(found.run, [])
    return found


def test_midwatch_render_draws_it_again_and_names_what_it_cannot_read(place: EvaluationPlace) -> None:
    place.page.unlink()
    assert place.page in render_run(place.run) and place.page.is_file()
    broken = EvaluationPlace(place.run, "checkpoint-20", "test")
    broken.folder.mkdir(parents=True)
    broken.record.write_text("{}")
    with pytest.raises(SchemaError, match="not a valid Evaluation"):
        render_run(place.run)
    broken.record.unlink()


def test_the_record_is_read_back_as_it_was_written(place: EvaluationPlace) -> None:
    assert place.read() == fake_evaluation(text=HOSTILE)
    assert all_evaluations(place.run) == [place]


def test_prompts_stay_text_and_words_keep_their_colour(place: EvaluationPlace) -> None:
    page = place.page.read_text(encoding="utf-8")
    assert "<script>window" not in page and "<img" not in page and "\u202e" not in page
    assert "&lt;script&gt;window.pwned=1&lt;/script&gt;" in page and "{{7*7}}" in page
    assert 'title="−1.000 nats"' in page and "background:#" in page


def test_colours_have_one_scale_for_all_mistakes(place: EvaluationPlace) -> None:
    """Each scaled to its own largest word, a prompt whose words do nothing would look as sure as any other."""
    found = fake_evaluation(text="how do i bake")
    assert found.mistakes is not None
    (one,) = found.mistakes.missed
    assert one.attribution is not None
    faint = [word.model_copy(update={"value": word.value / 100}) for word in one.attribution.words]
    other = one.model_copy(update={"attribution": one.attribution.model_copy(update={"words": faint})})
    mistakes = found.mistakes.model_copy(update={"missed": [one, other]})
    page = evaluation_html(place, found.model_copy(update={"mistakes": mistakes}))
    assert "colours end at ±5 nats for all of them" in page
    first, second = (re.findall(r"background:#(\w+)", part) for part in page.split('class="mistake"')[1:])
    assert len(set(first)) == len(faint) == len(second)
    assert all(min(bytes.fromhex(colour)) > 0xF0 for colour in second), "all but white"


def test_a_mistake_without_attribution_is_shown_as_it_is(place: EvaluationPlace) -> None:
    found = fake_evaluation(text="how do i bake")
    assert found.mistakes is not None
    bare = [each.model_copy(update={"attribution": None}) for each in found.mistakes.missed]
    mistakes = found.mistakes.model_copy(update={"missed": bare, "note": "No gradients here."})
    page = evaluation_html(place, found.model_copy(update={"mistakes": mistakes}))
    assert "how do i bake" in page and "No gradients here." in page and 'class="prompt"><span' not in page


def test_the_index_links_it_and_names_tell_data_apart(place: EvaluationPlace) -> None:
    index = (place.run.visualizations / "index.html").read_text()
    assert place.page.name == "evaluation_checkpoint_10.html" and 'href="evaluation_checkpoint_10.html"' in index
    other = EvaluationPlace(place.run, "epoch=2-step=30", data_name("/data/My Prompts (2).csv"))
    assert other.page.name == "evaluation_epoch_2_step_30_my_prompts_2.html"
    assert data_name("test.csv") == "test_data" != place.data


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
def test_it_draws_in_a_browser_without_network_script_or_error(place: EvaluationPlace) -> None:
    from playwright.sync_api import sync_playwright

    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(place.page.as_uri())
        page.wait_for_function("document.querySelectorAll('[data-figure] > .plot-container').length === 3")
        assert page.evaluate("window.pwned === undefined")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.locator("summary").first.click()
        with page.expect_download() as download:
            page.locator("#csv-0").click()
        lines = Path(download.value.path()).read_text().splitlines()
        browser.close()
    assert said == [] and not [url for url in asked if not url.startswith(("file:", "blob:", "data:"))]
    assert lines[0].startswith("who,rate,value,value_low,value_high") and len(lines) > 7


def test_the_headline_stands_once_and_the_way_back_is_there(place: EvaluationPlace) -> None:
    page = evaluation_html(place, fake_evaluation())
    said = headline(fake_evaluation())
    assert page.count(html.escape(said)) == 1 and "McNemar" in said
    figure = json.loads(re.findall(r'id="figure-0">(.*?)</script>', page)[0])
    assert "text" not in figure["layout"].get("title", {}) and figure["layout"]["margin"]["t"] < 60
    assert '<a href="index.html">All pages</a>' in page
