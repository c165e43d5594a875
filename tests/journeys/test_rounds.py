"""Whether retraining helped is counted from both judges' predictions, at one false-positive rate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from journeys.places import Judge, Places
from journeys.rounds import RoundRecord, compare, compare_rounds
from shared.files import read_record

Line = tuple[str, float, str]
"""Label, score, group."""


def evaluated(judge: Judge, data: str, lines: list[Line]) -> None:
    folder = judge.path / "_midwatch" / "evaluations" / "checkpoint-5" / data
    folder.mkdir(parents=True)
    (folder / "evaluation.json").touch()
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["prompt", "label", "score", "group"])
        writer.writeheader()
        for number, (label, score, group) in enumerate(lines):
            writer.writerow({"prompt": f"{number}", "label": label, "score": score, "group": group})


def lines(unsafe: list[float], safe: list[float]) -> list[Line]:
    both = [("unsafe", score) for score in unsafe], [("safe", score) for score in safe]
    return [(label, score, f"g{number // 2}") for each in both for number, (label, score) in enumerate(each)]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_a_round_by_hand(places: Places) -> None:
    """The control refuses one safe prompt in ten and misses half; at that rate the new judge misses one in ten."""
    judge, control = places.retrained(1), places.control(1)
    evaluated(control, "fresh", lines([1.0] * 5 + [-1.0] * 5, [2.0] + [-0.5] * 9))
    # flags everything at its own threshold, yet ranks well: at the control's rate one safe prompt is refused
    evaluated(judge, "fresh", lines([8.0] * 9 + [1.0], [9.0] + [5.0] * 9))
    evaluated(control, "test", lines([1.0] * 4, [-1.0] * 4))
    evaluated(judge, "test", lines([1.0] * 4, [-1.0] * 3 + [1.0]))
    record = compare(judge, control, additions=7)
    assert record is not None
    assert (record.additions, record.fresh, record.fpr) == (7, 20, 0.1)
    assert record.fnr.control == 0.5 and record.fnr.retrained == pytest.approx(0.1)
    assert record.auc.control == 5 * 9 / 100 and record.auc.retrained == (9 * 9) / 100
    assert (record.test_accuracy.control, record.test_accuracy.retrained) == (1.0, 0.875)
    assert record.fnr.low <= record.fnr.difference <= record.fnr.high <= 0
    assert str(record.test_accuracy).startswith("0.875 against the control's 1.000 (-0.125 [")


def test_two_equal_judges_differ_by_nothing(places: Places) -> None:
    random = np.random.default_rng(0)
    same = lines(random.normal(1, 1, 20).tolist(), random.normal(-1, 1, 20).tolist())
    for judge in (places.retrained(1), places.control(1)):
        evaluated(judge, "fresh", same)
        evaluated(judge, "test", same)
    record = compare(places.retrained(1), places.control(1), 0)
    assert record is not None and (record.fnr.difference, record.fnr.low, record.fnr.high) == (0, 0, 0)


def test_nothing_is_said_of_a_round_without_both(places: Places) -> None:
    evaluated(places.retrained(1), "fresh", lines([1.0], [-1.0]))
    assert compare(places.retrained(1), places.control(1), 0) is None
    assert list(compare_rounds(places, 1)) == []


def test_attacks_of_one_label_cannot_be_compared(places: Places) -> None:
    for judge in (places.retrained(1), places.control(1)):
        evaluated(judge, "fresh", lines([1.0], []))
        evaluated(judge, "test", lines([1.0], [-1.0]))
    assert compare(places.retrained(1), places.control(1), 0) is None


def test_the_record_lies_beside_the_judges(places: Places) -> None:
    for judge in (places.retrained(1), places.control(1)):
        for data in ("fresh", "test"):
            evaluated(judge, data, lines([1.0, 2.0], [-1.0, -2.0]))
    folder = places.judge.path / "_midwatch" / "attacks" / "checkpoint-5"
    folder.mkdir(parents=True)
    (folder / "archive.json").touch()
    (folder / "additions.jsonl").write_text(json.dumps({"prompt": "a"}) + "\n")
    (sentence,) = compare_rounds(places, 1)
    assert sentence.startswith("Round 1: 1 prompts added; on 4 fresh attacks FNR at FPR 0.000 is 0.000 against")
    assert read_record(places.root / "round-1" / "round.json", RoundRecord).additions == 1
