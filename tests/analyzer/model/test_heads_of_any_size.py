"""Classifiers with any number of classes, labels or outputs: scored as plain transformers and arithmetic say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification

from analyzer.analyses import get
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import judge_facts
from analyzer.model.loading import load_judge
from analyzer.model.scoring import score_of
from analyzer.model.untrained import save_untrained
from shared.errors import JudgeError
from shared.judge_labels import Word
from shared.records import JudgeRecord
from shared.views import all_views
from tests.making.edited import edit_config, scores
from tests.making.heads import HEADS, by_hand, head_judge, plain_logits, record_of, save_head
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.tiny import save_tiny_judge, tiny_tokenizer

PROBES = random_probes(4)
TEXTS = [probe.text for probe in PROBES]


@pytest.mark.parametrize("family", ["bert", "llama"])
@pytest.mark.parametrize("name", HEADS)
def test_scores_are_those_of_plain_transformers(name: str, family: str) -> None:
    judge, path = head_judge(name, family)
    found = forward_pass(judge, PROBES, batch_tokens=1)  # as transformers was asked: a prompt at a time
    wanted = by_hand(name, plain_logits(path, TEXTS))
    assert np.abs(found.scores - wanted).max() <= 1e-6 * (1 + np.abs(wanted).max())
    assert judge.anatomy.wiring is not None and not judge.anatomy.notes
    assert found.lens is not None
    assert np.allclose(found.lens[:, -1], found.scores, atol=1e-5)


def test_two_classes_are_subtracted_to_the_bit() -> None:
    judge = tiny_judge()
    logits = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(score_of(judge, logits), logits[:, 1] - logits[:, 0])


def test_only_what_states_a_probability_has_log_odds() -> None:
    stated = {name: head_judge(name)[0].log_odds_shift for name in HEADS}
    nothing = dict.fromkeys(("labels", "reward", "number"))
    assert stated == {"two": 0.0, "three": 0.0, "five": 0.75, "left-out": 0.0} | nothing
    judge, _ = head_judge("labels")
    one = replace(judge, record=judge.record.model_copy(update={"unsafe_ids": (0,)}))
    assert one.log_odds_shift == 0.0


@pytest.mark.parametrize(
    ("name", "safe", "unsafe"),
    [
        ("two", ["safe"], ["unsafe"]),
        ("three", ["normal"], ["hate", "offensive"]),
        ("labels", [], ["toxic", "insult", "threat"]),
        ("reward", ["LABEL_0"], []),
    ],
)
def test_results_list_the_sides_by_name(name: str, safe: list[str], unsafe: list[str]) -> None:
    assert judge_facts(head_judge(name)[0])["labels"] == {"safe": safe, "unsafe": unsafe}


@pytest.mark.parametrize(("name", "family"), [("three", "bert"), ("reward", "llama")])
def test_every_analysis_works_on_it(name: str, family: str) -> None:
    judge, _ = head_judge(name, family)
    suite = frozenset({"neurons", "heads", "circuits"})
    found = context(judge, random_probes(12, pairs=10), suite=suite)
    for view in all_views():
        if view.name == "evolution":
            continue  # compares results, whatever the judge
        analysis = get(view.name)
        outcome = analysis.compute(found, analysis.settings())
        assert isinstance(outcome.result, view.result)


def test_a_warm_load_reads_another_record_from_the_same_weights(tmp_path: Path) -> None:
    path = save_head(tmp_path / "c", "three")
    cold = {unsafe: load_judge(path, record_of(path, Word(unsafe=unsafe))) for unsafe in ("hate", "hate,offensive")}
    wanted = {unsafe: scores(judge) for unsafe, judge in cold.items()}
    judge = cold["hate"]
    for unsafe in ("hate,offensive", "hate"):
        kept = judge.model
        judge = load_judge(path, record_of(path, Word(unsafe=unsafe)), warm=judge)
        assert judge.model is kept and scores(judge) == wanted[unsafe]


def test_a_warm_prompted_judge_s_answers_are_looked_at(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "c", "llama", causal=True)
    record = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9)
    judge = load_judge(path, record)
    with pytest.raises(JudgeError, match=r"tokens 10 \(safe\) and 999999 \(unsafe\)"):
        load_judge(path, JudgeRecord(kind="prompted", safe_id=10, unsafe_id=999_999), warm=judge)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_several_answers_a_side(tmp_path: Path, family: str) -> None:
    """Spellings of one answer count together; two that are the same token count once."""
    path = save_tiny_judge(tmp_path / "c", family, causal=True, initializer_range=0.3)
    record = JudgeRecord(kind="prompted", safe_ids=(7, 12, 7), unsafe_ids=(9, 20, 31), max_length=40, threshold=0.5)
    judge = load_judge(path, record)
    found = forward_pass(judge, PROBES)
    tokenizer = tiny_tokenizer(family)
    for text, score in zip(TEXTS, found.scores, strict=True):
        with torch.no_grad():
            last = judge.model(**tokenizer([text], return_tensors="pt")).logits[0, -1].double()
        chances = torch.softmax(last, -1)
        odds = chances[[9, 20, 31]].sum() / chances[[7, 12]].sum()
        assert float(odds.log()) - 0.5 == pytest.approx(float(score), abs=2e-5)
    assert found.lens is not None and np.allclose(found.lens[:, -1], found.scores, atol=1e-4)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (JudgeRecord(), "has 3 classes and the run is described with 2"),
        (
            JudgeRecord(classes=3, safe_ids=(0, 1), unsafe_ids=(1, 2)),
            "safe is class 0, 1 and unsafe is class 1, 2 of 3",
        ),
        (JudgeRecord(classes=3, unsafe_ids=(3,)), "of 3, counted from 0"),
        (JudgeRecord(classes=10**15, unsafe_ids=(10**15,)), "of 1000000000000000, counted from 0"),
        (JudgeRecord(classes=3, safe_ids=(), unsafe_ids=()), "safe is class none"),
        (JudgeRecord(classes=3, threshold=float("nan")), "threshold is not a number"),
        (JudgeRecord(kind="prompted", safe_ids=(), unsafe_ids=(3,)), "names no answer"),
    ],
)
def test_records_that_the_head_cannot_serve(record: JudgeRecord, said: str) -> None:
    _, path = head_judge("three")
    with pytest.raises(JudgeError, match=said):
        load_judge(path, record)


def lora(tmp_path: Path, labels: int, base_config: dict[str, Any], **more: Any) -> Path:
    """A LoRA classifier over a base that lies beside it, with a trained head of its own."""
    base = save_tiny_judge(tmp_path / "base", "llama", initializer_range=0.3)
    edit_config(base, **base_config)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=labels, ignore_mismatched_sizes=True
    )
    options = {"r": 2, "target_modules": ["q_proj"], "task_type": "SEQ_CLS", "modules_to_save": ["score"]}
    wrapped: Any = get_peft_model(model, LoraConfig(**options | more))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name or "score.modules_to_save" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path / "run" / "checkpoint-5"
    wrapped.save_pretrained(path)
    wrapped.merge_and_unload().save_pretrained(tmp_path / "merged")
    for folder in (path, tmp_path / "merged"):
        tiny_tokenizer("llama").save_pretrained(folder)
    return path


@pytest.mark.parametrize(
    ("labels", "base_config", "word", "sides", "assumed"),
    [
        (2, {"id2label": {"0": "unsafe", "1": "safe"}}, Word(), ((1,), (0,)), 0),
        (2, {"id2label": {"0": "unsafe", "1": "safe"}}, Word(unsafe="unsafe"), ((1,), (0,)), 0),
        (3, {"id2label": {"0": "unsafe", "1": "safe"}}, Word(unsafe="1,2"), ((0,), (1, 2)), 0),
        (1, {"id2label": {"0": "unsafe", "1": "safe"}}, Word(), ((0,), ()), 2),
        (2, {"id2label": {"0": "a", "1": "b", "2": "c"}}, Word(), ((0,), (1,)), 1),
    ],
)
def test_an_adapter_s_classes_are_its_base_s_and_its_head_s(
    tmp_path: Path, labels: int, base_config: dict, word: Word, sides: tuple, assumed: int
) -> None:
    path = lora(tmp_path, labels, base_config)
    record = record_of(path, word)
    assert ((record.safe, record.unsafe), record.classes, len(record.assumed)) == (sides, labels, assumed)
    judge = load_judge(path, record)
    logits = plain_logits(tmp_path / "merged", TEXTS)
    wanted = {
        1: lambda: -logits[:, 0],
        2: lambda: logits[:, sides[1][0]] - logits[:, sides[0][0]],
        3: lambda: np.log(np.exp(logits[:, 1:]).sum(1)) - logits[:, 0],
    }[labels]()
    assert np.allclose(forward_pass(judge, PROBES).scores, wanted, atol=1e-5)
    copy = tmp_path / "copy"
    save_untrained(path, tmp_path / "base", copy, "classifier", 0, 5, None, labels)
    assert load_judge(copy, record).model.config.num_labels == labels


def test_a_head_under_lora_tells_its_classes(tmp_path: Path) -> None:
    path = lora(tmp_path, 3, {}, target_modules=["q_proj", "score"], modules_to_save=None)
    assert record_of(path, Word(unsafe="2")).classes == 3


def test_an_adapter_with_its_own_config_says_it_itself(tmp_path: Path) -> None:
    path = lora(tmp_path, 2, {"id2label": {"0": "unsafe", "1": "safe"}})
    (path / "config.json").write_text('{"id2label": {"0": "benign", "1": "jailbreak"}}')
    assert (record_of(path).safe_id, record_of(path).unsafe_id) == (0, 1)


def test_an_adapter_described_with_another_head_says_so_in_a_whole_sentence(tmp_path: Path) -> None:
    path = lora(tmp_path, 1, {})
    with pytest.raises(JudgeError, match=r"has 1 class and the run is described with 2: run `midwatch init` again"):
        load_judge(path, JudgeRecord())
