"""The closing table."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from shared.records import Prompt
from trainer.data import Data
from trainer.report import compare, report

PAIR = [Prompt(text="a", label="safe", pair="1"), Prompt(text="b", label="unsafe", pair="1")]


def shown(data: Data, contrast: dict[str, float]) -> str:
    parts = {"val": {"accuracy": 0.75, "f1": 0.5}, "test": {"accuracy": 0.25}, "contrast": contrast}
    console = Console(file=io.StringIO(), width=80)
    console.print(report(7, parts, {"length": parts, "tfidf": parts}, data))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_judge_and_baselines_side_by_side_in_80_columns() -> None:
    text = shown(Data([], PAIR, [], [], ""), {"accuracy": 0.5, "both_right": 0.125})
    assert "Best checkpoint: step 7. 2 validation and 0 test prompts, 1" in text
    (validation,) = [line for line in text.splitlines() if line.startswith("│ validation")]
    assert [cell.strip() for cell in validation.split("│")[2:6]] == ["accuracy", "0.750", "0.750", "0.750"]
    assert max(map(len, text.splitlines())) <= 80
    assert "both twins right" in text and "0.125" in text


def test_without_pairs_nothing_is_said_about_them() -> None:
    text = shown(Data([], [], [], [], ""), {})
    assert "contrast pairs │" not in text and "against" not in text


@pytest.mark.parametrize(("mine", "verb"), [(0.7, "beats"), (0.6, "does not beat"), (0.5, "does not beat")])
def test_the_comparison_tells_the_truth(mine: float, verb: str) -> None:
    sentence = compare({"accuracy": mine}, {"accuracy": 0.6})
    assert sentence == f"On contrast pairs the judge {verb} TF-IDF: {mine:.3f} against 0.600."
