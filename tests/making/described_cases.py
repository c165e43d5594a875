"""Judges described rightly and wrongly: 40 and more of each, by what is to be noticed of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.model.judge import Judge
from analyzer.session.notices import notices
from shared.records import JudgeRecord, Notice, Probe
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.noticed_judges import (
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


def cases(unsafe: int, kind: str, seeds: Sequence[int] = SEEDS) -> list[Case]:
    """Trained classifiers and planted ones, read with class `unsafe` as the unsafe one."""
    trained = [
        Case(f"{family} {seed}", of_classifier(family, unsafe), lambda seed=seed: probes(seed), kind, seed)
        for family in CLASSIFIERS
        for seed in seeds
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
        for seed in seeds
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


def noticed(case: Case) -> list[Notice]:
    return notices(context(case.judge(), case.probes()))
