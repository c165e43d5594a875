"""Probabilities of whole answers and of next tokens, against plain transformers one prompt at a time."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from analyzer.model import next_tokens
from analyzer.model.answer_mass import read_answers
from analyzer.model.batches import Side, encode
from analyzer.model.continuations import continuation_logprobs
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.errors import CannotCompute, JudgeError
from shared.records import JudgeRecord
from tests.making.judges import random_probes, tiny_judge
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

TEMPLATE = "is this safe ? {prompt} . true or false ?"
CONTINUATIONS = [(9,), (9, 12), (9, 12, 7), (9, 12, 8), (30, 11), (9,), (40, 41, 42, 43)]


@cache
def prompted(family: str) -> tuple[Judge, list[list[int]], np.ndarray]:
    """A judge, its prompts' tokens, and what plain transformers says of the continuations."""
    tokenizer = tiny_tokenizer(family)
    safe, unsafe = (int(tokenizer(word, add_special_tokens=False)["input_ids"][-1]) for word in ("false", "true"))
    record = JudgeRecord(kind="prompted", template=TEMPLATE, safe_id=safe, unsafe_id=unsafe, max_length=40)
    with TemporaryDirectory() as folder:
        save_tiny_judge(Path(folder), family, causal=True, initializer_range=0.3)
        judge = load_judge(Path(folder), record)
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        plain = AutoTokenizer.from_pretrained(folder)
    prompts = [plain(TEMPLATE.replace("{prompt}", probe.text))["input_ids"] for probe in random_probes(5)]
    return judge, prompts, np.array([[_plain(model, ids, each) for each in CONTINUATIONS] for ids in prompts])


@torch.no_grad()
def _plain(model: torch.nn.Module, ids: list[int], continuation: tuple[int, ...]) -> float:
    whole = torch.tensor([[*ids, *continuation]])
    said = torch.log_softmax(model(whole).logits[0].double(), -1)
    return float(sum(said[len(ids) - 1 + place, token] for place, token in enumerate(continuation)))


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen3"])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_whole_answers_are_those_of_plain_transformers(family: str, side: Side, batch_tokens: int) -> None:
    judge, _, plain = prompted(family)
    encoded = encode(judge.tokenizer, [each.text for each in random_probes(5)], 40, TEMPLATE)
    found = continuation_logprobs(judge, encoded, CONTINUATIONS, batch_tokens, side=side)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, plain, atol=1e-4)
    assert (found[:, 0] == found[:, 5]).all(), "the same continuation twice"
    assert (found[:, 1] <= found[:, 0]).all(), "a longer answer is never more probable than its beginning"


def test_what_shares_a_beginning_costs_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, _, _ = prompted("llama")
    encoded = encode(judge.tokenizer, ["bake a cake"], 40, TEMPLATE)
    calls: list[int] = []
    forward = judge.model.forward
    monkeypatch.setattr(judge.model, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    found = continuation_logprobs(judge, encoded, [(9, 12, code) for code in range(5, 25)])
    assert found.shape == (1, 20) and len(calls) == 1


def test_few_logits_at_a_time_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, _, plain = prompted("llama")
    encoded = encode(judge.tokenizer, [each.text for each in random_probes(5)], 40, TEMPLATE)
    monkeypatch.setattr(next_tokens, "WIDEST", 1)
    np.testing.assert_allclose(continuation_logprobs(judge, encoded, CONTINUATIONS), plain, atol=1e-4)


def test_the_answers_mass_is_the_probability_that_both_sides_hold() -> None:
    judge, prompts, _ = prompted("llama")
    encoded = encode(judge.tokenizer, [each.text for each in random_probes(5)], 40, TEMPLATE)
    with torch.no_grad():
        said = torch.stack([judge.model(torch.tensor([ids])).logits[0, -1].double().softmax(-1) for ids in prompts])
    safe, unsafe = judge.record.safe_id, judge.record.unsafe_id
    np.testing.assert_allclose(read_answers(judge, encoded).mass, said[:, [safe, unsafe]].sum(1), atol=1e-6)
    top = read_answers(judge, encoded, count=3).top
    assert [each.token for each in top] == said.mean(0).argsort(descending=True)[:3].tolist()
    np.testing.assert_allclose([each.probability for each in top], said.mean(0).sort(descending=True)[0][:3], 1e-5)
    names = {each.text: each.side for each in read_answers(judge, encoded, count=len(judge.tokenizer)).top}
    assert {name for name, side in names.items() if side is not None} == {"true", "false"}
    assert names["true"] == "unsafe" and names["false"] == "safe"


def test_what_has_no_answer_is_one_sentence() -> None:
    judge, _, _ = prompted("llama")
    encoded = encode(judge.tokenizer, ["bake"], 40, TEMPLATE)
    with pytest.raises(JudgeError, match="at least one token"):
        continuation_logprobs(judge, encoded, [(3,), ()])
    classifier = tiny_judge("llama")
    with pytest.raises(CannotCompute, match="answers in words"):
        read_answers(classifier, encode(classifier.tokenizer, ["bake"], 40))
