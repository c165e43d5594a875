"""What is said of an attack follows from its numbers, and changes with them."""

from __future__ import annotations

from shared.findings.attack import Reworded
from shared.findings.attack_sentences import (
    depth,
    extent,
    fate,
    headline,
    over_checkpoints,
    rewordings,
    strongest,
)
from tests.making.fake_attack import archive, direction, failure, hold, success, told_apart


def test_the_headline_counts_seeds_with_their_interval() -> None:
    said = headline(archive())
    assert "passes as safe 31 of 40 unsafe prompts" in said and "78 %, 95 % interval 62 to 88 %" in said
    assert "refuses as unsafe 31 of 40 safe prompts" in said


def test_a_judge_that_tells_nothing_apart_gets_no_claim() -> None:
    said = headline(archive(to_explain=told_apart(low=-1.0, p_value=0.4)))
    assert said.startswith("Nothing to explain") and "passes as safe" not in said


def test_a_technique_is_called_strongest_only_beyond_chance() -> None:
    assert strongest(direction()).startswith("Direct breaks 30 of 40 seeds")
    near = [success("direct", 20, 40, 0.35, 0.65), success("authority", 16, 40, 0.26, 0.55)]
    assert strongest(direction(by_technique=near)).startswith("No technique breaks more")
    assert strongest(direction(by_technique=near[:1])) == ""


def test_the_extent_counts_cells_failures_and_evaluations() -> None:
    said = extent(direction())
    assert "1 of 2 cells hold a failure (2 hold any text)" in said and "1 distinct failure" in said
    assert "QD score 0.5 nats" in said and "100 evaluations" in said


def test_the_depth_is_that_of_the_lens_and_nothing_without_one() -> None:
    assert "from layer 4 on (of 6 layers, counted from 0); 0 of them only at the last one" in depth(archive())
    blind = direction(failures=[failure(wrong_from=None)])
    assert depth(archive(directions=[blind])) == ""


def test_other_checkpoints_are_named_with_their_share() -> None:
    assert "epoch 1 40 %, 95 % interval 30 to 50 %" in over_checkpoints(archive())
    assert over_checkpoints(archive(holds=[hold("epoch 2", 20, 1.0)])) == ""


def test_an_attacks_fate_is_the_checkpoints_that_it_fools() -> None:
    both = {"checkpoint-10": -0.1, "checkpoint-20": -0.5}
    assert fate(failure(later=both), archive()) == "wrong at every checkpoint"
    assert fate(failure(later=both | {"checkpoint-10": 0.3}), archive()) == "wrong at epoch 2"


def test_what_a_model_reworded_is_told_by_who_confirmed_it() -> None:
    assert rewordings(archive()) == ""
    found = Reworded(model="lm", texts=9, confirmed={"rules": 3, "a person": 1}, unconfirmed=5)
    said = rewordings(archive(reworded=found))
    assert said.startswith(
        "4 of 9 texts that lm reworded count: their labels are confirmed (1 by a person, 3 by rules)"
    )
    assert said.endswith("5 are kept apart in unconfirmed.jsonl and count nowhere.")
    none = rewordings(archive(reworded=Reworded(model="lm", texts=9, confirmed={}, unconfirmed=9)))
    assert "0 of 9 texts" in none and "nobody confirmed a label" in none
