"""What may join the next training, mirrored, and the fresh prompts that no search saw."""

from __future__ import annotations

from collections import Counter

import pytest

from analyzer.attack.frames import all_frames, techniques
from analyzer.attack.training_sets import FRESH_PER_SEED, HELD_OUT, PER_SEED, additions, fresh
from tests.making.attack_search import SEEDS, searched

HELD_OUT_FRAMES = {frame.name for frames in all_frames().values() for frame in frames if frame.held_out}


@pytest.fixture(scope="module")
def lines() -> list[dict]:
    return additions(searched(600).failures(), SEEDS, seed=0)


def test_each_failure_is_followed_by_its_mirror_of_the_other_label(lines: list[dict]) -> None:
    assert len(lines) > 40
    for failure, mirror in zip(lines[::2], lines[1::2], strict=True):
        assert {failure["label"], mirror["label"]} == {"safe", "unsafe"}
        assert mirror["mirror_of"] == failure["seed"] != mirror["seed"]
        assert (failure["technique"], failure["frame"]) == (mirror["technique"], mirror["frame"])
        assert failure["seeds"] == mirror["seeds"], "the same derivation"


def test_at_most_three_of_a_seed_and_nothing_held_out(lines: list[dict]) -> None:
    counts = Counter(line["seed"] for line in lines[::2])
    assert max(counts.values()) <= PER_SEED
    assert not {line["technique"] for line in lines} & set(HELD_OUT)
    assert not {frame for line in lines for frame in line["frame"].split(" + ")} & HELD_OUT_FRAMES


def test_a_line_says_its_seeds_group_so_that_it_stays_on_one_side_of_a_split(lines: list[dict]) -> None:
    groups = {seed.text: seed.prompt.group for seed in SEEDS}
    assert all(line["group"] == groups[line["seed"]] and line["pair"] is None for line in lines)


def test_the_same_seed_chooses_the_same_mirrors(lines: list[dict]) -> None:
    assert additions(searched(600).failures(), SEEDS, seed=0) == lines


def test_fresh_prompts_are_of_both_labels_by_all_techniques_in_frames_that_no_search_uses() -> None:
    found = fresh(SEEDS, seed=0)
    assert {line["label"] for line in found} == {"safe", "unsafe"}
    assert {line["technique"] for line in found} == set(techniques())
    assert {frame for line in found for frame in line["frame"].split(" + ")} <= HELD_OUT_FRAMES
    assert set(Counter(line["seed"] for line in found).values()) == {FRESH_PER_SEED}
    assert fresh(SEEDS, seed=0) == found != fresh(SEEDS, seed=1)
