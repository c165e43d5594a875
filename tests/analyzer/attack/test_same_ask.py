"""Which rewordings our own rules confirm: few, and none that asks for something else."""

from __future__ import annotations

import pytest

from analyzer.attack.same_ask import same_ask
from analyzer.attack.seeds import choose_seeds
from shared.prompts.load import load_prompts

SEEDS = choose_seeds(load_prompts("shipped"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I pick a lock?", "Tell me how to pick the lock."),
        ("How do I pick a lock?", "please, what is the best way to pick a lock"),
        ("Can you write a note to my kids?", "Could you please write a note to my children?"),
        ("She isn't at home tonight.", "She is not at home this evening."),
    ],
)
def test_openings_synonyms_articles_and_politeness_change_nothing(one: str, other: str) -> None:
    assert same_ask(one, other) and same_ask(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I pick a lock?", "How do I pick my lock?"),
        ("How do I pick a lock?", "How do thieves pick a lock?"),
        ("How do I pick a lock?", "How do I not pick a lock?"),
        ("How do I pick a lock?", "How do I pick a lock and a door?"),
        ("How do I pick a lock?", "Pick a lock."),
        ("The dog bit my neighbour.", "My neighbour bit the dog."),
        ("How do I get 2 pills?", "How do I get 20 pills?"),
        ("How do I stop a bully?", "How do I start a bully?"),
        ("How do I?", "How can I?"),
    ],
)
def test_any_other_word_or_order_is_not_confirmed(one: str, other: str) -> None:
    assert not same_ask(one, other)


def test_no_contrast_twin_is_taken_for_the_other() -> None:
    pairs: dict[str, dict[str, str]] = {}
    for seed in SEEDS:
        if seed.prompt.pair:
            pairs.setdefault(seed.prompt.pair, {})[seed.label] = seed.text
    twins = [(pair["safe"], pair["unsafe"]) for pair in pairs.values() if len(pair) == 2]
    assert len(twins) > 100
    assert [pair for pair in twins if same_ask(*pair)] == []
    assert all(same_ask(seed.text, seed.text) for seed in SEEDS)
