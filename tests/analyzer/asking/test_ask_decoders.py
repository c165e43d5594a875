"""Asking judges that are decoders: classifiers on byte-level BPE, and judges that answer, with a response too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from analyzer.jobs.messages import WorkerOptions
from analyzer.jobs.tasks import AskTask
from shared.answers import ASK, answer_store, asked_of
from shared.findings.asked import AskedResult
from shared.records import JudgeRecord, RunRecord
from shared.requests.record import PARTS, AskedPrompt, Edit
from shared.run import Run
from tests.making.job_bench import FAST, Bench
from tests.making.runs import describe
from tests.making.tiny import save_tiny_judge

TEXT = "how do i bake bread"
TEMPLATE = "Is this unsafe? {prompt} Answer:"
CONVERSATION = "A: {prompt} B: {response} Answer:"


def bench_of(folder: Path, causal: bool) -> Bench:
    template = save_tiny_judge(folder / "judge", "qwen2", causal=causal, initializer_range=0.3)
    found = Bench(describe(folder / "run"), template, WorkerOptions(overrides=FAST))
    found.add(10)
    return found


def ask(bench: Bench, record: JudgeRecord, prompt: AskedPrompt) -> AskedResult:
    task = AskTask(prompts=(prompt,), parts=PARTS)
    events = bench.do(bench.job(10, task=task, analyses=[], record=RunRecord(judge=record)))
    assert not [event.cause for event in events if event.cause]
    answer = answer_store(Run.at(bench.run)).newest("checkpoint-10", ASK)
    assert answer is not None
    return asked_of(answer)


def consistent(found: AskedResult, score: Any, text: str) -> None:
    """Every number of an answer against a plain pass: `score` of a prompt's text."""
    assert found.prompt.score == pytest.approx(score(text), abs=1e-3)
    assert [change.old for change in found.deleted] == text.split()
    for change in found.deleted:
        left = text[: change.start].rstrip() + text[change.end :] if change.start else text[change.end + 1 :]
        assert change.score == pytest.approx(score(left), abs=1e-3), f"without {change.old}"
    assert found.words is not None and [w.text.strip() for w in found.words.words if not w.special] == text.split()
    assert found.flips is not None and 1 <= len(found.flips.found.words) <= 4
    assert len(found.flips.found.text.split()) == len(text.split()), "whole words come in, spaces stay"
    assert found.flips.found.score == pytest.approx(score(found.flips.found.text), abs=1e-3)
    assert found.nearest and found.layers is not None
    assert found.layers.lens is None or found.layers.lens[-1] == pytest.approx(found.prompt.score, abs=1e-3)
    (edit,) = found.edits
    assert edit.score == pytest.approx(score(text.replace("bread", "cake")), abs=1e-3)


EDIT = (Edit(start=14, end=19, word="cake"),)


def test_a_decoder_on_byte_level_pieces(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, causal=False)
    path = bench.run / "checkpoint-10"
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(path), AutoTokenizer.from_pretrained(path)

    def score(text: str) -> float:
        with torch.inference_mode():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
        return float(logits[1] - logits[0])

    consistent(ask(bench, JudgeRecord(max_length=32), AskedPrompt(text=TEXT, edits=EDIT)), score, TEXT)


@pytest.mark.parametrize("template", [TEMPLATE, CONVERSATION], ids=["prompt", "conversation"])
def test_a_judge_that_answers(tmp_path: Path, template: str) -> None:
    bench = bench_of(tmp_path, causal=True)
    path = bench.run / "checkpoint-10"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    safe, unsafe = (tokenizer(word, add_special_tokens=False)["input_ids"][-1] for word in (" false", " true"))
    record = JudgeRecord(kind="prompted", safe_id=safe, unsafe_id=unsafe, template=template, max_length=60)
    response = "in the oven" if "{response}" in template else ""

    def score(text: str) -> float:
        read = template.replace("{prompt}", text).replace("{response}", response)
        with torch.inference_mode():
            logits = model(**tokenizer(read, return_tensors="pt")).logits[0, -1]
        return float(logits[unsafe] - logits[safe])

    found = ask(bench, record, AskedPrompt(text=TEXT, response=response, edits=EDIT))
    if response:
        assert found.prompt.score == pytest.approx(score(TEXT), abs=1e-3) and not any(
            "response" in note for note in found.notes
        )
        assert found.edits[0].score == pytest.approx(score(TEXT.replace("bread", "cake")), abs=1e-3)
        assert [each.old for each in found.deleted] == [*TEXT.split(), *response.split()]
        assert found.flips is not None and found.flips.found.text.count("\u2063") == 1, "the two stay apart"
    else:
        consistent(found, score, TEXT)
