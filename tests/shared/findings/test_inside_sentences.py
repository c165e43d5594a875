"""What is said of a pair's heads and neurons follows from the numbers, and nothing where the two score alike."""

from __future__ import annotations

from typing import Any

from shared.findings.inside import InsidePair, UnitOnPair
from shared.findings.inside_sentences import gap_words, heads_words, neurons_words, unit_rows


def pair(**changes: Any) -> InsidePair:
    return InsidePair(
        score=-3.0,
        twin_score=1.0,
        heads=[UnitOnPair(kind="head", layer=4, unit=3, effect=1.2)],
        heads_tried=72,
        heads_of=72,
        other_heads=0.02,
        neurons=[UnitOnPair(kind="neuron", layer=5, unit=7, effect=-0.5, reading=0.0, twin_reading=2.0)],
        random_neurons=[0.01, 0.03],
    ).model_copy(update=changes)


def test_the_strongest_stand_beside_their_control() -> None:
    found = pair()
    assert gap_words(found) == "The twin scores +4.00 nats from this prompt"
    assert "of 72 heads L4.H3 moves it +1.20 nats; the other heads 0.020 (median)" in heads_words(found)
    assert "L5.N7 moves it −0.50 nats; 2 random neurons of the same layers 0.030 at most" in neurons_words(found)
    assert [row["share of the gap"] for row in unit_rows(found)] == [0.3, -0.125]


def test_of_very_many_heads_it_says_how_many_were_tried() -> None:
    assert "of 1,024 tried, of 4,096 heads" in heads_words(pair(heads_tried=1024, heads_of=4096))


def test_where_the_two_score_alike_nothing_is_named() -> None:
    found = pair(twin_score=-2.95)
    assert "no unit is named" in gap_words(found)
    assert heads_words(found) == neurons_words(found) == "" and unit_rows(found)[0]["share of the gap"] is None


def test_what_was_not_measured_is_not_said() -> None:
    found = pair(other_heads=None, neurons=[], random_neurons=[])
    assert "median" not in heads_words(found) and neurons_words(found) == ""
