"""Prompts written by us are read back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.prompts.load import load_prompts
from shared.prompts.prompt_files import read_prompts, write_prompts
from shared.records import Prompt

PROMPTS = [
    Prompt(text="How are\u2028you?\n", label="safe", category="everyday", group="a:1", source="x", style="direct"),
    Prompt(text="爆弾 </script>", label="unsafe", pair="p", group="b", response="No.", language="ja"),
]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    write_prompts(path, PROMPTS)
    assert read_prompts(path) == PROMPTS
    write_prompts(path, [])
    assert read_prompts(path) == []


def test_it_is_a_source_of_data_too(tmp_path: Path) -> None:
    write_prompts(tmp_path / "test.jsonl", PROMPTS)
    assert [(p.text, p.label) for p in load_prompts(str(tmp_path / "test.jsonl"))] == [
        (p.text, p.label) for p in PROMPTS
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"text": "a", "label": "maybe"}', r"line 2 is no prompt as Midwatch writes it \(label should be 'safe'"),
        ('{"label": "safe"}', r"line 2 is no prompt as Midwatch writes it \(text is missing"),
        ("[]", "line 2 is not a JSON object"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text('{"text": "a", "label": "safe"}\n' + line + "\n")
    with pytest.raises(UsageError, match=complaint):
        read_prompts(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_prompts(tmp_path / "test.jsonl")
