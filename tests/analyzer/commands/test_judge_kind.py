from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.commands.init import InitSettings, init_run
from analyzer.commands.judge_kind import kind_of
from shared.errors import UsageError
from tests.analyzer.commands.test_init import foreign_run, source
from tests.making.guards import CHAT, bpe_tokenizer
from tests.making.tiny import tiny_tokenizer


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        ("BertForSequenceClassification", "classifier"),
        ("LlamaForCausalLM", "prompted"),
        ("GPT2LMHeadModel", "prompted"),
    ],
)
def test_the_architecture_says_the_kind(tmp_path: Path, architecture: str, kind: str) -> None:
    assert kind_of(tmp_path, {"architectures": [architecture]}, None, None) == kind
    other = "classifier" if kind == "prompted" else "prompted"
    with pytest.raises(UsageError, match=f"is a {architecture}, which --kind {other} does not fit"):
        kind_of(tmp_path, {"architectures": [architecture]}, other, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("task", "kind"), [("SEQ_CLS", "classifier"), ("CAUSAL_LM", "prompted")])
def test_an_adapters_task_says_the_kind(tmp_path: Path, task: str, kind: str) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"task_type": task}))
    assert kind_of(tmp_path, {}, None, None) == kind


def test_prompt_guards_classes_are_known(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", {"0": "BENIGN", "1": "INJECTION", "2": "JAILBREAK"})
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), like="prompt-guard"))
    assert (report.record.judge.safe, report.record.judge.unsafe) == ((0,), (1, 2))
    nameless = foreign_run(tmp_path / "two", {"0": "LABEL_0", "1": "LABEL_1"})
    report = init_run(InitSettings(run=nameless, probes=source(tmp_path / "p.jsonl"), like="prompt-guard"))
    assert (report.record.judge.safe, report.record.judge.unsafe) == ((0,), (1,))


LLAMA = {"architectures": ["LlamaForCausalLM"]}
ASKED = {"template": "{prompt}\nsafe?", "unsafe_answer": ["unsafe"], "safe_answer": ["safe"]}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "how it is asked is not said"),
        ({"like": "llama-guard-9"}, "it is one of llama-guard-3, shieldgemma"),
        ({"like": "prompt-guard"}, "does not fit"),
        ({"like": "qwen3guard", "strict": True, "lenient": True}, "are opposites"),
        ({"like": "shieldgemma", "lenient": True}, "which shieldgemma has not"),
        ({"like": "wildguard", "line": "verdict"}, "they are harmful-request, response-refusal"),
        ({"like": "wildguard", "line": "harmful-response"}, "add --judged response"),
        ({"like": "llama-guard-3", "category": ["S99"]}, "llama-guard-3's are S1, S2"),
        ({**ASKED, "category": ["S1=Weapons"]}, "needs --category-prefix"),
        ({**ASKED, "line": "x"}, "--line is for a guard"),
        ({**ASKED, "chat": True}, "two ways of asking"),
        ({**ASKED, "system": "x"}, "--system is for a chat template"),
        ({**ASKED, "template": "safe?"}, "holds {prompt} 0 times"),
        ({**ASKED, "template": "{prompt}{response}{response}"}, "holds {response} 2 times"),
        ({**ASKED, "unsafe_answer": ["safe"]}, "are the same, 'safe'"),
        ({**ASKED, "max_length": 4}, "leave it out, or give the length"),
        ({"chat": True, "chat_template": "rag"}, "no chat template 'rag'"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, told: dict, said: str) -> None:
    path = foreign_run(tmp_path / "run", **LLAMA)
    tokenizer = bpe_tokenizer(["safe unsafe"], chat_template=CHAT["qwen3guard"])
    tokenizer.save_pretrained(path / "checkpoint-100")
    with pytest.raises(UsageError, match=said) as caught:
        init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), **told))
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert not (path / "run.json").exists()


def test_a_preset_that_the_tokenizer_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", **LLAMA)
    tiny_tokenizer("llama").save_pretrained(path / "checkpoint-100")
    given = InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), like="llama-guard-3")
    with pytest.raises(UsageError, match=r"lays a prompt out with <\|start_header_id\|>"):
        init_run(given)
    with pytest.raises(UsageError, match="does not know the answer"):
        init_run(given.model_copy(update={"like": "wildguard"}))
    (path / "checkpoint-100" / "tokenizer.json").unlink()
    (path / "checkpoint-100" / "tokenizer.model").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"has no tokenizer.json, only tokenizer.model"):
        init_run(given)


def test_a_taxonomy_of_ones_own(tmp_path: Path) -> None:
    path = foreign_run(tmp_path / "run", **LLAMA)
    bpe_tokenizer(["safe unsafe S1 S2"]).save_pretrained(path / "checkpoint-100")
    told = {**ASKED, "category": ["S1=Weapons", "S2=Poisons"], "category_prefix": "unsafe\\n"}
    report = init_run(InitSettings(run=path, probes=source(tmp_path / "p.jsonl"), **told))  # type: ignore[arg-type]
    assert report.record.judge.categories == {"S1": "Weapons", "S2": "Poisons"}
    assert report.record.judge.category_prefix == "unsafe\n"
