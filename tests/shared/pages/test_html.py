"""Pages open from disk, offline, and never interpret a prompt."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest
from jinja2 import UndefinedError

from shared.errors import UsageError
from shared.findings.text import clean
from shared.pages.html import PLOTLY_JS, index_html, page_html, write_page, write_plotly_js
from shared.pages.table import MAX_CSV_ROWS, MAX_TABLE_ROWS
from shared.pages.templates import fill, script_json
from shared.pages.ways import PAGES_JS
from shared.records import Label
from shared.views import Panel, all_views, get
from tests.making.fake_run import fake_metrics
from tests.making.fake_samples import HOSTILE
from tests.making.fakes import fake_records

CHROMIUM = Path("/usr/bin/chromium")
Sample = tuple[str, Label, str]
LABELS: tuple[Label, ...] = ("safe", "safe", "unsafe", "unsafe")
OURS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "section", "div", "p", "noscript", "b", "span",
    "details", "summary", "a", "nav", "table", "thead", "tbody", "tr", "th", "td", "script",
}  # fmt: skip
ATTRIBUTES = {
    "aria-label", "charset", "class", "content", "data-figure", "data-rows", "download",
    "hidden", "href", "http-equiv", "id", "lang", "name", "role", "scope", "src", "style", "type",
}  # fmt: skip


def hostile_panels() -> list[Panel]:
    samples: list[Sample] = [(text, label, text) for text, label in zip(HOSTILE, LABELS, strict=True)]
    records = [
        record.model_copy(update={"warnings": [HOSTILE[0]], "analyzer_version": HOSTILE[1]})
        for record in fake_records(1, samples=samples, advanced=True)
    ]
    for record in records:
        if record.analysis == "progress":
            for number, group in enumerate(record.payload["groups"]):
                group["group"] = HOSTILE[number % len(HOSTILE)]
    panels = [p for view in all_views() for r in records if r.analysis == view.name for p in view.panels(r)]
    return panels + get("progress").run_panels(records, fake_metrics(1))


class Elements(HTMLParser):
    """What elements, attributes and scripts a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data: dict[str, str] = {}
        self._inside: str | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._inside = dict(attrs).get("id") if tag == "script" else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.data[self._inside] = self.data.get(self._inside, "") + data


def test_no_element_or_handler_comes_from_data():
    for panel in hostile_panels():
        page = Elements(page_html(panel))
        assert set(page.tags) <= OURS
        assert page.tags.count("script") == 6
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        links = [value for name, value in page.attributes if name in ("href", "src")]
        assert links == ["index.html", "#", PLOTLY_JS, PAGES_JS]
        for name in ("figure", "rows", "config"):
            json.loads(page.data[name])


def test_data_stays_text_wherever_a_panel_holds_it():
    """Title, caption, alternative text, badge, cells and column names; beside the corpus, what ends a context."""
    for text in (
        *HOSTILE,
        "lead: '\" onload='x",
        "{{ 7*7 }}{% raw %}{# #}",
        "</title></style></td></noscript><i>",
        "a\nb",
    ):
        rows = [{text: text, "list": [text]}]
        panel = Panel("x", text, go.Figure(layout={"title": text}), text, text, rows, f"{text} · WARNING: {text}")
        page = Elements(page_html(panel))
        assert set(page.tags) <= OURS
        assert page.tags.count("script") == 6
        assert {name for name, _ in page.attributes} == ATTRIBUTES
        assert ("aria-label", clean(text)) in page.attributes
        assert json.loads(page.data["rows"]) == {"columns": [text, "list"], "rows": [[clean(text), [text]]]}
        assert json.loads(page.data["figure"])["layout"]["title"]["text"] == text


def test_an_index_stays_text_too(tmp_path):
    (tmp_path / "epoch_2_tokens.html").touch()
    (tmp_path / "epoch_2_<img src=x>.html").touch()
    for text in HOSTILE:
        page = Elements(index_html(text, tmp_path))
        assert set(page.tags) <= OURS | {"h2"}
        assert [value for name, value in page.attributes if name == "href"] == ["epoch_2_tokens.html"]


@pytest.mark.parametrize(
    "text", [*HOSTILE, "</script", "<!--<script>", "]]>", "\u2028\u2029", "&lt;/script&gt;", "\\u003c"]
)
def test_json_in_a_script_says_the_same_and_ends_nothing(text):
    written = script_json(json.dumps([text], ensure_ascii=False))
    assert json.loads(written) == [text]
    assert not set("<>&") & set(written)


def test_a_template_that_wants_more_than_it_is_given_says_so():
    with pytest.raises(UndefinedError, match="name"):
        fill("index.html", style="", sections=[])


def test_the_policy_admits_the_script_that_stands_in_the_page():
    page = page_html(Panel("x", "t", go.Figure(), "c", "a"))
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' 'self' file:;" in page


