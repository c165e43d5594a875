"""What is said and drawn of an asked prompt follows from its answer's numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.findings.asked import AskedResult
from shared.requests.record import AskedPrompt, Edit
from shared.results import ResultRecord
from shared.views.asked.moments import QUANTILES, Moment, moment_of, over_run
from shared.views.asked.panels import prompt_panels, scores_panel, words_panel
from shared.views.asked.words import answer_sentences, change_row, flip_rows, nearest_rows, weakness
from tests.making.fake_answers import TEXT, TWIN, fake_answer
from tests.making.fake_layers import fake_layers

HOSTILE = "<b>x</b> $y$ ![x](http://evil.invalid/a.png) a word"
RECORD = ResultRecord(
    analysis="ask", analysis_version=1, checkpoint="checkpoint-120", step=120, epoch=1.0, key="k",
    checkpoint_digest="0" * 64, probe_digest="0" * 64,
)  # fmt: skip


@pytest.fixture(scope="module")
def found() -> AskedResult:
    return fake_answer(AskedPrompt(text=TEXT, twin=TWIN, edits=(Edit(start=9, end=13, word="stop"),)), 1.0)


def moments(*scores: float) -> list[Moment]:
    return [Moment(f"epoch {n}", 120 * n, score, None, (), (), 0, 0) for n, score in enumerate(scores, 1)]


def test_the_verdict_over_the_run_says_where_it_turns() -> None:
    assert over_run([]) == "No checkpoint has answered yet"
    assert over_run(moments(-1.0)) == "Judged safe at epoch 1, the one checkpoint that was asked"
    assert over_run(moments(1.0, 2.0)) == "Judged unsafe at all 2 checkpoints that answered"
    assert over_run(moments(-1.0, 2.0, 1.0, -3.0)) == (
        "Judged unsafe at 2 of 4 checkpoints: safe at epoch 1, unsafe from epoch 2, safe from epoch 4"
    )
    assert over_run(moments(*[(-1.0) ** n for n in range(9)])).endswith(" and 3 more turns")


def test_a_moment_holds_the_probes_quantiles(found: AskedResult) -> None:
    moment = moment_of("epoch 1", 120, found)
    assert found.among is not None
    assert moment.safe == pytest.approx(np.quantile(found.among.safe, QUANTILES))
    assert (moment.n_safe, moment.n_unsafe, moment.twin) == (60, 60, found.twin.score if found.twin else None)
    bare = moment_of("epoch 1", 120, found.model_copy(update={"among": None, "twin": None}))
    assert bare.safe == () and bare.n_safe == 0 and bare.twin is None


def test_the_scores_are_drawn_where_they_are(found: AskedResult) -> None:
    known = [moment_of("epoch 1", 120, found), replace(moment_of("epoch 2", 240, found), score=5.0)]
    panel = scores_panel(known, RECORD, HOSTILE)
    (own,) = [trace for trace in panel.figure.data if trace.name == "this prompt"]
    assert list(own.y) == [found.prompt.score, 5.0]
    boxes = [trace for trace in panel.figure.data if trace.type == "bar"]
    low, high = np.array(boxes[0].base), np.array(boxes[0].base) + np.array(boxes[0].y)
    assert low[0] == pytest.approx(known[0].safe[0]) and high[0] == pytest.approx(known[0].safe[4])
    assert "<b>x" not in panel.figure.layout.title.subtitle.text and panel.rows[1]["score_nats"] == 5.0
    none = scores_panel(moments(1.0), RECORD, "x")
    assert [trace.name for trace in none.figure.data] == ["this prompt"]


def test_the_figures_of_one_checkpoint(found: AskedResult) -> None:
    bands = fake_layers([(TEXT, "safe", "")], 1.0, 6, 3, np.random.default_rng(0))
    panels = {panel.stem: panel for panel in prompt_panels(RECORD, found, bands)}
    assert set(panels) == {"asked_deleted", "asked_layers", "asked_attention"}
    dots = [trace for trace in panels["asked_deleted"].figure.data if trace.mode == "markers"]
    drawn = sorted(value for trace in dots for value in trace.y)
    assert drawn == pytest.approx(sorted(change.score for change in found.deleted))
    assert "mean of each class" in panels["asked_layers"].caption
    assert "mean of each class" not in prompt_panels(RECORD, found, None)[1].caption
    (heat,) = [trace for trace in panels["asked_attention"].figure.data if trace.type == "heatmap"]
    assert found.attention is not None and heat.z.shape == (3, len(found.attention.tokens))
    assert np.array(heat.z)[0] == pytest.approx(found.attention.heads[0].read)
    assert found.words is not None
    assert len(words_panel(RECORD, found.words).rows) == len(found.words.words)
    bare = AskedResult(prompt=found.prompt)
    assert prompt_panels(RECORD, bare, None) == []


def test_long_and_hostile_prompts_are_drawn() -> None:
    for text in (HOSTILE, "word " * 3000):
        found = fake_answer(AskedPrompt(text=text), 0.5)
        drawn = [*prompt_panels(RECORD, found, None), words_panel(RECORD, found.words)]  # type: ignore[arg-type]
        for panel in drawn:
            assert "<b>x" not in panel.figure.to_json() and len(panel.figure.to_json()) < 400_000


def test_sentences_and_tables(found: AskedResult) -> None:
    said = answer_sentences("epoch 1", found)
    assert said[0].startswith("epoch 1: ") and "of 60 unsafe probes" in said[0] and said[1].startswith("Its twin: ")
    assert len(answer_sentences("epoch 1", found.model_copy(update={"twin": None, "among": None}))) == 1
    assert found.flips is not None
    assert "flips the verdict: server → cake" in weakness(found.flips)
    assert flip_rows(found.flips)[0]["by"] == "cake"
    assert [row["alike"] for row in nearest_rows(found)] == [0.9, 0.8, 0.7]
    row = change_row("epoch 1", found.edits[0], found.prompt.score)
    assert (row["word"], row["becomes"]) == ("kill", "stop") and "it turns" in row["verdict"]
    same = change_row(
        "epoch 1", found.edits[0].model_copy(update={"new": "", "score": found.prompt.score}), found.prompt.score
    )
    assert same["becomes"] == "(deleted)" and "turns" not in same["verdict"] and same["change (nats)"] == "0.00"
