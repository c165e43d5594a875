"""What is said of a circuit: of one that can be claimed, of one that cannot, and of nothing to explain."""

from __future__ import annotations

import pytest

from shared.figures.circuits.words import (
    circuit_finding,
    circuit_flags,
    curve_finding,
    power_words,
    separation_words,
    share_words,
)
from shared.findings.circuits import CircuitsResult
from shared.findings.claims import SEPARATION
from shared.findings.parts import Interval
from tests.making.fake_circuits import explained, fake_circuits, nothing_explained


def around(value: float, half: float) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def found() -> CircuitsResult:
    return fake_circuits(1.0, 3, 0, heads=4)[0]


def claimed(kept: Interval, random: list[float]) -> CircuitsResult:
    result = found()
    assert result.smallest is not None
    smallest = result.smallest.model_copy(update={"kept": kept, "random": random})
    return result.model_copy(update={"smallest": smallest})


def unclaimed(kept: Interval, above: Interval) -> CircuitsResult:
    """No smallest circuit; each size below the whole keeps so much."""
    result = found()
    changed = {"kept": kept, "above_random": above, "random": [0.1]}
    curve = [*(point.model_copy(update=changed) for point in result.curve[:-1]), result.curve[-1]]
    return result.model_copy(update={"smallest": None, "curve": curve})


def test_a_circuit_is_claimed_with_its_interval_and_random_ones_beside_it() -> None:
    words = circuit_finding(claimed(around(0.85, 0.05), [0.1, 0.3]))
    assert "keep 85 % [80, 90] of the separation on prompts they were not chosen on" in words
    assert words.endswith("; random ones 20 %")


@pytest.mark.parametrize(
    ("kept", "above", "said"),
    [
        (around(0.1, 0.2), around(0.5, 0.1), "keep 10 % [−10, 30] of the separation, which may be none"),
        (around(0.4, 0.2), around(0.05, 0.1), "of the separation, no more than random ones (10 %)"),
        (around(0.4, 0.2), around(0.5, 0.1), "chosen on other prompts, keep 40 % [20, 60]"),
    ],
)
def test_no_circuit_is_claimed_and_the_sentence_says_why(kept: Interval, above: Interval, said: str) -> None:
    words = circuit_finding(unclaimed(kept, above))
    assert words.startswith("No circuit can be claimed") and words.endswith(said)


def test_where_nothing_is_to_be_explained_nothing_is_ranked() -> None:
    result = nothing_explained(found())
    for words in (circuit_finding(result), curve_finding(result)):
        assert words.startswith(f"Nothing to explain: {SEPARATION} 0.0040 nats [")
    assert circuit_flags(result) == []


def test_few_pairs_claim_nothing() -> None:
    few = nothing_explained(found()).model_copy(update={"explained": explained(2.0, 9)})
    assert circuit_finding(few).startswith("Nothing can be claimed from 9 contrast pairs")
    assert power_words(few) == "9 contrast pairs; an interval needs 12: give more prompts with `--probes`"


def test_the_curve_says_where_it_is_clear_of_nothing_and_of_random_ones() -> None:
    sizes = len(found().curve) - 1
    never = curve_finding(unclaimed(around(0.1, 0.2), around(0.5, 0.1)))
    assert never.startswith(f"No circuit can be claimed: at none of {sizes} sizes")
    always = curve_finding(unclaimed(around(0.4, 0.2), around(0.5, 0.1)))
    assert always.endswith(f"40 % [20, 60] there, clear of 0 and of random ones at {sizes} of {sizes} sizes")


def test_exact_patching_that_disagrees_is_flagged_below_nine_tenths() -> None:
    def flagged(value: float) -> bool:
        result = found().model_copy(update={"check": around(value, 0.05)})
        return any("EXACT PATCHING DISAGREES" in flag for flag in circuit_flags(result))

    assert flagged(0.89) and not flagged(0.9)


def test_a_reversed_judge_is_flagged() -> None:
    result = found().model_copy(update={"explained": explained(-2.0, 20)})
    assert any("REVERSED" in flag for flag in circuit_flags(result))


def test_the_power_line_says_what_more_pairs_buy_and_cost() -> None:
    result = claimed(around(0.85, 0.1), [0.1]).model_copy(update={"n_pairs": 20, "n_aligned": 80})
    words = power_words(result)
    assert "the share's interval is ±10 %, run on 20 of 80 aligned pairs" in words
    assert "about ±5 % at up to 4.0 times the runs (--set circuits.curve_prompts=160)" in words
    everything = result.model_copy(update={"n_aligned": 20})
    assert power_words(everything).endswith(
        "twice the prompts would narrow it to about ±7 % at up to twice the runs"
    )


def beside_a_decoder(left: Interval, **changes: object) -> CircuitsResult:
    return found().model_copy(update={"left": left, **changes})


def test_what_is_left_without_the_encoder_stands_beside_the_claim() -> None:
    result = beside_a_decoder(around(0.35, 0.1), keep=0.87)
    assert circuit_finding(result).endswith("; without the encoder 35 % [25, 45] is left")
    assert "35 % [25, 45] of it left without the encoder" in separation_words(result)
    assert "left without" not in separation_words(found()) and "left" not in circuit_finding(found())
    words = share_words(result)
    assert "35 % [25, 45] of the separation is left with every edge of the encoder cut" in words
    assert "a circuit has to keep 87 %: that, and the share of the rest that is asked for." in words
    assert "(1 + share) / 2" in share_words(found()) and "(1 + share) / 2" not in words
    assert share_words(beside_a_decoder(around(-0.9, 0.05))).count("a circuit has to keep 80 %.") == 1


@pytest.mark.parametrize(("half", "claimed"), [(0.2, False), (0.1, True)])
def test_where_nearly_all_may_be_left_without_the_encoder_no_circuit_is_claimed(half: float, claimed: bool) -> None:
    result = beside_a_decoder(around(0.65, half))
    words = circuit_finding(result if claimed else result.model_copy(update={"smallest": None, "curve": []}))
    told = "No circuit can be claimed: the decoder reads the words itself: 65 % [45, 85] of the separation is left"
    assert words.startswith(told) != claimed


def test_no_more_than_is_left_without_the_encoder_is_no_circuit() -> None:
    result = unclaimed(around(0.6, 0.2), around(0.5, 0.1)).model_copy(update={"left": around(0.5, 0.1)})
    curve = [point.model_copy(update={"above_left": around(0.1, 0.15)}) for point in result.curve]
    words = circuit_finding(result.model_copy(update={"curve": curve}))
    assert words.endswith("keep 60 % [40, 80] of the separation, no more than is left without the encoder (50 %)")
    never = curve_finding(result.model_copy(update={"curve": curve}))
    assert never.endswith("keep clear of 0, of what is left without the encoder and of random ones")
    clear = [point.model_copy(update={"above_left": around(0.1, 0.05)}) for point in result.curve]
    assert curve_finding(result.model_copy(update={"curve": clear})).startswith("From ")


def test_areas_are_said_to_be_of_f() -> None:
    assert "of f: CPR" in separation_words(found()) and separation_words(found()).startswith("separation ")