def test_the_headline_stands_above_a_figure_that_is_wider_than_the_window():
    made = get("tokens").panels(fake_records(1)[0])[3]
    text = page_html(made)
    assert f'<p class="headline">{made.headline}</p>' in text and text.index('headline">') < text.index('id="plot"')


def test_a_page_says_what_it_shows():
    panel = get("tokens").panels(fake_records(1)[0])[3]
    page = page_html(panel)
    assert '<html lang="en">' in page
    assert f"<title>{panel.title}" in page
    for words in ("How to read:", "Worrying:", "password", "seed 0", "Content-Security-Policy"):
        assert words in page
    assert 'aria-label="Sample 2, labelled unsafe' in page
    config = json.loads(Elements(page).data["config"])
    assert config["displaylogo"] is False and config["showSendToCloud"] is False


@pytest.mark.parametrize("kind", ["panels of one checkpoint", "500 epochs", "long prompt", "126 layers"])
def test_pages_stay_below_200_kb(kind):
    if kind == "500 epochs":
        panels = get("progress").run_panels(fake_records(500), fake_metrics(500))
    else:
        long = " ".join(f"“word”{i}" for i in range(4000))
        samples: list[Sample] = (
            [(long, "safe", "")] if kind == "long prompt" else [(t, "safe", "") for t in HOSTILE]
        )
        layers = 126 if kind == "126 layers" else 6
        records = fake_records(1, layers=layers, samples=samples, advanced=True)
        panels = [panel for record in records for panel in get(record.analysis).panels(record)]
    for panel in panels:
        assert len(page_html(panel).encode()) < 200_000, panel.stem


def test_a_long_table_says_what_it_leaves_out():
    rows = [{"n": number, "x": None if number else 0.123456789} for number in range(MAX_CSV_ROWS + 1)]
    page = page_html(Panel("many", "Many", go.Figure(), "c", "a", rows))
    assert page.count("<tr>") == MAX_TABLE_ROWS + 1
    assert f"The first {MAX_TABLE_ROWS} of {MAX_CSV_ROWS + 1} rows." in page
    kept = json.loads(Elements(page).data["rows"])
    assert kept["columns"] == ["n", "x"] and len(kept["rows"]) == MAX_CSV_ROWS
    assert kept["rows"][0] == [0, 0.1234568]


def test_a_stem_with_a_path_in_it_is_refused():
    with pytest.raises(UsageError, match="not a file stem"):
        page_html(Panel("../x", "t", go.Figure(), "c", "a"))


def test_plotly_is_written_once_and_replaced_when_it_differs(tmp_path):
    panel = get("progress").panels(fake_records(1)[3])[0]
    write_page(tmp_path / "a.html", panel)
    script = tmp_path / PLOTLY_JS
    first = script.stat()
    assert first.st_size > 1_000_000
    write_page(tmp_path / "b.html", panel)
    assert script.stat().st_ino == first.st_ino
    script.write_text("plotly.js v0.0.1")
    write_plotly_js(tmp_path)
    assert script.stat().st_size == first.st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html", PAGES_JS, PLOTLY_JS]


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    panel = get("progress").panels(fake_records(1)[3])[0]
    write_page(tmp_path / "a.html", panel)
    before = (tmp_path / "a.html").read_bytes()

    def fail(source: str, target: str, **folders: int) -> None:
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_page(tmp_path / "a.html", panel)
    assert (tmp_path / "a.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", PAGES_JS, PLOTLY_JS]


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
def test_pages_draw_in_a_browser_without_network_script_or_error(tmp_path):
    from playwright.sync_api import sync_playwright

    panels = hostile_panels()
    for panel in panels:
        write_page(tmp_path / f"{panel.stem}.html", panel)
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1140, "height": 900})
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        for panel in panels:
            page.goto((tmp_path / f"{panel.stem}.html").as_uri())
            page.wait_for_selector("#plot .main-svg")
            assert page.evaluate("window.pwned === undefined")
            assert page.evaluate("document.querySelectorAll('#plot a[href], #plot img').length") == 0
            assert page.locator("#missing").is_hidden()
            if panel.stem == "sample_0_safe_tokens":
                page.locator("#plot .bars .point path").nth(2).hover(force=True)
                page.wait_for_selector("#plot .hoverlayer .hovertext")
                assert "nats" in (page.locator("#plot .hoverlayer").text_content() or "")
        page.locator("summary").click()
        with page.expect_download() as download:
            page.locator("#csv").click()
        lines = Path(download.value.path()).read_text().splitlines()
        browser.close()
    assert said == []
    assert {url.rsplit("/", 1)[-1] for url in asked if url.startswith("file:")} == {
        PLOTLY_JS,
        PAGES_JS,
        *(f"{panel.stem}.html" for panel in panels),
    }
    assert not [url for url in asked if not url.startswith(("file:", "blob:", "data:"))]
    assert lines[0].startswith("step,epoch,") and len(lines) == 2
