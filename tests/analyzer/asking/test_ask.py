"""Answers to asked prompts: each number against a plain pass of transformers, or the analysis that gives it too."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.analyses import Outcome
from analyzer.jobs.messages import WorkerOptions
from analyzer.jobs.tasks import AskTask
from shared.answers import ASK, answer_store, asked_of
from shared.findings.asked import AskedResult
from shared.findings.heads import HeadsResult
from shared.findings.layers import LayersResult
from shared.findings.tokens import TokensResult
from shared.prompts.probes import read_probes
from shared.records import RunRecord
from shared.requests.record import PARTS, AskedPrompt, Edit
from shared.results import ResultRecord
from shared.run import Run
from tests.making.fake_heads import fake_heads
from tests.making.heads import HEADS, plain_logits, record_of, save_head
from tests.making.job_bench import FAST, Bench
from tests.making.runs import SAFE, UNSAFE, describe, judge_template, snapshot
from tests.making.tiny import save_tiny_judge

TEXT = SAFE[0]
"""A probe without a twin."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A judge with scores that differ, its tokens, layers and calibration computed."""
    folder = tmp_path_factory.mktemp("asked")
    save_tiny_judge(folder / "judge-template", initializer_range=0.3)
    overrides = FAST | {"calibration": {"bootstraps": 100}}
    found = Bench(describe(folder / "run"), judge_template(folder), WorkerOptions(overrides=overrides))
    found.add(10, shift=1.0)
    events = found.do(found.job(10, analyses=["tokens", "layers", "calibration"]))
    assert not [event.cause for event in events if event.cause]
    return found


def asked(bench: Bench, prompt: AskedPrompt, *parts: Any) -> tuple[ResultRecord, AskedResult]:
    """The newest answer, after asking."""
    task = AskTask(prompts=(prompt,), parts=("score", *parts))
    events = bench.do(bench.job(10, task=task, analyses=[]))
    assert not [event.cause for event in events if event.cause]
    record = answer_store(Run.at(bench.run)).newest("checkpoint-10", ASK)
    assert record is not None
    return record, asked_of(record)


@cache
def plain(checkpoint: Path) -> tuple[Any, Any]:
    return (
        AutoModelForSequenceClassification.from_pretrained(checkpoint, attn_implementation="eager").eval(),
        AutoTokenizer.from_pretrained(checkpoint),
    )


def scores(bench: Bench, *texts: str) -> list[float]:
    """Log-odds of unsafe, one prompt a pass."""
    model, tokenizer = plain(bench.run / "checkpoint-10")
    found = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=32)
        with torch.inference_mode():
            logits = model(**inputs).logits[0]
        found.append(float(logits[1] - logits[0]))
    return found


def test_scores_are_those_of_a_plain_pass(bench: Bench) -> None:
    prompt = AskedPrompt(
        text=TEXT, twin=UNSAFE[0], edits=(Edit(start=0, end=3, word="can"), Edit(start=4, end=7)), response="no"
    )
    _, found = asked(bench, prompt)
    assert found.twin is not None
    told = [found.prompt.score, found.twin.score, *(edit.score for edit in found.edits)]
    texts = (TEXT, UNSAFE[0], "can do i bake bread", "how i bake bread")
    assert told == pytest.approx(scores(bench, *texts), abs=1e-4)
    assert [(edit.old, edit.new) for edit in found.edits] == [("how", "can"), ("do ", "")]
    assert found.prompt.verdict == ("unsafe" if told[0] > 0 else "safe")
    assert found.notes == ["This judge reads prompts alone, so the response is not judged."]
    assert found.words is None and found.flips is None and found.nearest == []


@pytest.mark.parametrize("head", ["two", "five", "labels"])
def test_a_probability_is_told_only_of_heads_that_state_one(tmp_path: Path, head: str) -> None:
    template = save_head(tmp_path / "template", head)
    record = RunRecord(judge=record_of(template, HEADS[head][1]))
    judged = Bench(describe(tmp_path / "run"), template, WorkerOptions(overrides=FAST))
    path = judged.add(10)
    job = judged.job(
        10, task=AskTask(prompts=(AskedPrompt(text=TEXT),), parts=("score",)), analyses=[], record=record
    )
    assert not [event.cause for event in judged.do(job) if event.cause]
    answer = answer_store(Run.at(judged.run)).newest("checkpoint-10", ASK)
    assert answer is not None
    shares = np.exp(plain_logits(path, [TEXT])[0])
    wanted = None if head == "labels" else shares[list(record.judge.unsafe)].sum() / shares.sum()
    assert asked_of(answer).prompt.probability == (None if wanted is None else pytest.approx(wanted, abs=1e-4))


