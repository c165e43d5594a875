"""Every preset on a tiny guard that really answers so: described by init, read by the judge's own answers."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.commands.prompted.presets import GUARDS
from analyzer.model.answer_mass import read_answers
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.whole_answers import categories_named, has_several_tokens, whole_answer_scores
from tests.making.described_guards import auc, guard, prompt_guard
from tests.making.guards import ANSWERS, CODES, asked

IN_CI = ("llama-guard-3", "wildguard", "qwen3guard")


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in IN_CI else pytest.mark.slow) for each in ANSWERS]
)
def test_a_known_guard_is_described_by_its_name(name: str) -> None:
    judge, report = guard(name)
    found = forward_pass(judge, report.probes)
    read = read_answers(judge, found.encoded)
    assert auc(report, found.scores) >= 0.95
    assert read.mass.mean() >= 0.9
    assert {each.side for each in read.top[:2]} == {"safe", "unsafe"}
    for probe, encoded in zip(report.probes, found.encoded, strict=True):
        text = asked(name, judge.tokenizer, probe.text)  # type: ignore[arg-type]
        plain = tuple(judge.tokenizer(text, add_special_tokens=False)["input_ids"])  # type: ignore[arg-type]
        assert encoded.ids[: len(plain)] == plain, "the judge reads what it was trained on"
    whole = whole_answer_scores(judge, found.encoded)
    assert auc(report, whole) >= 0.95
    assert ((found.scores > 0) == (whole > 0)).mean() >= 0.9


def test_a_template_without_the_two_line_breaks_shows_in_the_answers_mass() -> None:
    right, report = guard("llama-guard-3")
    template = (right.record.template or "").removesuffix("\n\n")
    texts = [probe.text for probe in report.probes]
    wrong = encode(right.tokenizer, texts, right.max_length, template, special_tokens=False)
    read = read_answers(right, wrong)
    assert read.mass.mean() < 0.3 < 0.9 < read_answers(right, right.encode(texts)).mass.mean()
    assert read.top[0].text.startswith("\n") and read.top[0].side is None


def test_a_guards_categories_are_those_it_was_taught() -> None:
    judge, report = guard("llama-guard-3")
    unsafe = [probe for probe in report.probes if probe.label == "unsafe"]
    found = categories_named(judge, judge.encode([probe.text for probe in unsafe]))
    assert found.codes[:2] == ("S1", "S2") and len(found.codes) == 14
    taught = [next(code for thing, code in CODES.items() if f" {thing} " in f" {each.text} ") for each in unsafe]
    named = [found.codes[best] for best in found.shares.argmax(1)]
    assert np.mean([one == other for one, other in zip(named, taught, strict=True)]) >= 0.9
    np.testing.assert_allclose(found.shares.sum(1), 1.0)
    assert found.mass.mean() >= 0.9


def test_what_was_assumed_is_said() -> None:
    judge, report = guard("qwen3guard")
    assert any("Controversial" in each and "--lenient" in each for each in report.warnings)
    assert judge.record.answers[" Controversial"] == "unsafe"
    assert has_several_tokens(judge) or set(judge.record.answers.values()) == {"safe", "unsafe"}
    lenient, _ = guard("qwen3guard", lenient=True)
    assert lenient.record.answers[" Controversial"] == "safe" and not lenient.record.assumed


def test_the_second_verdict_comes_behind_what_was_assumed_of_the_first() -> None:
    judge, report = guard("wildguard", judged="response", line="response-refusal")
    assert judge.record.template is not None and "{response}" in judge.record.template
    assert judge.record.template.endswith("Harmful request: yes\nResponse refusal:")
    assert any("harmful-request is taken to be answered 'yes'" in each for each in report.warnings)
    assert any("have no response" in each for each in report.warnings)


@pytest.mark.slow  # in a second; tests/analyzer/commands/test_judge_kind.py has its classes without a training
def test_prompt_guard_is_a_classifier() -> None:
    assert GUARDS["prompt-guard"].kind == "classifier"
    judge, report = prompt_guard()
    assert auc(report, forward_pass(judge, report.probes).scores) >= 0.95
