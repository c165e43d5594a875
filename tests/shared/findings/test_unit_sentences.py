"""Sentences on heads and neurons: each changes with the numbers that it follows from."""

from __future__ import annotations

from typing import Any

import pytest

from shared.findings.claims import ToExplain
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.parts import Interval
from shared.findings.removal_curve import CurvePoint, HalfGone, RemovalCurve
from shared.findings.unit_sentences import (
    agreement_words,
    curve_sentence,
    heads_headline,
    listed,
    loss_words,
    neurons_headline,
)
from shared.findings.units import Agreement, JointAblation, UnitAblation
from tests.making.fake_heads import fake_heads
from tests.making.fake_neurons import fake_neurons, separation, spread
from tests.making.fake_samples import SAMPLES


def joint(**changes: Any) -> JointAblation:
    fields: dict[str, Any] = {
        "sizes": [1, 1],
        "named": ["L0.H2"],
        "redundant": [],
        "each": [],
        "drop": spread(7.6, 0.1),
        "share": spread(0.98, 0.01),
        "flips": 24,
        "n": 48,
        "control_drops": [0.1, 0.3],
        "control_flips": [0, 1],
        "carries": True,
    }
    return JointAblation(**(fields | changes))


def heads(found: JointAblation | None, **changes: Any) -> HeadsResult:
    result, _ = fake_heads(0.9, 3, 0, SAMPLES)
    top = [
        row.model_copy(update={"ablation": row.ablation.model_copy(update={"carries": False})})
        for row in result.top
    ]
    return result.model_copy(update={"joint": found, "top": top} | changes)


LOSS = "7.60 nats lost [7.50, 7.70], 98 % of the separation"
PAIR = {"sizes": [2, 2], "named": ["L0.H2", "L0.H3"]}
BACKUPS = PAIR | {"redundant": ["L0.H2", "L0.H3"]}
TRIO = {"sizes": [3, 3], "named": ["L0.H1", "L0.H2", "L0.H3"]}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (joint(), f"L0.H2 carries the verdict: {LOSS}"),
        (joint(**PAIR), f"L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip"),
        (
            joint(**BACKUPS),
            f"L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip; a redundant pair, "
            "each "
            "alone below a tenth of that",
        ),
        (
            joint(**TRIO, redundant=["L0.H2", "L0.H3"]),
            f"L0.H1, L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip; L0.H2 and "
            "L0.H3 "
            "are a redundant pair, each alone below a tenth of that",
        ),
        (
            joint(**TRIO, redundant=TRIO["named"]),
            f"L0.H1, L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip; a redundant "
            "group, "
            "each alone below a tenth of that",
        ),
        (
            joint(sizes=[6, 4], named=[]),
            f"4 to 6 heads together carry the verdict: {LOSS}; as many random ones 0.20 nats",
        ),
        (
            joint(sizes=[1, 2], named=[]),
            f"1 to 2 heads together carry the verdict: {LOSS}; as many random ones 0.20 nats",
        ),
        (
            joint(named=[]),
            f"One head carries the verdict, but not the same on both halves: {LOSS}; random ones 0.20 nats",
        ),
        (
            joint(carries=False, sizes=[3, 3]),
            f"No heads carry the verdict for certain: without the 3 strongest {LOSS}; random ones up to 0.30 nats",
        ),
        (
            joint(carries=False, drop=spread(0.001, 0.01), share=spread(0.001, 0.01), control_drops=[]),
            "No heads carry the verdict for certain: without the strongest 0.0010 nats lost [−0.0090, 0.011], "
            "less "
            "than 1 % of the separation",
        ),
        (None, "No heads could be chosen on one half of the prompts and removed on the other"),
    ],
)
def test_heads(found: JointAblation | None, said: str) -> None:
    assert heads_headline(heads(found)) == said