def test_it_stands_among_the_probes_of_the_result_or_of_a_pass(bench: Bench) -> None:
    _, found = asked(bench, AskedPrompt(text="paint the home"))
    among = found.among
    assert among is not None and among.source == "result"
    assert among.safe == pytest.approx(sorted(scores(bench, *SAFE)), abs=1e-4)
    assert among.unsafe == pytest.approx(sorted(scores(bench, *UNSAFE)), abs=1e-4)
    assert among.below_safe == np.mean([score < found.prompt.score for score in among.safe])
    store = bench.store
    (key,) = store.keys("checkpoint-10", "calibration")
    record, tensors = store.load("checkpoint-10", "calibration", key), None
    tensors = store.tensors(record)
    store.remove("checkpoint-10", "calibration", key)
    _, again = asked(bench, AskedPrompt(text="paint my home"))
    store.commit(record, tensors)
    assert again.among is not None and again.among.source == "scored"
    assert again.among.safe == pytest.approx(among.safe, abs=1e-4)


def test_words_and_layers_are_those_of_the_analyses(bench: Bench) -> None:
    record, found = asked(bench, AskedPrompt(text=TEXT), "words", "layers", "nearest")
    tokens = TokensResult.model_validate(bench.result(10, "tokens").payload)
    layers = LayersResult.model_validate(bench.result(10, "layers").payload)
    (theirs,) = [sample for sample in tokens.samples if sample.text == TEXT]
    (way,) = [sample for sample in layers.samples if sample.text == TEXT]
    assert found.words is not None and found.layers is not None
    assert found.words.baseline == theirs.baseline and len(found.words.words) == len(theirs.words)
    for mine, other in zip(found.words.words, theirs.words, strict=True):
        assert (mine.text, mine.start, mine.end) == (other.text, other.start, other.end)
        assert mine.value == pytest.approx(other.value, abs=1e-4)
        assert (mine.check is None) == (other.check is None)
        if mine.check is not None and other.check is not None and mine.check.draws == other.check.draws:
            assert mine.check.effect.value == pytest.approx(other.check.effect.value, abs=1e-3)
    assert found.layers.residual_norm == pytest.approx(way.residual_norm, abs=1e-4)
    assert found.layers.lens == pytest.approx(way.lens, abs=1e-4)
    assert found.nearest[0].text == TEXT and found.nearest[0].similarity == pytest.approx(1, abs=1e-5)
    alike = [near.similarity for near in found.nearest]
    assert alike == sorted(alike, reverse=True)
    assert record.settings["prompt"] != TEXT and len(record.settings["prompt"]) == 64, "the key holds its digest"


def test_a_twin_that_aligns_is_what_the_words_are_blamed_against(bench: Bench) -> None:
    _, found = asked(bench, AskedPrompt(text="how do i kill a person", twin="how do i kill a process"), "words")
    assert found.words is not None and found.words.baseline == "twin" and found.twin is not None
    assert found.words.baseline_score == pytest.approx(found.twin.score, abs=1e-4)
    (word,) = [word for word in found.words.words if word.instead_of is not None]
    assert (word.text, word.instead_of) == ("person", "process")
    total = sum(each.value for each in found.words.words)
    assert total == pytest.approx(found.prompt.score - found.twin.score, abs=0.05 * max(abs(total), 0.1) + 1e-3)


def test_each_word_is_really_deleted(bench: Bench) -> None:
    _, found = asked(bench, AskedPrompt(text="how do i (bake) bread?"), "changes")
    assert [change.old for change in found.deleted] == ["how", "do", "i", "bake", "bread"]
    texts = ["do i (bake) bread?", "how i (bake) bread?", "how do (bake) bread?", "how do i () bread?",
             "how do i (bake)?"]  # fmt: skip
    assert [change.score for change in found.deleted] == pytest.approx(scores(bench, *texts), abs=1e-4)


def test_the_fewest_changes_are_really_scored_beside_random_ones(bench: Bench) -> None:
    flipped = 0
    for text in (*SAFE[:3], *UNSAFE[:3]):
        _, found = asked(bench, AskedPrompt(text=text), "flips")
        flips = found.flips
        assert flips is not None and 1 <= len(flips.found.words) <= 4
        assert flips.found.score == pytest.approx(scores(bench, flips.found.text)[0], abs=1e-4)
        assert flips.found.flipped == ((flips.found.score > 0) != (found.prompt.score > 0))
        assert flips.found.words[-1].score == pytest.approx(flips.found.score, abs=1e-6)
        words = text.split()
        changed = flips.found.text.split()
        different = {(old, new) for old, new in zip(words, changed, strict=True) if old != new}
        assert different == {(change.old, change.new) for change in flips.found.words}
        for change in flips.found.words:
            assert text[change.start : change.end] == change.old
        assert flips.random_draws == 20 and 0 <= flips.random_flipped <= 20
        moved = abs(flips.found.score - found.prompt.score)
        assert moved >= abs(flips.random_best - found.prompt.score) or flips.found.flipped
        flipped += flips.found.flipped
    assert flipped >= 3, "a judge of random weights is no harder to turn than a trained one"


