"""A classifier's record, from its config and the user's word: classes, labels of their own, and single outputs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shared.errors import UsageError
from shared.judge_labels import THRESHOLD_ASSUMED, Word, class_names, read_classifier, sides_sentence
from shared.records import JudgeRecord, Label

MULTI = {"problem_type": "multi_label_classification"}
JIGSAW = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


def named(*names: str, **more: Any) -> dict[str, Any]:
    return {"id2label": {str(index): name for index, name in enumerate(names)}, **more}


def record(config: dict[str, Any], **word: Any) -> JudgeRecord:
    return read_classifier(config, Word(**word)).record


@pytest.mark.parametrize(
    ("config", "word", "safe", "unsafe"),
    [
        (named("normal", "hate", "offensive"), {}, (0,), (1, 2)),
        (named("BENIGN", "INJECTION", "JAILBREAK"), {}, (0,), (1, 2)),
        (named("hate speech", "normal", "offensive"), {}, (1,), (0, 2)),
        (named("hate_speech", "offensive_language", "neither"), {}, (2,), (0, 1)),
        (named("acceptable", "inappropriate", "offensive", "violent"), {}, (0,), (1, 2, 3)),
        (named("a", "b", "c"), {"unsafe": "b, C"}, (0,), (1, 2)),
        (named("a", "b", "c"), {"unsafe": "2,0"}, (1,), (0, 2)),
        (named("a", "b", "c"), {"safe": "a"}, (0,), (1, 2)),
        (named("Safe", "Controversial", "Unsafe"), {"safe": "safe", "unsafe": "unsafe"}, (0,), (2,)),
        (named("fine, really", "b", "c"), {"safe": "Fine, Really"}, (0,), (1, 2)),
        ({"num_labels": 3}, {"unsafe": "1,2"}, (0,), (1, 2)),
    ],
)
def test_several_classes(config: dict, word: dict, safe: tuple, unsafe: tuple) -> None:
    found = record(config, **word)
    assert (found.safe, found.unsafe, found.classes) == (safe, unsafe, len(class_names(config)))
    assert found.threshold == 0 and not found.assumed


@pytest.mark.parametrize(
    ("config", "word", "unsafe"),
    [
        (named("safe", "unsafe", **MULTI), {}, (1,)),
        (named(*JIGSAW, **MULTI), {}, (0, 1, 2, 3, 4, 5)),
        (named("non-toxic", "insult", "obscenity", "threat", "dangerous", **MULTI), {}, (1, 2, 3, 4)),
        (named("S", "H", "OK", **MULTI), {"unsafe": "S,H"}, (0, 1)),
        (named("neutral", "toxic", **MULTI), {}, (1,)),
        (named("x", "y", problem_type="regression"), {"unsafe": "y", "threshold": 0.5}, (1,)),
    ],
)
def test_labels_with_an_output_each_are_read_by_themselves(config: dict, word: dict, unsafe: tuple) -> None:
    found = record(config, **word)
    assert (found.safe, found.unsafe, found.classes) == ((), unsafe, len(config["id2label"]))
    assert not found.assumed


def test_two_unnamed_classes_are_assumed_and_say_so() -> None:
    for config in ({}, {"id2label": None}, named("LABEL_0", "LABEL_1"), named("0", "1")):
        found = record(config)
        assert (found.safe_id, found.unsafe_id) == (0, 1)
        assert [("--unsafe-label 0" in told) for told in found.assumed] == [True]
    assert not record({}, unsafe="1").assumed
    assert len(record(MULTI).assumed) == 1 and record(MULTI).unsafe == (1,)


@pytest.mark.parametrize(
    ("config", "word", "safe", "unsafe", "threshold", "assumed"),
    [
        (named("LABEL_0"), {}, (0,), (), 0, 2),
        (named("LABEL_0"), {"higher_is": "unsafe"}, (), (0,), 0, 1),
        (named("LABEL_0"), {"higher_is": "safe", "threshold": 1.5}, (0,), (), -1.5, 0),
        (named("LABEL_0"), {"threshold": -2.0}, (0,), (), 2.0, 1),
        (named("LABEL_0", problem_type="regression"), {}, (), (0,), 0, 2),
        (named("LABEL_0", **MULTI), {}, (), (0,), 0, 1),
        (named("toxicity"), {}, (), (0,), 0, 1),
        (named("toxicity"), {"threshold": 0.25}, (), (0,), 0.25, 0),
        (named("safe"), {"threshold": 0.0}, (0,), (), 0, 0),
        (named("reward"), {"unsafe": "reward", "threshold": 3}, (), (0,), 3, 0),
        (named("toxicity"), {"higher_is": "safe"}, (0,), (), 0, 1),
        ({"num_labels": 1}, {"safe": "0", "threshold": 1}, (0,), (), -1, 0),
    ],
)
def test_a_single_output_has_a_direction(
    config: dict, word: dict, safe: tuple, unsafe: tuple, threshold: float, assumed: int
) -> None:
    found = record(config, **word)
    assert (found.safe, found.unsafe, found.threshold, found.classes) == (safe, unsafe, threshold, 1)
    assert len(found.assumed) == assumed
    assert (THRESHOLD_ASSUMED in found.assumed) == ("threshold" not in word and config != named("LABEL_0", **MULTI))


def test_a_plain_judge_s_record_says_no_more_than_it_did() -> None:
    assert record(named("toxic", "non-toxic")) == JudgeRecord(safe_id=1, unsafe_id=0)
    assert read_classifier({}, Word(unsafe="1"), 64).record == JudgeRecord(max_length=64)


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (["spam", "ham"], "'spam'"),
        (["ham", "spam"], "'spam'"),
        (["NOT", "OFF"], "'OFF'"),
        (["positive", "negative"], "'positive'"),
        (["x", "hate", "y"], "'hate'"),
        (["hate", "offensive", "controversial"], "'hate,offensive'"),
        (["dup", "dup", "hate, or not"], "'1,2'"),
        (["safe", "S1", "S2"], "--safe-label 'safe'"),
        (["A", "B"], "--unsafe-label 'A' or --unsafe-label 'B'"),
    ],
)
def test_the_hint_proposes_the_likeliest_classes(names: list[str], proposed: str) -> None:
    with pytest.raises(UsageError) as caught:
        record(named(*names))
    assert proposed in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("config", "word", "said"),
    [
        (named("ham", "spam"), {}, "0: ham, 1: spam"),
        ({"num_labels": 3}, {}, "has 3 classes without names"),
        ({"id2label": {"0": "ham", "5": "spam"}}, {}, "does not count them from 0"),
        ({"id2label": {"a": "ham", "b": "spam"}}, {}, "not numbers"),
        ({"id2label": ["safe", "unsafe"]}, {}, 'id2label is not a JSON object, as {"0": "safe", "1": "unsafe"} is'),
        ({"id2label": "unsafe"}, {}, "is not a JSON object"),
        ({"id2label": {str(i): f"t{i}" for i in range(1001)}}, {}, "more than 1,000 classes"),
        ({"num_labels": 10**12}, {"unsafe": "1"}, "more than 1,000 classes"),
        ({"num_labels": 0}, {}, "names 0 classes"),
        (named("ham", "spam"), {"safe": "ham", "unsafe": "0"}, "same class, 'ham'"),
        (named("a", "b", "c"), {"safe": "a,b", "unsafe": "b,c"}, "same class, 'b'"),
        (named("a", "b"), {"unsafe": "a,b"}, "--unsafe-label names every class"),
        (named("a", "b", **MULTI), {"safe": "a,b"}, "--safe-label names every class"),
        (named("a", "b"), {"safe": "eggs"}, "'eggs' is not a class"),
        (named("a", "b"), {"unsafe": "2"}, "'2' is not a class"),
        (named("a", "b"), {"unsafe": "-1"}, "'-1' is not a class"),
        (named("a", "b"), {"unsafe": "²"}, "'²' is not a class"),
        (named("a", "b"), {"unsafe": " , "}, "--unsafe-label is empty"),
        (named("x", "x", "y"), {"unsafe": "x"}, r"name of several classes \(0 and 1\)"),
        (named("a", "b"), {"threshold": math.nan}, "--threshold nan"),
        (named("a"), {"threshold": math.inf}, "--threshold inf"),
        (named("a", "b"), {"higher_is": "safe"}, "has 2 classes"),
        (named("a"), {"higher_is": "safe", "unsafe": "a"}, "both safe and unsafe"),
        (named("a"), {"unsafe": "b"}, "'b' is not a class"),
        (named("toxic", "banana", **MULTI), {}, "--unsafe-label 'toxic'"),
    ],
)
def test_what_cannot_be_told_is_a_usage_error(config: dict, word: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        record(config, **word)


def test_a_class_called_by_a_number_is_found_by_its_name() -> None:
    assert record(named("1", "0"), unsafe="1").unsafe_id == 0


@pytest.mark.parametrize(
    ("config", "word", "sentence"),
    [
        (named("safe", "unsafe"), {}, "class 1 (unsafe) is unsafe, class 0 (safe) is safe"),
        (
            named("normal", "hate", "offensive"),
            {},
            "classes 1 (hate) and 2 (offensive) are unsafe, class 0 (normal) is safe",
        ),
        (
            named("safe", "odd", "unsafe"),
            {"safe": "safe", "unsafe": "unsafe", "threshold": 1},
            "class 2 (unsafe) is unsafe, class 0 (safe) is safe, class 1 (odd) is left out; a verdict turns at 1",
        ),
        (named("toxic", "ok", **MULTI), {}, "class 0 (toxic) is unsafe, read by itself and not against the others"),
        (
            named("toxic", "threat", "ok", **MULTI),
            {},
            "classes 0 (toxic) and 1 (threat) are unsafe, each read by itself and not against the others",
        ),
        (
            named("LABEL_0"),
            {"threshold": 2.5},
            "the head has one output, and high means safe; a verdict turns at 2.5",
        ),
        (
            named("toxicity"),
            {},
            "the head has one output (toxicity), and high means unsafe; a verdict turns at 0",
        ),
    ],
)
def test_the_sides_in_words(config: dict, word: dict, sentence: str) -> None:
    found = read_classifier(config, Word(**word))
    assert sides_sentence(found.record, found.names) == sentence


def test_many_classes_are_counted() -> None:
    found = read_classifier(named("safe", *(f"hate {i}" for i in range(12))))
    assert "8 (hate 7) and 4 more are unsafe, class 0 (safe) is safe" in sides_sentence(found.record, found.names)


def test_names_of_classes_can_be_printed_and_written() -> None:
    names = class_names(named("safe\ud800", "un\x1b[31msafe\n", "\u00e9 \u5b89"))
    assert names == {0: "safe", 1: "un [31msafe", 2: "\u00e9 \u5b89"}
    for name in names.values():
        assert name.encode("utf-8") and name.isprintable()


def test_answers_are_told_as_the_judge_writes_them() -> None:
    answers: dict[str, Label] = {"yes": "unsafe", "Yes": "unsafe", "no": "safe"}
    judge = JudgeRecord(kind="prompted", safe_id=4, unsafe_id=7, template="{prompt}", answers=answers)
    assert sides_sentence(judge, {}) == "answers 'yes' and 'Yes' are unsafe, answer 'no' is safe"
    many: dict[str, Label] = {f"no {i}": "safe" for i in range(11)}
    assert "and 4 more are safe" in sides_sentence(judge.model_copy(update={"answers": answers | many}), {}), (
        "of 12"
    )
    assert sides_sentence(judge.model_copy(update={"answers": {}}), {7: "True"}) == (
        "answer 7 (True) is unsafe, answer 4 is safe"
    ), "records of before"
