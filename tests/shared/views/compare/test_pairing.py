"""Prompts of two checkpoints are matched by id, words and label; never by their place."""

from __future__ import annotations

import numpy as np

from shared.prompts.digest import prompt_digest
from shared.records import Label, Probe
from shared.views.compare.pairing import Judged, coverage, pair


def probe(text: str, label: Label = "safe", **more: str) -> Probe:
    return Probe(id=prompt_digest(text), text=text, label=label, **more)  # type: ignore[arg-type]


def judged(name: str, probes: list[Probe], scores: list[float]) -> Judged:
    return Judged(name, probes, np.array(scores))


A, B, C, D = probe("a"), probe("b", "unsafe"), probe("c", pair="p"), probe("d", "unsafe", pair="p")


def test_order_does_not_matter_and_scores_follow_their_prompts() -> None:
    found = pair(judged("then", [A, B, C, D], [1, 2, 3, 4]), judged("now", [D, C, A, B], [40, 30, 10, 20]))
    assert [each.text for each in found.probes] == ["d", "c", "a", "b"]
    assert found.scores[0].tolist() == [4, 3, 1, 2] and found.scores[1].tolist() == [40, 30, 10, 20]
    assert found.rows[0].tolist() == [3, 2, 0, 1] and found.groups.tolist() == [0, 0, 1, 2]
    assert found.whole and coverage(found) == ""


def test_only_what_both_have_alike_is_compared_and_the_rest_is_counted() -> None:
    there = [A, B, C, D, probe("e", "unsafe"), probe("Only then")]
    here = [A, probe("b", "safe"), probe("C"), D, probe("e", "unsafe"), probe("x"), probe("y")]
    found = pair(judged("then", there, [1] * 6), judged("now", here, [2, 2, 2, 2, float("nan"), 2, 2]))
    assert [each.text for each in found.probes] == ["a", "d"]
    assert (found.relabelled, found.reworded, found.unscored, found.only) == (1, 1, 1, (1, 2))
    assert coverage(found) == (
        "Compared on the 2 probe prompts that both share; left out: 2 only now was judged on; 1 only then was "
        "judged on; 1 with two labels; 1 written in two ways; 1 without a score at one of the two."
    )


def test_another_answer_to_the_same_prompt_is_another_prompt() -> None:
    one = Probe(id=prompt_digest("a", "yes"), text="a", response="yes", label="safe")
    other = Probe(id=prompt_digest("a", "no"), text="a", response="no", label="safe")
    found = pair(judged("then", [one], [1]), judged("now", [other], [1]))
    assert not found.probes and found.only == (1, 1)


def test_nothing_in_common_is_no_error() -> None:
    found = pair(judged("then", [A], [1]), judged("now", [B], [1]))
    assert found.scores[0].shape == (0,) and not found.whole