def test_one_head_that_carries_alone_is_named_where_no_set_is_clear() -> None:
    result, _ = fake_heads(0.9, 3, 0, SAMPLES)
    ablation = UnitAblation(drop=spread(1.0, 0.1), share=spread(0.5, 0.1), flips=3, n=48, carries=True)
    row = result.top[3].model_copy(update={"ablation": ablation})
    quiet = heads(joint(carries=False))
    said = heads_headline(quiet.model_copy(update={"top": [quiet.top[0], row]}))
    assert said == f"{row.name} carries the verdict: 1.00 nats lost [0.90, 1.10], 50 % of the separation"


def with_alone(found: JointAblation, losses: dict[int, float]) -> HeadsResult:
    """Heads of layer 0 that lose so much alone."""
    result = heads(found)
    rows = [
        result.top[0].model_copy(
            update={
                "layer": 0,
                "head": head,
                "ablation": UnitAblation(
                    drop=spread(lost, 0.1), share=spread(0.1 * lost, 0.1), flips=3, n=48, carries=True
                ),
            }
        )
        for head, lost in losses.items()
    ]
    return result.model_copy(update={"top": rows})


def each(*which: int, **changes: Any) -> JointAblation:
    return joint(each=[f"L0.H{head}" for head in which], **changes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            each(2, 3),
            "L0.H2 and L0.H3 each carry the verdict: without either one at least 6.00 nats lost [5.90, 6.10], 60 % "
            "of the separation",
        ),
        (
            each(2, 3, 4, named=[]),
            "L0.H2, L0.H3 and L0.H4 each carry the verdict: without any one of them at least 5.00 nats lost [4.90, "
            "5.10], 50 % of the separation",
        ),
        (
            each(2, 3, 4, 5, 6),
            "L0.H2, L0.H3, L0.H4, L0.H5 and 1 more each carry the verdict: without any one of them at least 4.00 "
            "nats lost [3.90, 4.10], 40 % of the separation",
        ),
        (each(2), f"L0.H2 carries the verdict: {LOSS}"),
        (each(2, 3, **PAIR), f"L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip"),
        (
            each(4, sizes=[6, 4], named=[]),
            f"4 to 6 heads together carry the verdict: {LOSS}; as many random ones 0.20 nats; L0.H4 alone 5.00 "
            "nats lost [4.90, 5.10], 50 % of the separation",
        ),
        (
            each(4, **BACKUPS),
            f"L0.H2 and L0.H3 together carry the verdict: {LOSS}, 50 % of the verdicts flip; a redundant pair, "
            "each alone below a tenth of that; L0.H4 alone 5.00 nats lost [4.90, 5.10], 50 % of the separation",
        ),
    ],
)
def test_every_head_that_alone_loses_most_of_it_is_named(found: JointAblation, said: str) -> None:
    losses = {2: 7.0, 3: 6.0, 4: 5.0, 5: 4.5, 6: 4.0}
    losses = {head: lost for head, lost in losses.items() if f"L0.H{head}" in found.each}
    assert heads_headline(with_alone(found, losses)) == said


def test_nothing_to_explain_comes_before_every_other_sentence() -> None:
    nothing = separation(2.0).model_copy(update={"p_value": 0.2})
    mapped, _ = fake_neurons(0.9, 3, 0, SAMPLES)
    for said in (
        heads_headline(heads(joint(), explained=nothing)),
        neurons_headline(mapped.model_copy(update={"explained": nothing})),
    ):
        assert said.startswith("Nothing to explain: the separation of unsafe and safe is 2.00 nats [1.70")
        assert said.endswith("which may be chance")


def test_what_is_lost_of_a_judge_that_answers_the_other_way() -> None:
    turned = ToExplain(size=spread(-4.0, 0.5), p_value=1e-6, groups=24, unit="contrast pairs", needed=20)
    assert loss_words(turned, spread(-2.0, 0.5), None) == "2.00 nats lost [1.50, 2.50], 50 % of the separation"


def curve(*points: tuple[int, float, float | None], half: HalfGone | None) -> RemovalCurve:
    made = [
        CurvePoint(removed=size, left=spread(left, 0.05), random=None if random is None else spread(random, 0.03))
        for size, left, random in points
    ]
    return RemovalCurve(points=made, half=half, total=9216, n=128, folds=5)


