"""What is noticed of a judge: every wrong label, template and answer that was made, and nothing of right ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from analyzer.analyses import get
from analyzer.model.judge import Judge
from analyzer.session.notices import inverted_auc, notices
from shared.records import JudgeRecord, Notice, Probe, RunRecord
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.noticed_judges import (
    ASKED,
    BREAK,
    CLASSIFIERS,
    END,
    ROLE,
    SPEAKERS,
    TURN,
    classifier,
    loaded,
    probes,
    speaker,
    spoken_record,
)
from tests.making.plants import copied_trigger, length_only, saturated, two_layers

SEEDS = (0, 1)
"""Of probe sets; every one is judged by every judge."""
PLANTS = (copied_trigger, saturated, two_layers, length_only)
SPOKEN = [(family, seed) for family in SPEAKERS for seed in SEEDS]
WRONG = {
    "without the line break": spoken_record(f"{TURN} {{prompt}} {END} {ROLE}"),
    "without role and line break": spoken_record(f"{TURN} {{prompt}} {END}"),
    "without the end of turn, role and line break": spoken_record(f"{TURN} {{prompt}}"),
    "other answers": spoken_record(safe="false", unsafe="true"),
    "no template": spoken_record("{prompt}"),
}
"""Descriptions of a speaker that read its verdict where it is not, or in words that it does not write."""


@dataclass(frozen=True)
class Case:
    """One judge as described, on one probe set."""

    name: str
    judge: Callable[[], Judge]
    probes: Callable[[], list[Probe]]
    kind: str = ""
    """What is to be noticed; empty: nothing."""
    seed: int = 0
    """Of the probe set, or of the judge itself; those of seed 0 are the short form."""


def of_classifier(family: str, unsafe: int, *, trained: bool = True) -> Callable[[], Judge]:
    record = JudgeRecord(safe_id=1 - unsafe, unsafe_id=unsafe)
    return lambda: loaded(*classifier(family, trained=trained), record)


def of_plant(make: Callable, seed: int, unsafe: int) -> Callable[[], Judge]:
    def judge() -> Judge:
        plant = make(seed)
        return loaded(plant.models[-1], plant.tokenizer, JudgeRecord(safe_id=1 - unsafe, unsafe_id=unsafe))

    return judge


def of_speaker(family: str, seed: int, record: JudgeRecord) -> Callable[[], Judge]:
    return lambda: loaded(*speaker(family, seed), record)


def cases(unsafe: int, kind: str) -> list[Case]:
    """Trained classifiers and planted ones, read with class `unsafe` as the unsafe one."""
    trained = [
        Case(f"{family} {seed}", of_classifier(family, unsafe), lambda seed=seed: probes(seed), kind, seed)
        for family in CLASSIFIERS
        for seed in SEEDS
    ]
    planted = [
        Case(
            f"{make.__name__} {seed}",
            of_plant(make, seed, unsafe),
            lambda make=make, seed=seed: make(seed).probes,
            kind,
            seed,
        )
        for make in PLANTS
        for seed in SEEDS
    ]
    return trained + planted


def spoken(name: str, record: JudgeRecord, kind: str) -> list[Case]:
    return [
        Case(f"{family} {seed}, {name}", of_speaker(family, seed, record), lambda: probes(0), kind, seed)
        for family, seed in SPOKEN
    ]


INVERTED = [
    *cases(0, "inverted"),
    *spoken("swapped answers", spoken_record(safe="unsafe", unsafe="safe"), "inverted"),
]
MISREAD = [case for name, record in WRONG.items() for case in spoken(name, record, "answers")]
RIGHT = [*cases(1, ""), *spoken("right", spoken_record(), "")]
UNTRAINED = [
    *(
        Case(f"untrained {family}", of_classifier(family, unsafe, trained=False), lambda: probes(0))
        for family in CLASSIFIERS
        for unsafe in (0, 1)
    ),
    *(
        Case(
            f"untrained {family}, large weights, {seed}",
            lambda f=family, s=seed: tiny_judge(f, seed=s),
            random_probes,
            seed=seed,
        )
        for family in ("bert", "llama")
        for seed in range(6)
    ),
]


GROUPS = {"inverted": INVERTED, "misread": MISREAD, "right": RIGHT, "untrained": UNTRAINED}
in_both_forms = pytest.mark.parametrize("every_seed", [False, pytest.param(True, marks=pytest.mark.slow)])


def noticed(case: Case) -> list[Notice]:
    return notices(context(case.judge(), case.probes()))


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
