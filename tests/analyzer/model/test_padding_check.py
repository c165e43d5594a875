"""Judges whose scores depend on padding run prompts of one length together, and say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from analyzer.model.batches import encode, packed
from analyzer.model.hooked_pass import record
from analyzer.model.load_checks import checked
from analyzer.model.loading import load_judge
from shared.errors import JudgeError
from tests.making.sweep import TEXTS, judge_record, plain_score, save_small


@pytest.mark.parametrize("model_type", ["xlnet", "fnet"])
def test_it_scores_as_alone_and_says_why_it_is_slower(tmp_path: Path, model_type: str) -> None:
    path = save_small(tmp_path / "checkpoint-1", model_type)
    judge = load_judge(path, judge_record("classifier"))
    assert judge.apart
    assert [warning for warning in judge.warnings if warning.startswith("What is padded beside a prompt changes")]
    prompts = encode(judge.tokenizer, TEXTS, judge.max_length)
    wanted = [plain_score(path, text, judge.record) for text in TEXTS]
    np.testing.assert_allclose(record(judge, prompts, 10**6).scores, wanted, atol=1e-4)
    padded = record(replace(judge, apart=False), prompts, 10**6).scores
    assert np.abs(padded - wanted).max() > 0.01, "batched, it would be wrong"


@pytest.mark.parametrize("model_type", ["bert", "gpt2"])
def test_others_run_in_whole_batches_and_say_nothing(tmp_path: Path, model_type: str) -> None:
    judge = load_judge(save_small(tmp_path / "checkpoint-1", model_type), judge_record("classifier"))
    assert (judge.apart, judge.warnings) == (False, ())
    assert judge.alike(encode(judge.tokenizer, TEXTS, judge.max_length)) is None


def test_a_judge_that_draws_its_score_is_refused(tmp_path: Path) -> None:
    judge = load_judge(save_small(tmp_path / "checkpoint-1", "bert"), judge_record("classifier"))

    def drawn(_module: Any, _args: Any, output: Any) -> Any:
        output.logits = output.logits + torch.rand_like(output.logits)
        return output

    judge.model.register_forward_hook(drawn)
    with pytest.raises(JudgeError, match="differently each time"):
        checked(judge)


def test_only_what_is_alike_comes_into_one_batch() -> None:
    lengths = [5, 3, 5, 4, 3, 5]
    batches = list(packed(lengths, 10, alike=lengths))
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    assert all(len({lengths[index] for index in batch}) == 1 for batch in batches)
    assert [len(batch) for batch in batches] == [2, 1, 1, 2], "the budget holds, too"


def test_token_types_that_a_tokenizer_gives_are_read(tmp_path: Path) -> None:
    """XLNet's own tokenizer ends a prompt with a token of type 2, and training saw it so."""
    path = save_small(tmp_path / "checkpoint-1", "xlnet")
    without = load_judge(path, judge_record("classifier"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A:0 <s>:0 </s>:2", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer.save_pretrained(path)
    judge = load_judge(path, judge_record("classifier"))
    prompts = encode(judge.tokenizer, TEXTS, judge.max_length)
    assert prompts[0].types == (0, 0, 0, 0, 0, 0, 2)
    wanted = [plain_score(path, text, judge.record) for text in TEXTS]
    np.testing.assert_allclose(record(judge, prompts, 10**6).scores, wanted, atol=1e-4)
    untyped = [replace(prompt, types=()) for prompt in prompts]
    assert np.abs(record(judge, untyped, 10**6).scores - wanted).max() > 0.01
    assert encode(without.tokenizer, TEXTS, 32)[0].types == ()
