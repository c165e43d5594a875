"""Fields of a config that name code, or weights of elsewhere, change nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.loading import load_judge
from analyzer.model.model_config import read_model_config
from shared.records import JudgeRecord
from tests.making.edited import edit_config, scores
from tests.making.tiny import save_tiny_judge

CODE = {
    "a kernel of the Hub": {"_attn_implementation": "org/repo"},
    "one by its public name": {"attn_implementation": "org/repo:function"},
    "a kernel a part": {"_attn_implementation": {"": "org/repo", "text_config": "org/repo"}},
    "a kernel for experts": {"_experts_implementation": "org/repo"},
    "the private name": {"_attn_implementation_internal": "org/repo"},
    "what needs another package": {"_attn_implementation": "flash_attention_2"},
    "Python beside the weights": {"auto_map": {"AutoConfig": "theirs.C", "AutoModel": "org/repo--theirs.M"}},
    "a pipeline": {"custom_pipelines": {"x": {"impl": "theirs.Pipeline"}}, "custom_generate": "org/repo"},
}


@pytest.mark.parametrize("fields", CODE.values(), ids=CODE)
def test_what_names_code_is_left_out(checkpoint: Path, fields: dict[str, Any]) -> None:
    before = scores(load_judge(checkpoint, JudgeRecord()))
    (checkpoint / "theirs.py").write_text("raise SystemExit('their code is run')")
    edit_config(checkpoint, **fields)
    judge = load_judge(checkpoint, JudgeRecord())
    assert scores(judge) == pytest.approx(before, abs=1e-6)
    assert not any("org/repo" in str(value) for value in vars(judge.model.config).values())


def test_what_transformers_has_itself_stays(checkpoint: Path) -> None:
    edit_config(checkpoint, _attn_implementation="eager")
    assert read_model_config(checkpoint)._attn_implementation == "eager"


def test_other_weights_than_those_that_were_checked_are_not_read(checkpoint: Path, tmp_path: Path) -> None:
    before = scores(load_judge(checkpoint, JudgeRecord()))
    other = save_tiny_judge(tmp_path / "other", seed=5)
    shutil.copy(other / "model.safetensors", checkpoint / "other.safetensors")
    edit_config(checkpoint, transformers_weights="other.safetensors")
    assert scores(load_judge(checkpoint, JudgeRecord())) == before
