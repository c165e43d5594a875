"""The prompted judge: a causal LM that answers True or False, against plain transformers; all analyses on it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from analyzer.analyses import get
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import forward_pass, record
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.errors import JudgeError
from shared.records import JudgeRecord
from shared.views import all_views
from tests.making.judges import context, random_probes
from tests.making.tiny import DECODERS, save_tiny_judge, tiny_tokenizer

FOLDERS: list[TemporaryDirectory[str]] = []
"""Kept until the process ends."""
TEMPLATE = "is this safe ? {prompt} . true or false ?"


@cache
def prompted(family: str, template: str = TEMPLATE) -> tuple[Judge, str]:
    """The judge, and the folder it came from, which stays."""
    FOLDERS.append(TemporaryDirectory())
    folder = FOLDERS[-1].name
    extra = {"initializer_range": 0.3}
    path = save_tiny_judge(Path(folder), family, causal=True, **extra)
    tokenizer = tiny_tokenizer(family)
    safe, unsafe = (int(tokenizer(word, add_special_tokens=False)["input_ids"][-1]) for word in ("false", "true"))
    found = JudgeRecord(kind="prompted", template=template, safe_id=safe, unsafe_id=unsafe, max_length=40)
    return load_judge(path, found), folder


@pytest.mark.parametrize("family", DECODERS)
def test_scores_are_those_of_plain_transformers(family: str) -> None:
    judge, folder = prompted(family)
    probes = random_probes(6)
    found = forward_pass(judge, probes)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    safe, unsafe = judge.record.safe_id, judge.record.unsafe_id
    for probe, score in zip(probes, found.scores, strict=True):
        ids = tokenizer(TEMPLATE.replace("{prompt}", probe.text), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            answers = torch.log_softmax(model(ids).logits[0, -1], -1)
        assert float(answers[unsafe] - answers[safe]) == pytest.approx(float(score), abs=2e-5)
    assert found.lens is not None
    assert np.allclose(found.lens[:, -1], found.scores, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_padding_and_batches_change_nothing(family: str) -> None:
    judge, _ = prompted(family)
    prompts = encode(judge.tokenizer, [each.text for each in random_probes(6)], 40, judge.template)
    one = record(judge, prompts, 4096)
    for other in (record(judge, prompts, 1), record(judge, prompts, 4096, side="left")):
        assert np.allclose(one.scores, other.scores, atol=2e-5)
        assert np.allclose(one.pooled, other.pooled, atol=1e-4)


def test_the_template_is_told_from_the_prompt() -> None:
    judge, _ = prompted("llama")
    (found,) = encode(judge.tokenizer, ["how to bake a cake"], 40, TEMPLATE)
    assert [found.text[start:end] for start, end in (found.offsets[place] for place in found.content)] == [
        "how", "to", "bake", "a", "cake",
    ]  # fmt: skip
    assert found.special[0] and sum(found.special) == 1 + 4 + 5
    (cut,) = encode(judge.tokenizer, ["cake " * 60], 20, TEMPLATE)
    assert cut.truncated and len(cut.ids) == 20 and cut.ids[-5:] == found.ids[-5:], "the question stays"
    with pytest.raises(JudgeError, match="leaves no room"):
        encode(judge.tokenizer, ["cake"], 8, TEMPLATE)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_every_analysis_works_on_it(family: str) -> None:
    judge, _ = prompted(family)
    found = context(judge, random_probes(12, pairs=10), suite=frozenset({"neurons", "heads", "circuits"}))
    for view in all_views():
        if view.name == "evolution":
            continue  # compares results, whatever the judge
        analysis = get(view.name)
        outcome = analysis.compute(found, analysis.settings())
        assert isinstance(outcome.result, view.result)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"template": "no place"}, "exactly once"),
        ({"safe_id": 3, "unsafe_id": 3}, "the same token"),
        ({"unsafe_id": 10**6}, "run `midwatch init` again"),
    ],
)
def test_what_cannot_be_a_prompted_judge(fields: dict, words: str) -> None:
    judge, folder = prompted("llama")
    with pytest.raises(JudgeError, match=words):
        load_judge(Path(folder), judge.record.model_copy(update=fields))
