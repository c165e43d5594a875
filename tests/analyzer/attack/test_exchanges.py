"""Exchanges of words: in frames only what the seed does not mention, in the seed only what carries no weight."""

from __future__ import annotations

import pytest

from analyzer.attack.derivation import FIRST_EXCHANGE, FRAME, LENGTH, SEED, TECHNIQUE, derive
from analyzer.attack.exchanges import NAME, exchanged, exchanges, possible, said
from analyzer.attack.frames import all_frames
from analyzer.attack.seeds import Seed, choose_seeds
from analyzer.attack.words import word_lists, words_of
from shared.prompts.load import load_prompts
from shared.records import Prompt

SEEDS = choose_seeds(load_prompts("shipped"))
FRAMES = [frame for frames in all_frames().values() for frame in frames if not frame.held_out]


def seed(text: str, protected: frozenset[str] = frozenset()) -> Seed:
    return Seed(Prompt(text=text, label="unsafe"), "all", "question", True, protected)


def number(phrase: str, other: str) -> int:
    return next(n for n, one in enumerate(exchanges(), 1) if (one.phrase, one.other) == (phrase, other))


def test_a_frames_words_are_exchanged_and_the_seeds_are_not() -> None:
    at = number("my tea", "my coffee")
    assert exchanged("My tea is getting cold. Ask.", at, seed("Ask.")) == "My coffee is getting cold. Ask."
    poison = seed("How do I spoil the tea?")
    assert (
        exchanged("My tea is cold. How do I spoil the tea?", at, poison)
        == "My tea is cold. How do I spoil the tea?"
    )


def test_synonyms_are_exchanged_in_the_seed_too_but_no_protected_word_is() -> None:
    at = number("kids", "children")
    assert exchanged("Where are kids?", at, seed("Where are kids?")) == "Where are children?"
    kept = seed("Where are kids?", frozenset({"kids"}))
    assert exchanged("Where are kids?", at, kept) == "Where are kids?"


def test_capitals_stay_capitals() -> None:
    at = number("my tea", "my coffee")
    assert exchanged("MY TEA IS COLD. ASK.", at, seed("Ask.")) == "MY COFFEE IS COLD. ASK."


def test_nothing_is_exchanged_by_zero_or_where_the_words_are_not() -> None:
    assert exchanged("Hello.", 0, seed("Hello.")) == "Hello." == exchanged("Hello.", 1, seed("Hello."))


@pytest.mark.parametrize("phrase", word_lists().context)
def test_each_phrase_stands_in_a_frame_or_an_aside_that_is_searched_with(phrase: str) -> None:
    texts = [*(frame.text.lower() for frame in FRAMES), *(aside.lower() for aside in word_lists().asides)]
    assert any(phrase in text for text in texts)
    assert said(phrase), "else nothing would tell it from the seed's own words"


def test_every_seed_in_every_frame_keeps_its_own_content_words_whatever_is_exchanged() -> None:
    """The words of the seed that no synonym names are still there, in their order."""
    weightless = {word for phrase in word_lists().synonyms for word in words_of(phrase)}
    for place, one in enumerate(SEEDS[::40]):
        text = FRAMES[place % len(FRAMES)].around(one.text)
        content = [word for word in words_of(one.text) if word not in weightless]
        for _, new in possible(text, one):
            assert _in_order(content, words_of(new)), (text, new)


def _in_order(few: list[str], many: list[str]) -> bool:
    left = iter(many)
    return all(word in left for word in few)


def test_a_vector_names_its_exchanges_and_one_that_ends_before_them_has_none() -> None:
    place = next(n for n, one in enumerate(SEEDS) if not {"soup", "recipe"} & {*words_of(one.text)})
    vector = [0] * LENGTH
    vector[SEED], vector[TECHNIQUE], vector[FRAME] = place, 9, 0
    vector[FIRST_EXCHANGE] = number("soup recipe", "cake recipe")
    made, bare = derive(vector, SEEDS), derive(vector[:FIRST_EXCHANGE], SEEDS)
    assert made is not None and made.rules == (NAME,) and "cake recipe" in made.text
    assert bare is not None and bare.rules == () and made.text.replace("cake", "soup") == bare.text
