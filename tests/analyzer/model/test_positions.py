"""Prompts are cut at the positions that a model has, wherever its tables begin, whatever its tokenizer says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from analyzer.model.batches import encode
from analyzer.model.hooked_pass import record
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord
from tests.making.sweep import save_small

LONG = " ".join(["how do i kill a python process"] * 300)
ENDLESS = int(1e30)
"""What tokenizers say that know no limit."""


def save(path: Path, model_type: str) -> Path:
    """A judge whose tokenizer knows no limit."""
    save_small(path, model_type)
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.model_max_length = ENDLESS
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize("model_type", ["camembert", "mpnet", "longformer", "opt", "bart", "bert", "nystromformer"])
def test_a_long_prompt_is_cut_at_the_last_position(tmp_path: Path, model_type: str) -> None:
    path = save(tmp_path / "checkpoint-1", model_type)
    judge = load_judge(path, JudgeRecord(max_length=100_000))
    (prompt,) = encode(judge.tokenizer, [LONG], judge.max_length)
    assert prompt.truncated
    assert len(prompt.ids) == judge.max_length
    found = record(judge, [prompt], 10**6).scores[0]
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt.ids])).logits[0]
        assert found == pytest.approx(float(logits[1] - logits[0]), abs=1e-4)
        longer = torch.tensor([[*prompt.ids[:-1], *[9] * 20, prompt.ids[-1]]])
        if longer.shape[1] <= judge.model.config.max_position_embeddings:
            pytest.fail("cut more than needed")
        if model_type not in ("opt", "bart", "nystromformer"):  # they have spare rows, or a buffer that says it
            with pytest.raises((IndexError, RuntimeError)):
                model(input_ids=longer)


@pytest.mark.parametrize(("model_type", "wanted"), [("t5", 300), ("llama", 96), ("mpt", 96), ("xlnet", 300)])
def test_where_there_is_no_table_the_config_or_the_run_says(tmp_path: Path, model_type: str, wanted: int) -> None:
    judge = load_judge(save(tmp_path / "checkpoint-1", model_type), JudgeRecord(max_length=300))
    assert judge.max_length == wanted


def test_the_runs_own_limit_stays(tmp_path: Path) -> None:
    assert load_judge(save(tmp_path / "checkpoint-1", "camembert"), JudgeRecord(max_length=32)).max_length == 32


@pytest.mark.parametrize("unknown", [1, 3])
def test_a_word_that_has_the_padding_id_of_a_judge_hides_no_table(tmp_path: Path, unknown: int) -> None:
    """MPNet counts positions but where the id is 1, even where that is a tokenizer's word for what it knows not."""
    path = save(tmp_path / "checkpoint-1", "mpnet")
    written = json.loads((path / "tokenizer.json").read_text())
    vocabulary = written["model"]["vocab"]
    vocabulary["<unk>"], vocabulary["<pad>"] = unknown, 4 - unknown
    for token in written["added_tokens"]:
        token["id"] = vocabulary[token["content"]]
    (path / "tokenizer.json").write_text(json.dumps(written))
    judge = load_judge(path, JudgeRecord(max_length=100_000))
    rows = AutoConfig.from_pretrained(path).max_position_embeddings
    assert judge.tokenizer.convert_tokens_to_ids("<unk>") == unknown
    assert judge.max_length == rows - 2, "rows 0 and 1 are of no token"
    (prompt,) = encode(judge.tokenizer, [LONG], judge.max_length)
    assert np.isfinite(record(judge, [prompt], 10**6).scores[0])
