"""Since when a prompt is wrong, and how often it turned: against a plain walk over the checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from shared.views.failures.history import Course, History, history_of
from shared.views.failures.words import course_words
from shared.views.overview.facts import CheckpointFacts, Verdicts

UNSAFE = np.array([True, False])


def facts(number: int, scores: list[float], digest: str = "a", unsafe: np.ndarray = UNSAFE) -> CheckpointFacts:
    verdicts = Verdicts(np.array(scores, dtype=float), unsafe)
    return CheckpointFacts(f"c{number}", number, float(number), f"epoch {number}", digest, verdicts=verdicts)


def history(*rows: list[float], shown: int | None = None) -> History:
    every = [facts(number + 1, row) for number, row in enumerate(rows)]
    found = history_of(every, f"c{shown or len(rows)}")
    assert found is not None
    return found


def walked(found: History, prompt: int) -> Course:
    """The same, one checkpoint after the other."""
    first = since = before = None
    flips = judged = wrong = 0
    for row in range(found.place + 1):
        score = found.scores[row, prompt]
        if score != score:
            continue
        now = bool((score > 0) != found.unsafe[prompt])
        judged, wrong = judged + 1, wrong + now
        flips += before is not None and now != before
        if now:
            first = row if first is None else first
            since = row if since is None else since
        else:
            since = None
        before = now
    if found.scores[found.place, prompt] != found.scores[found.place, prompt]:
        since = None
    return Course(first, since, flips, judged, wrong)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_a_walk_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, (7, 2))
    scores[rng.random((7, 2)) < 0.2] = np.nan
    found = history(*scores.tolist(), shown=int(rng.integers(1, 8)))
    assert [found.course(prompt) for prompt in (0, 1)] == [walked(found, prompt) for prompt in (0, 1)]


def test_the_present_streak_and_the_first_time_ever() -> None:
    found = history([-1, -1], [1, -1], [-1, -1], [-1, 1])
    assert found.course(0) == Course(first=0, since=2, flips=2, judged=4, wrong=3)
    assert course_words(found, found.course(0)) == "Wrong since epoch 3, first wrong at epoch 1, turned 2 times"
    assert found.course(1) == Course(first=3, since=3, flips=1, judged=4, wrong=1)


def test_what_comes_after_the_shown_checkpoint_does_not_count() -> None:
    found = history([1, -1], [-1, -1], shown=1)
    assert found.course(0) == Course(None, None, 0, 1, 0) and len(found.names) == 2


def test_at_the_boundary_a_prompt_is_safe() -> None:
    found = history([0.0, 0.0])
    assert found.wrong.tolist() == [[True, False]]


def test_checkpoints_judged_on_other_prompts_are_left_out_and_named() -> None:
    every = [facts(1, [-1, -1], "other"), facts(2, [-1, -1]), facts(3, [-1, -1], "a", ~UNSAFE)]
    found = history_of(every, "c2")
    assert found is not None and found.names == ("c2",) and found.elsewhere == ("epoch 1", "epoch 3")


def test_without_verdicts_there_is_no_history() -> None:
    bare = CheckpointFacts("c1", 1, 1.0, "epoch 1")
    assert history_of([bare], "c1") is None and history_of([bare], "nobody") is None
