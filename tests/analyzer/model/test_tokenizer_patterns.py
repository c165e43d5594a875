"""Patterns that hold whoever splits a text by them are refused; those of real tokenizers are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.loading import load_judge
from analyzer.model.tokenizer_patterns import check_tokenizer
from shared.errors import CheckpointRejected
from shared.records import JudgeRecord

REAL = {
    "GPT-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "Llama 3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "GPT-4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "DeepSeek": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "BLOOM": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "T5": " {2,}",
    "possessive": r"\p{L}++|\s++$",
    "no pattern of Python's": r"(?<name>\p{L}+)\g<name>",
}
BOMBS = [r"(\w+\s*)+$x", r"(\p{L}+)+$", r"(?:a|a)*!", r"([^x]*[\p{L}\p{N}]*)*y"]


def with_pattern(path: Path, pattern: str, part: str = "pre_tokenizer") -> Path:
    file = path / "tokenizer.json"
    told: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    told[part] = {"type": "Sequence", "pretokenizers": [split]}
    file.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("part", ["pre_tokenizer", "normalizer", "decoder"])
@pytest.mark.parametrize("pattern", BOMBS)
def test_what_repeats_what_repeats_is_refused(tmp_path: Path, pattern: str, part: str) -> None:
    with pytest.raises(CheckpointRejected, match=r"checkpoint-1/tokenizer\.json splits text by .*never come"):
        check_tokenizer(with_pattern(tmp_path, pattern, part), "checkpoint-1")


@pytest.mark.parametrize("pattern", REAL.values(), ids=REAL)
def test_those_of_real_tokenizers_pass(tmp_path: Path, pattern: str) -> None:
    check_tokenizer(with_pattern(tmp_path, pattern), "checkpoint-1")


@pytest.mark.parametrize("text", ["{", "[]", '{"pre_tokenizer": {"Regex": 3}}'])
def test_what_is_no_tokenizer_is_not_ours_to_refuse(tmp_path: Path, text: str) -> None:
    check_tokenizer(tmp_path, "checkpoint-1")
    (tmp_path / "tokenizer.json").write_text(text)
    check_tokenizer(tmp_path, "checkpoint-1")


def test_a_judge_with_one_is_not_loaded(checkpoint: Path) -> None:
    with pytest.raises(CheckpointRejected, match="never come to an end"):
        load_judge(with_pattern(checkpoint, BOMBS[0]), JudgeRecord())
