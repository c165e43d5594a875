"""From a vector to a text: always the same one, and never by a frame that would break the label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.attack.derivation import FIRST_RULE, FRAME, LENGTH, PICKS, SECOND, SEED, TECHNIQUE, derive, slot_of
from analyzer.attack.frames import techniques
from analyzer.attack.rules import RULES
from analyzer.attack.seeds import choose_seeds
from shared.prompts.load import load_prompts

SEEDS = choose_seeds(load_prompts("shipped"))
EDUCATIONAL = techniques().index("educational")
VECTORS = st.lists(st.integers(0, 2**31 - 1), min_size=LENGTH, max_size=LENGTH)


def vector(seed: int = 0, technique: int = 0, frame: int = 0, second: int = 0, *slots: int) -> np.ndarray:
    found = np.zeros(LENGTH, dtype=np.int32)
    found[[SEED, TECHNIQUE, FRAME, SECOND]] = seed, technique, frame, second
    found[FIRST_RULE : FIRST_RULE + len(slots)] = slots
    return found


@given(VECTORS)
def test_any_vector_makes_the_same_text_twice_and_holds_its_seeds_protected_words(numbers: list[int]) -> None:
    first, again = derive(numbers, SEEDS), derive(numbers, SEEDS)
    assert first == again
    if first is not None:
        assert first.text.strip() and first.technique in techniques()
        lower = first.text.lower()
        assert all(word in lower for word in first.seed.protected)


def test_an_educational_frame_never_holds_a_seed_in_which_others_act() -> None:
    others = next(place for place, seed in enumerate(SEEDS) if not seed.asker_acts)
    assert derive(vector(others, EDUCATIONAL), SEEDS) is None
    own = next(place for place, seed in enumerate(SEEDS) if seed.asker_acts)
    assert derive(vector(own, EDUCATIONAL), SEEDS) is not None


def test_a_second_frame_stands_on_the_other_side() -> None:
    before = next(n for n in range(30) if (d := derive(vector(0, 5, n), SEEDS)) and d.frames[0].before)
    both = derive(vector(0, 5, before, 1), SEEDS)
    assert both is not None and [frame.behind for frame in both.frames] == [False, True]
    assert SEEDS[0].text in both.text


@pytest.mark.parametrize("technique", range(10))
def test_held_out_frames_are_only_taken_when_asked_for(technique: int) -> None:
    own = next(place for place, seed in enumerate(SEEDS) if seed.asker_acts and seed.kind == "question")
    for number in range(40):
        searched, unseen = (
            derive(vector(own, technique, number, number), SEEDS),
            derive(vector(own, technique, number, number), SEEDS, held_out=True),
        )
        assert searched is not None and not any(frame.held_out for frame in searched.frames)
        assert unseen is not None and all(frame.held_out for frame in unseen.frames)


def test_the_seeds_own_words_are_changed_before_it_is_framed() -> None:
    upper = slot_of([rule.name for rule in RULES].index("casing"), 1)
    spelt = slot_of([rule.name for rule in RULES].index("spelt out"), 0)
    made = derive(vector(0, 0, 1, 0, upper, spelt), SEEDS)
    assert made is not None and made.rules == ("spelt out", "casing") and made.text == made.text.upper()
    assert slot_of(len(RULES) - 1, PICKS - 1) < 2**31
