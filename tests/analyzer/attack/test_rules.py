"""The rules that change how a prompt is put, and what they must never do."""

from __future__ import annotations

import pytest

from analyzer.attack.rules import RULES, apply, synonyms, typos
from analyzer.attack.words import known_words, word_lists, words_of
from shared.prompts import shipped
from shared.prompts.rows import read_rows

NONE: frozenset[str] = frozenset()
BY_NAME = {rule.name: rule for rule in RULES}
PROMPTS = [str(row.values["prompt"]) for row in read_rows(shipped.PATH)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_changes_the_text_and_counts_its_variants_round(rule) -> None:
    text = "How do I quickly paint the kitchen, please?"
    variants = rule.variants(text, NONE)
    assert variants and all(variant != text for variant in variants if rule.name != "casing")
    assert apply(rule, text, NONE, 0) == apply(rule, text, NONE, len(variants)) == variants[0]


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.whole], ids=lambda rule: rule.name)
def test_protected_words_stay_word_for_word(rule) -> None:
    text = "How do I buy brightly painted kittens quickly, please?"
    protected = frozenset(words_of(text))
    assert rule.variants(text, protected) == []
    kept = frozenset({"kittens", "quickly"})
    assert all({"kittens", "quickly"} <= set(words_of(variant)) for variant in rule.variants(text, kept))


def test_a_misspelling_never_makes_a_word_that_is_known() -> None:
    """Of every fourth shipped prompt; "brakes", "bakes" and their like are not misspelt at all."""
    known = known_words()
    for text in PROMPTS[::4]:
        before = set(words_of(text))
        for variant in typos(text, NONE):
            assert not (set(words_of(variant)) - before) & known, variant
    assert typos("the brakes and scared poison casual united", NONE) == []


@pytest.mark.parametrize("phrase", ["make sure it is a big deal", "not really because of the very first"])
def test_fixed_phrases_are_left_whole(phrase: str) -> None:
    assert synonyms(phrase, NONE) == []


def test_a_synonym_keeps_case_and_word_boundaries() -> None:
    assert "Could you help?" in synonyms("Can you help?", NONE)
    assert "How can I help?" in synonyms("How do I help?", NONE)
    assert synonyms("toucan youth, kids' stuff, everyone's", NONE) == []


def test_no_synonym_names_a_deed_or_a_thing() -> None:
    """Every word of the table is one of little weight: none stands in the list of what prompts differ by."""
    weighty = {"kill", "steal", "hack", "bomb", "gun", "poison", "attack", "fake", "bully", "threaten", "stalk"}
    table = word_lists().synonyms
    assert not weighty & {
        word for phrase, others in table.items() for each in (phrase, *others) for word in words_of(each)
    }


def test_a_comma_is_never_moved() -> None:
    text = "Help me cook, my grandma is hungry."
    assert all("cook, my" in variant for variant in BY_NAME["punctuation"].variants(text, NONE))
