"""What is noticed of a judge: every wrong label, template and answer that was made, and nothing of right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzer.analyses import get
from analyzer.session.notices import inverted_auc, notices
from shared.records import JudgeRecord, RunRecord
from tests.making.described_cases import (
    GROUPS,
    INVERTED,
    MISREAD,
    RIGHT,
    UNTRAINED,
    WRONG,
    Case,
    noticed,
    of_classifier,
    of_speaker,
    spoken,
)
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.noticed_judges import ASKED, BREAK, probes, spoken_record

in_both_forms = pytest.mark.parametrize("every_seed", [False, pytest.param(True, marks=pytest.mark.slow)])


def chosen(group: str, every_seed: bool) -> list[Case]:
    return [case for case in GROUPS[group] if every_seed or case.seed == 0]


def test_there_are_forty_of_each() -> None:
    assert len(INVERTED) + len(MISREAD) >= 40 and len(RIGHT) + len(UNTRAINED) >= 40


@in_both_forms
@pytest.mark.parametrize("group", ["inverted", "misread"])
def test_every_wrong_description_is_noticed(group: str, every_seed: bool) -> None:
    found = {
        case.name: (case.kind, [notice.kind for notice in noticed(case)]) for case in chosen(group, every_seed)
    }
    assert found and not {name: said for name, (kind, said) in found.items() if said != [kind]}


@in_both_forms
@pytest.mark.parametrize("group", ["right", "untrained"])
def test_nothing_is_noticed_of_right_ones(group: str, every_seed: bool) -> None:
    found = {case.name: noticed(case) for case in chosen(group, every_seed)}
    assert found and not {name: said for name, said in found.items() if said}


def test_the_sentence_names_the_flag_and_what_the_judge_says() -> None:
    (found,) = noticed(Case("", of_classifier("bert", 0), lambda: probes(0)))
    assert (
        found.level == "error" and "AUC 0.00 [0.00," in found.sentence and "32 unsafe and 32 safe" in found.sentence
    )
    assert "pass --unsafe-label 1 (unsafe)" in found.sentence
    (swapped,) = noticed(spoken("", spoken_record(safe="unsafe", unsafe="safe"), "")[0])
    assert "swap --safe-answer and --unsafe-answer" in swapped.sentence
    (found,) = noticed(spoken("", WRONG["without the line break"], "")[0])
    assert '"\\n" 9' in found.sentence and "hold 0 % of the probability" in found.sentence
    one = JudgeRecord(classes=1, safe_ids=(), unsafe_ids=(0,), unsafe_id=0)
    scalar = context(replace(of_classifier("bert", 0)(), record=one), probes(0))
    scalar._forward = context(of_classifier("bert", 0)(), probes(0)).forward
    assert "pass --higher-is safe to" in notices(scalar)[0].sentence
    trainer = context(of_classifier("bert", 0)(), probes(0), run=RunRecord(created_at=1.0))
    assert "Look at the labels of the training data" in notices(trainer)[0].sentence


def test_what_was_assumed_is_repeated() -> None:
    run = RunRecord(judge=JudgeRecord(assumed=("Class 1 is taken as unsafe.",)))
    (found,) = notices(context(tiny_judge("bert"), random_probes(), run=run))
    assert (found.kind, found.sentence) == ("assumed", "Class 1 is taken as unsafe.")
    assert notices(context(tiny_judge("bert"), [])) == []


def test_a_small_probe_set_is_enough_where_every_prompt_says_it() -> None:
    scores, unsafe = np.repeat([2.0, -2.0], 10), np.repeat([False, True], 10)
    assert inverted_auc(scores, unsafe, np.arange(20)) is not None
    assert inverted_auc(scores[7:13], unsafe[7:13], np.arange(6)) is None  # 3 and 3 may be chance
    assert inverted_auc(scores, unsafe, np.arange(20) // 10) is None  # two templates of ten prompts are two
    assert inverted_auc(0.04 * scores, unsafe, np.arange(20)) is None  # no verdict turns on it
    assert inverted_auc(-scores, unsafe, np.arange(20)) is None
    assert inverted_auc(scores, np.ones(20, dtype=bool), np.arange(20)) is None


def test_a_judge_that_tells_nothing_is_called_inverted_once_in_a_thousand_at_most() -> None:
    """Scores without any relation to labels, as large as a trained judge's, in groups of four prompts."""
    random, count, groups = np.random.default_rng(0), 0, np.arange(96) // 4
    for _ in range(400):
        unsafe = np.repeat(random.permutation(24) < 12, 4)
        scores = 3 * np.repeat(random.standard_normal(24), 4) + random.standard_normal(96)
        count += inverted_auc(scores, unsafe, groups) is not None
    assert count <= 2  # 0.4 expected; 3 or more in 0.8 % of all tries


def test_answer_mass_is_told_by_class_and_over_the_run() -> None:
    ready = context(of_speaker("llama", 0, spoken_record())(), probes(0))
    calibration = get("calibration")
    outcome = calibration.compute(ready, calibration.settings())
    assert min(outcome.summary[f"answer_mass{side}"] for side in ("", "_safe", "_unsafe")) > 0.9
    answers = outcome.result.answers  # type: ignore[attr-defined]
    assert {(each.text, each.side) for each in answers.top[:2]} == {("safe", "safe"), ("unsafe", "unsafe")}
    assert answers.top[0].on_safe + answers.top[0].on_unsafe == pytest.approx(1, abs=0.1)
    assert ASKED.endswith(BREAK)