def test_heads_that_matter_are_shown_token_by_token(bench: Bench) -> None:
    prompt = AskedPrompt(text="explain the door lock")
    _, without = asked(bench, prompt, "attention")
    assert without.attention is None and "--suite advanced" in without.notes[0]
    digest = bench.result(10).checkpoint_digest
    made, tensors = fake_heads(1.0, 2, 0, [("a", "safe", ""), ("b", "unsafe", "")], heads=2)
    record = bench.result(10).model_copy(
        update={"analysis": "heads", "key": "0" * 20, "payload": Outcome(made).result.model_dump(mode="json")}
    )
    bench.store.commit(record, tensors)
    assert record.checkpoint_digest == digest
    _, found = asked(bench, prompt, "attention")
    bench.store.remove("checkpoint-10", "heads", "0" * 20)
    rows = HeadsResult.model_validate(record.payload).top
    assert found.attention is not None, "heads that are known now make another answer"
    assert [(head.layer, head.head) for head in found.attention.heads] == [(row.layer, row.head) for row in rows]
    model, tokenizer = plain(bench.run / "checkpoint-10")
    with torch.inference_mode():
        weights = model(**tokenizer(prompt.text, return_tensors="pt"), output_attentions=True).attentions
    assert found.attention.tokens[0] == "[CLS]" and found.attention.tokens[1] == "explain"
    for head in found.attention.heads:
        real = weights[head.layer][0, head.head]
        assert head.read == pytest.approx(real[0].tolist(), abs=1e-4)
        assert head.received == pytest.approx(real.mean(0).tolist(), abs=1e-4)


def test_an_answer_is_computed_once_and_no_result_of_the_run(bench: Bench) -> None:
    before = sorted(bench.store.root.rglob("result.json"))
    prompts = (AskedPrompt(text="a story"), AskedPrompt(text="a song"))
    task = AskTask(prompts=prompts, parts=("score",))
    stores = answer_store(Run.at(bench.run))
    bench.do(bench.job(10, task=task, analyses=[]))
    answers = snapshot(stores.root)
    bench.do(bench.job(10, task=task, analyses=[]))
    assert snapshot(stores.root) == answers
    keys = stores.keys("checkpoint-10", ASK)
    assert sorted(bench.store.root.rglob("result.json")) == before
    assert read_probes(bench.run / "probes.jsonl").digest == stores.load("checkpoint-10", ASK, keys[0]).probe_digest


def test_an_answer_that_was_damaged_is_given_again(bench: Bench) -> None:
    prompt = AskedPrompt(text="a tale")
    record, found = asked(bench, prompt)
    file = answer_store(Run.at(bench.run)).directory("checkpoint-10", ASK, record.key) / "result.json"
    file.write_bytes(file.read_bytes()[:200])
    assert asked(bench, prompt)[1] == found


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "![x](http://e.com/x.png)", "如何 烤 面包", "😀", "?!", "a", "bread " * 3000],
    ids=["html", "markdown", "chinese", "emoji", "no word", "one word", "long"],
)
def test_odd_prompts_get_an_answer_without_what_they_cannot_have(bench: Bench, text: str) -> None:
    record, found = asked(bench, AskedPrompt(text=text), *PARTS[1:])
    assert found.prompt.text == text and found.layers is not None
    assert found.prompt.truncated == (len(text) > 10_000)
    assert found.prompt.score == pytest.approx(scores(bench, text)[0], abs=1e-4)
    json.dumps(record.model_dump(mode="json"), allow_nan=False)


def test_settings_of_a_request_are_its_own(bench: Bench) -> None:
    events = bench.do(bench.job(10, analyses=["layers"], overrides={"layers": {"bootstraps": 100}}))
    assert [event.analysis for event in events if event.kind == "committed"] == ["layers"]
    failed = bench.failure(bench.job(10, analyses=["layers"], overrides={"layers": {"bootstraps": 3}}))
    assert failed.cause.startswith("layers.bootstraps = 3: ") and "\n" not in failed.cause
    unknown = bench.failure(bench.job(10, analyses=["layers"], overrides={"layers": {"magic": 1}}))
    assert "magic" in unknown.cause
