"""The no-claim gate: what may be claimed, and what is said where nothing may."""

from __future__ import annotations

import pytest

from shared.findings.claims import SEPARATION, ToExplain, carries, nothing_to_explain, power
from shared.findings.parts import Interval
from shared.findings.text import counted, number


def found(
    low: float, value: float, high: float, p: float = 1e-6, groups: int = 24, needed: int | None = 10
) -> ToExplain:
    size = Interval(value=value, low=low, high=high)
    return ToExplain(size=size, p_value=p, groups=groups, unit="contrast pairs", needed=needed)


CHANCE, TOLD = "which may be chance", "would be needed to tell it from chance"


@pytest.mark.parametrize(
    ("case", "said", "below"),
    [
        (found(1.0, 2.0, 3.0), None, "24 contrast pairs"),
        (found(-3.0, -2.0, -1.0), None, "24 contrast pairs"),
        (
            found(-0.1, 0.2, 0.5, p=0.2, needed=190),
            f"Nothing to explain: {SEPARATION} 0.20 nats [−0.10, 0.50], {CHANCE}",
            f"24 contrast pairs; about 190 {TOLD}",
        ),
        (
            found(0.01, 0.2, 0.5, p=0.03, needed=None),
            f"Nothing to explain: {SEPARATION} 0.20 nats [0.010, 0.50], {CHANCE}",
            f"24 contrast pairs; more than 2,400 {TOLD}",
        ),
        (
            found(2e-6, 3e-6, 4e-6),
            f"Nothing to explain: {SEPARATION} 0.0000030 nats [0.0000020, 0.0000040], too little to move a verdict",
            "24 contrast pairs",
        ),
        (
            found(-0.57, -0.05, 0.4, p=0.8, needed=None),
            f"Nothing to explain: {SEPARATION} −0.050 nats [−0.57, 0.40], {CHANCE}",
            f"24 contrast pairs; more than 2,400 {TOLD}",
        ),
        (
            found(-0.02, 0.01, 0.05, p=0.5, needed=800),
            f"Nothing to explain: {SEPARATION} 0.010 nats [−0.020, 0.050], too little to move a verdict",
            f"24 contrast pairs; about 800 {TOLD}",
        ),
        (
            found(1.0, 2.0, 3.0, groups=6),
            f"Nothing can be claimed from 6 contrast pairs: {SEPARATION} 2.00 nats [1.00, 3.00]",
            "6 contrast pairs; an interval needs 12: give more prompts with `--probes`",
        ),
    ],
)
def test_the_gate_and_its_sentences(case: ToExplain, said: str | None, below: str) -> None:
    assert nothing_to_explain(case, SEPARATION) == said
    assert power(case) == below
    assert case.claimable == (said is None)


def test_reversed_is_said_only_of_what_may_be_claimed() -> None:
    assert found(-3.0, -2.0, -1.0).reversed
    assert not found(1.0, 2.0, 3.0).reversed and not found(-3.0, -2.0, -1.0, p=0.1).reversed


@pytest.mark.parametrize(
    ("effect", "worth"),
    [((0.1, 0.2, 0.3), True), ((-0.3, -0.2, -0.1), True), ((-0.1, 0.2, 0.3), False), ((0.01, 0.019, 0.02), False)],
)
def test_what_is_worth_saying_is_clear_of_nothing_and_a_hundredth(
    effect: tuple[float, float, float], worth: bool
) -> None:
    low, value, high = effect
    assert found(1.0, 2.0, 3.0).worth_saying(Interval(value=value, low=low, high=high)) == worth
    assert not found(1.0, 2.0, 3.0, p=0.5).worth_saying(Interval(value=value, low=low, high=high))


def test_a_share_keeps_its_ends_in_order() -> None:
    share = found(-3.0, -2.0, -1.0).share(Interval(value=-1.0, low=-1.5, high=-0.5))
    assert (share.low, share.value, share.high) == (0.25, 0.5, 0.75)


def test_numbers_for_people() -> None:
    told = [number(value) for value in (0, 7.6, -0.123, 0.0951, 0.012, -3.1e-6, 123.456)]
    assert told == ["0", "7.60", "−0.12", "0.10", "0.012", "−0.0000031", "123.46"]
    assert counted(1, "head") == "1 head" and counted(1234, "head") == "1,234 heads"
    assert counted(2, "is", "are") == "2 are"


def loss(low: float, value: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("explained", "lost", "random", "is_so"),
    [
        (found(1.0, 2.0, 3.0), loss(0.5, 0.6, 0.7), [0.1, 0.2], True),
        (found(1.0, 2.0, 3.0), loss(0.5, 0.6, 0.7), [0.1, 0.5], False),
        (found(1.0, 2.0, 3.0), loss(0.5, 0.6, 0.7), [], False),
        (found(1.0, 2.0, 3.0), loss(0.0, 0.6, 0.7), [-0.1], False),
        (found(1.0, 2.0, 3.0), loss(0.018, 0.02, 0.022), [0.0], True),
        (found(1.0, 2.0, 3.0), loss(0.018, 0.0199, 0.022), [0.0], False),
        (found(-0.1, 2.0, 3.0), loss(0.5, 0.6, 0.7), [0.0], False),
        (found(1.0, 2.0, 3.0, groups=11), loss(0.5, 0.6, 0.7), [0.0], False),
        (found(1.0, 2.0, 3.0), loss(-0.7, -0.6, -0.5), [0.0], False),
        (found(-3.0, -2.0, -1.0), loss(-0.7, -0.6, -0.5), [-0.1, 0.3], True),
        (found(-3.0, -2.0, -1.0), loss(-0.7, -0.6, -0.5), [-0.5], False),
        (found(-3.0, -2.0, -1.0), loss(0.5, 0.6, 0.7), [0.0], False),
    ],
)
def test_carrying_has_one_meaning(explained: ToExplain, lost: Interval, random: list[float], is_so: bool) -> None:
    """Clear of 0 and of every random draw, a hundredth at least, of something that is there; either way round."""
    assert carries(explained, lost, random) is is_so