HALF = HalfGone(at=573, low=394, high=790)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            curve((92, 0.84, 1.0), (922, 0.38, 0.98), (4608, 0.07, 0.4), half=HALF),
            "Half of the separation is gone without the 573 [394, 790] strongest of 9,216 neurons; 922 random "
            "ones leave 98 % [95 %, 101 %]",
        ),
        (
            curve((922, 0.38, 0.45), half=HALF),
            "Half of the separation is gone without the 573 [394, 790] strongest of 9,216 neurons; that is not "
            "clear "
            "of random ones: 922 random ones leave 45 % [42 %, 48 %]",
        ),
        (
            curve((922, 0.45, None), half=HalfGone(at=600, low=400, high=None)),
            "Half of the separation is gone without the 600 [400, more] strongest of 9,216 neurons",
        ),
        (
            curve((922, 0.9, 0.98), (4608, 0.7, 0.95), half=None),
            "70 % [65 %, 75 %] of the separation is left without the 4,608 strongest of 9,216 neurons; 4,608 "
            "random ones leave 95 % [92 %, 98 %]",
        ),
        (
            curve((1, 0.3, 1.0), half=HalfGone(at=1, low=1, high=3)),
            "Half of the separation is gone without the strongest neuron alone (1 [1, 3] of 9,216); 1 random one "
            "leaves 100 % [97 %, 103 %]",
        ),
        (
            curve((1, 0.7, None), half=None),
            "70 % [65 %, 75 %] of the separation is left without the strongest neuron alone (1 of 9,216)",
        ),
        (curve(half=None), "No neurons could be removed together"),
    ],
)
def test_the_curve(found: RemovalCurve, said: str) -> None:
    assert curve_sentence(found) == said


def test_neurons_name_the_one_that_carries_most_and_no_other() -> None:
    mapped, _ = fake_neurons(0.9, 3, 0, SAMPLES)
    assert isinstance(mapped, NeuronsResult)

    def said(share: float, carries: bool, count: int = 1) -> str:
        ablation = UnitAblation(drop=spread(1.0, 0.1), share=spread(share, 0.1), flips=3, n=48, carries=carries)
        rows = [row.model_copy(update={"ablation": ablation}) for row in mapped.top[2 : 2 + count]]
        return neurons_headline(mapped.model_copy(update={"top": rows}))

    name = mapped.top[2].name
    assert said(0.6, True) == f"{name} carries the verdict: 1.00 nats lost [0.90, 1.10], 60 % of the separation"
    both = f"{name} and {mapped.top[3].name} each carry the verdict: without either one at least 1.00 nats lost ["
    assert said(0.6, True, 2).startswith(both)
    assert "Half of the separation" in said(0.5, True) and said(0.6, False).startswith("Half of the separation")
    two = said(0.3, True, 2)
    each = f"; {name} and {mapped.top[3].name} each carry the verdict: at least 1.00 nats lost [0.90, 1.10]"
    assert two.startswith("Half of the separation") and two.endswith(each)
    alone, four = said(0.3, True), said(0.3, True, 4)
    assert alone.endswith(f"; {name} carries the verdict: 1.00 nats lost [0.90, 1.10]")
    assert f"; {name} and 3 more each carry the verdict: at least 1.00" in four
    assert max(len(sentence.split()) for sentence in (two, alone, four)) <= 40
    for count, share, carries in ((1, 0.09, True), (2, 0.3, False)):
        assert name not in said(share, carries, count), "little, or not clear of random ones"


def test_agreement_has_its_interval_and_its_units() -> None:
    found = Agreement(spearman=Interval(value=0.2, low=-0.31, high=0.62), shown=8, random=20)
    wanted = "Spearman of attribution with ablation 0.20 [−0.31, 0.62], 8 chosen and 20 random"
    assert agreement_words(found) == wanted and agreement_words(None) == ""


def test_lists_of_names() -> None:
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
