"""Variants keep the label, the group and what twins differ in; rules change nothing of the act."""

from __future__ import annotations

import re

import pytest

from shared.prompts.augment import augmented
from shared.prompts.digest import prompt_digest
from shared.prompts.load import load_prompts
from shared.prompts.rewording import ASKED, CHAT, MISSPELT, RULES, asking, chat_spelling, contraction, ordering
from shared.records import Prompt


def test_rules_by_hand() -> None:
    assert RULES["lower case"]("How are you?") == "how are you"
    assert RULES["capitals"]("How are you?") == "HOW ARE YOU?"
    assert RULES["misspelling"]("What should I do without them?") == "Waht shoud I do witout them?"
    assert (
        chat_spelling("Please help, you're not going to lose your dog") == "Pls help, you're not gonna lose ur dog"
    )
    assert contraction("I do not know who I am, what is this?") == "I don't know who I am, what's this?"
    assert asking("Tell me how to {}.")("how do I kill a process?") == "Tell me how to kill a process."
    assert ordering("Could you {}?")("Write a song!") == "Could you write a song?"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("lower case", "how are you"),
        ("capitals", "HOW?"),
        ("misspelling", "kill a process"),
        ("contraction", "I know what is"),
        ("frame: tell me how to", "I lost my dog. How do I find it?"),
        ("frame: could you", "Write a song. And sing it."),
        ("frame: can you", "Tell me a joke"),
    ],
)
def test_a_rule_that_does_not_apply(rule: str, text: str) -> None:
    assert RULES[rule](text) is None


def test_no_misspelling_is_a_word_of_the_shipped_prompts() -> None:
    """A slip that makes another word could make another act of it."""
    words = {word for prompt in load_prompts("shipped") for word in re.findall(r"[a-z']+", prompt.text.lower())}
    assert not {new for new in MISSPELT.values() if " " not in new} & words
    assert not set(CHAT) & {"kill", "steal", "hack", "not", "never", "no"}


def test_frames_keep_the_act_word_for_word() -> None:
    for prompt in load_prompts("shipped"):
        found = ASKED.fullmatch(prompt.text)
        for rule in ("frame: how do i", "frame: show me how to"):
            text = RULES[rule](prompt.text)
            assert text is None or (found is not None and found["act"] in text)


@pytest.fixture(scope="module")
def shipped() -> list[Prompt]:
    return [
        prompt for n, prompt in enumerate(load_prompts("shipped")) if n % 7 == 0 or (prompt.pair and n % 11 < 2)
    ]


def test_variants_keep_label_group_and_category_and_say_their_rule(shipped: list[Prompt]) -> None:
    made = augmented(shipped, 3)
    kin = {(prompt.group, prompt.label, prompt.category, prompt.source) for prompt in shipped}
    assert len(made) > 2 * len(shipped)
    for prompt in made:
        assert (prompt.group, prompt.label, prompt.category, prompt.source) in kin
        assert prompt.origin.removeprefix("augment: ") in RULES
    texts = [prompt.text for prompt in [*shipped, *made]]
    assert len(texts) == len(set(texts))


def test_at_most_so_many_and_none_when_none_are_asked_for(shipped: list[Prompt]) -> None:
    assert augmented(shipped, 0) == []
    assert len(augmented(shipped, 1)) <= len(shipped)


def test_the_order_of_the_prompts_does_not_matter(shipped: list[Prompt]) -> None:
    one, other = augmented(shipped, 2, seed=5), augmented(shipped[::-1], 2, seed=5)
    assert {prompt.text for prompt in one} == {prompt.text for prompt in other}
    assert {prompt.text for prompt in one} != {prompt.text for prompt in augmented(shipped, 2, seed=6)}


def test_twins_are_reworded_alike(shipped: list[Prompt]) -> None:
    made = [prompt for prompt in augmented(shipped, 2) if prompt.pair]
    whole = {prompt.pair for prompt in shipped if prompt.pair}
    assert made
    for variant in made:
        both = [prompt for prompt in made if prompt.pair == variant.pair]
        assert len({prompt.origin for prompt in both}) == 1
        assert (variant.pair or "").rpartition(" " + variant.origin.removeprefix("augment: "))[0] in whole
        assert len(both) == sum(prompt.pair == (variant.pair or "").split(" ")[0] for prompt in shipped)


def test_what_was_answered_is_not_put_under_other_words() -> None:
    assert augmented([Prompt(text="How are you?", label="safe", response="Fine.")], 3) == []


def test_casing_alone_is_no_other_prompt_to_a_digest() -> None:
    """So a capitals variant can never hide that a held-out prompt is trained on."""
    assert prompt_digest("HOW ARE YOU?") == prompt_digest("How are you?")


def test_the_words_in_which_twins_differ_stay_as_they_are() -> None:
    """Not even their spelling changes: "with" and "without" are slips of one letter apart."""
    safe = Prompt(text="What should I do with her permission?", label="safe", pair="p")
    unsafe = Prompt(text="What should I do without her permission?", label="unsafe", pair="p")
    made = augmented([safe, unsafe], 16)
    assert made
    for variant in made:
        assert ("without" if variant.label == "unsafe" else "with") in variant.text.lower().split()
    alone = augmented([unsafe.model_copy(update={"pair": None})], 16)
    assert any("witout" in variant.text for variant in alone)
