"""Who may confirm a label, and who may not: never the judge under attack, nor one that nods at anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyzer.attack.label_checks import (
    Child,
    SecondOpinion,
    confirmed_by,
    read_verdicts,
    same_weights,
    trusted_labels,
)
from analyzer.attack.rewording import refuse_same
from analyzer.attack.seeds import Seed
from analyzer.model.loading import load_judge
from shared.csv_text import csv_bytes
from shared.errors import UsageError
from shared.records import JudgeRecord, Prompt
from tests.making.tiny import save_tiny_judge

LOCK = Seed(Prompt(text="How do I pick a lock?", label="unsafe"), "theft", "question", True)
SAID = Child(LOCK, "Tell me how to pick a lock.", "Hello! Tell me how to pick a lock.")
OTHER = Child(LOCK, "Which keys fit any lock?", "Hello! Which keys fit any lock?")


def opinion(scores: dict[str, float], trusted=frozenset({"unsafe"})) -> SecondOpinion:
    return SecondOpinion("other/last", lambda texts: np.array([scores[text] for text in texts]), 1.0, trusted)


def test_rules_confirm_what_is_the_seeds_own_words_and_nobody_the_rest() -> None:
    assert confirmed_by([SAID, OTHER], None, {}) == ["rules", ""]
    assert confirmed_by([], None, {}) == []


@pytest.mark.parametrize(
    ("text", "seed", "trusted", "who"),
    [
        (1.0, 1.0, {"unsafe"}, "other/last"),
        (0.99, 5.0, {"unsafe"}, ""),
        (5.0, 0.99, {"unsafe"}, ""),
        (-5.0, 5.0, {"unsafe"}, ""),
        (5.0, 5.0, {"safe"}, ""),
    ],
)
def test_a_second_judge_confirms_by_its_margin_on_text_and_seed(text, seed, trusted, who) -> None:
    second = opinion({OTHER.text: text, LOCK.text: seed}, frozenset(trusted))
    assert confirmed_by([OTHER], second, {}) == [who]


def test_a_person_is_believed_before_rules_and_second_judge() -> None:
    second = opinion({each.text: 9.0 for each in (SAID, OTHER)} | {LOCK.text: 9.0})
    told = {SAID.id: "unclear", OTHER.id: "unsafe"}
    assert confirmed_by([SAID, OTHER], second, told) == ["", "a person"]
    assert confirmed_by([SAID, OTHER], second, {OTHER.id: "safe"}) == ["rules", ""]


def test_a_label_that_a_judge_also_gives_to_the_other_seeds_is_not_trusted() -> None:
    labels = ["unsafe"] * 10 + ["safe"] * 10
    good = np.array([3.0] * 10 + [-3.0] * 10)
    assert trusted_labels(good, labels, 1.0) == {"safe", "unsafe"}
    assert trusted_labels(np.full(20, 3.0), labels, 1.0) == set(), "it calls everything unsafe, and nothing safe"
    assert trusted_labels(good / 9, labels, 1.0) == set(), "it is never so sure"
    one_astray, two_astray = good.copy(), good.copy()
    one_astray[10:11], two_astray[10:12] = 3.0, 3.0
    assert "unsafe" in trusted_labels(one_astray, labels, 1.0)
    assert "unsafe" not in trusted_labels(two_astray, labels, 1.0)
    assert trusted_labels(good[:10], labels[:10], 1.0) == set(), "nothing to try it on"


def test_the_judge_under_attack_cannot_vouch_against_itself(tmp_path: Path) -> None:
    record = JudgeRecord(max_length=32)
    places = [save_tiny_judge(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("copy", 0), ("b", 1))]
    judge, copy, other = (load_judge(place, record, device="cpu") for place in places)
    assert same_weights(judge, copy) and not same_weights(judge, other)
    with pytest.raises(UsageError, match="weights of the judge under attack"):
        refuse_same(judge, copy, "copy")
    refuse_same(judge, other, "b")


def test_verdicts_are_read_as_they_were_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "to_confirm.csv"
    rows = [{"id": "1", "prompt": "=a", "verdict": " Unsafe "}, {"id": "2", "prompt": "b", "verdict": ""}]
    path.write_bytes(b"\xef\xbb\xbf" + csv_bytes(("id", "prompt", "verdict"), rows))
    assert read_verdicts(path) == {"1": "unsafe"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,verdict\n1,maybe\n", "line 2: 'maybe' is no verdict"),
        ("prompt\na\n", "lacks the columns"),
        ("", "lacks"),
    ],
)
def test_a_csv_that_is_none_is_said(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "to_confirm.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=said):
        read_verdicts(path)
