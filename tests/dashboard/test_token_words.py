"""The words of the display prompts: their numbers, and the panel of one that was picked."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.reading.word_pictures import LABEL, as_text, changes, pictures
from dashboard.screens.token_words import facts_of
from shared.figures.tokens import MAX_WORDS, RANGE
from shared.findings.tokens import TokensResult
from shared.results import ResultRecord, ResultStore
from tests.dashboard import scenes
from tests.dashboard.test_pages import TRAINING, checked, words
from tests.making.fake_progress import fake_separation
from tests.making.fakes import fake_records
from tests.making.waiting import LIMIT_S


def tokens_of(epoch: int) -> ResultRecord:
    return next(each for each in fake_records(3) if each.analysis == "tokens" and each.step == epoch * scenes.STEPS)


def test_a_words_strength_is_its_share_of_the_shift() -> None:
    record = tokens_of(3)
    samples = TokensResult.model_validate(record.payload).samples
    found = pictures(record)
    assert list(found) == [f"sample_{n}_{each.label}_tokens" for n, each in enumerate(samples)]
    for sample, picture in zip(samples, found.values(), strict=True):
        drawn = picture.data["ways"][0]["words"]
        assert picture.count == len(drawn) == len(sample.words)
        for word, each in zip(sample.words, drawn, strict=True):
            share = word.value / max(abs(sample.score - sample.baseline_score), 0.1)
            assert each["value"] == pytest.approx(max(-1, min(1, share / RANGE)), abs=6e-4)
            assert each["text"] == word.text and "full" not in each and "<" not in each["hover"]


def test_what_was_replaced_is_another_way_to_see_the_same_words() -> None:
    ways = next(iter(pictures(tokens_of(3)).values())).data["ways"]
    assert [way["name"] for way in ways] == ["attribution", "replaced by neutral words"]
    assert [word["text"] for word in ways[0]["words"]] == [word["text"] for word in ways[1]["words"]]
    assert any(word.get("unknown") for word in ways[1]["words"]), "not every word was replaced"


def test_a_change_is_the_difference_of_the_shares() -> None:
    now, then = tokens_of(3), tokens_of(1)
    drawn = next(iter(changes(now, then).values())).data["ways"][0]["words"]
    shares = [
        [word.value / sample.shift for word in sample.words]
        for sample in (TokensResult.model_validate(each.payload).samples[0] for each in (now, then))
    ]
    for word, late, early in zip(drawn, *shares, strict=True):
        assert word["value"] == pytest.approx(max(-1, min(1, (late - early) / RANGE)), abs=6e-4)


def test_a_long_prompt_and_a_long_word_are_cut_and_said() -> None:
    record = tokens_of(3)
    payload = dict(record.payload)
    first = payload["samples"][0]
    word = first["words"][1] | {"text": "<b>" + "A" * 900}
    payload["samples"] = [first | {"words": [word] * (MAX_WORDS + 5)}, *payload["samples"][1:]]
    picture = next(iter(pictures(record.model_copy(update={"payload": payload})).values()))
    assert picture.count == MAX_WORDS and "the other 5 hold" in picture.data["hidden"]
    assert len(picture.data["ways"][0]["words"][0]["text"]) <= LABEL


def test_markup_of_a_hover_becomes_lines() -> None:
    assert as_text("+1 nats<br><b>&lt;says&gt;</b>") == "+1 nats\n<says>"


def test_the_panel_of_a_word_says_what_is_known_of_it() -> None:
    sample = TokensResult.model_validate(tokens_of(3).payload).samples[2]
    word = next(each for each in sample.words if each.text == "password")
    lines = facts_of(word, sample.shift)
    assert lines[0].startswith("Pushes to unsafe: +") and "Replaced by" in lines[-1]
    assert facts_of(word.model_copy(update={"check": None}), 1.0)[-1] == "Not replaced by other words here."


def test_a_link_opens_the_panel_and_closing_it_forgets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.done(tmp_path, 3)
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    app = AppTest.from_string(TRAINING, default_timeout=LIMIT_S)
    app.query_params["word"] = "2.1"
    checked(app.run())
    assert "in sample 2" in words(app) and "of the prompt's shift" in words(app)
    checked(app.button(key="close-word").click().run())
    assert "word" not in app.query_params and "in sample 2" not in words(app)
    app.query_params["word"] = "9.9999"
    assert "in sample" not in words(checked(app.run()))


def test_what_all_prompts_say_alike_stands_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a judge with nothing to explain, every card would begin with the same sentence."""
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    run = scenes.done(tmp_path, 2)
    store = ResultStore(run.results)
    old = store.newest("checkpoint-240", "tokens")
    assert old is not None
    payload = old.payload | {"separation": fake_separation(0).model_dump(mode="json")}
    store.commit(old.model_copy(update={"key": "f" * 20, "created_at": old.created_at + 1, "payload": payload}))
    page = AppTest.from_string(TRAINING)
    page.default_timeout = LIMIT_S
    said = [text.value for text in checked(page.run()).text]
    above = said[: said.index("Sample 0")]
    assert sum(text.startswith("Nothing to explain") for text in above) == 1
    assert [f"Sample {number}" in said for number in range(4)] == [True] * 4
