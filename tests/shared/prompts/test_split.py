from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.prompts.digest import prompt_digest
from shared.prompts.groups import components, held_out
from shared.prompts.split import split
from shared.records import Prompt
from tests.making.made import any_prompts, many, prompt, twins


def ties(prompts: list[Prompt]) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] = {("digest", prompt_digest(p.text)) for p in prompts}
    return found | {("group", p.group) for p in prompts if p.group} | {("pair", p.pair) for p in prompts if p.pair}


@given(any_prompts(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_nothing_that_belongs_together_is_parted_and_nothing_is_lost(prompts: list[Prompt], seed: int) -> None:
    parts = split(prompts, seed=seed)
    assert list(parts) == ["train", "val", "test"]
    for one, other in combinations(parts.values(), 2):
        assert not ties(one) & ties(other)
    assert Counter(p.model_dump_json() for part in parts.values() for p in part) == Counter(
        p.model_dump_json() for p in prompts
    )


@given(any_prompts(), any_prompts(10))
@settings(max_examples=40, deadline=None)
def test_held_out_shares_nothing_and_leaves_only_what_does(prompts: list[Prompt], others: list[Prompt]) -> None:
    left = held_out(prompts, others)
    assert not ties(left) & ties(others)
    reached = [*others]  # the second way: spread from the others until nothing more is reached
    while True:
        more = [p for p in prompts if p not in reached and ties([p]) & ties(reached)]
        if not more:
            break
        reached += more
    assert Counter(p.model_dump_json() for p in left) == Counter(
        p.model_dump_json() for p in prompts if p not in reached
    )


def test_chains_of_group_and_pair_are_one_component() -> None:
    chain = [
        prompt("a", group="1", pair="x"),
        prompt("b", pair="x"),
        prompt("c", group="1"),
        prompt("d", group="2"),
    ]
    assert sorted(map(sorted, components(chain))) == [[0, 1, 2], [3]]


def test_labels_are_exact_and_categories_are_close() -> None:
    prompts = [p for label in ("safe", "unsafe") for c in "abcde" for p in many(40, label, c)]
    parts = split(prompts, seed=1)
    for name, each, category in (("train", 160, 32), ("val", 20, 4), ("test", 20, 4)):
        assert Counter(p.label for p in parts[name]) == {"safe": each, "unsafe": each}
        assert all(abs(n - category) <= 1 for n in Counter((p.label, p.category) for p in parts[name]).values())


def test_rare_categories_do_not_pile_up_in_one_split() -> None:
    prompts = [p for c in range(60) for p in many(3, "safe", f"c{c}")]
    assert {name: len(part) for name, part in split(prompts).items()} == {"train": 144, "val": 18, "test": 18}


def test_a_handful_is_rounded_to_the_nearest_not_given_round() -> None:
    assert {name: len(part) for name, part in split(many(5, "safe")).items()} == {"train": 4, "val": 1, "test": 0}


def test_groups_of_many_sizes_come_close_to_the_fractions() -> None:
    prompts = [p for g in range(60) for p in many(1 + g % 7, "safe" if g % 2 else "unsafe", f"c{g}", group=f"g{g}")]
    sizes = {name: len(part) for name, part in split(prompts).items()}
    assert abs(sizes["val"] - len(prompts) / 10) <= 4
    assert abs(sizes["test"] - len(prompts) / 10) <= 4


def test_a_group_larger_than_a_split_goes_where_it_fits() -> None:
    prompts = many(50, "safe", "a", group="big") + many(50, "safe", "b")
    assert {p.group for p in split(prompts)["train"]} >= {"big"}


def test_the_outcome_depends_on_the_seed_and_not_on_the_order() -> None:
    prompts = [*many(60, "safe"), *many(60, "unsafe"), *twins(20)]
    mixed = random.Random(0).sample(prompts, len(prompts))
    texts = [{name: {p.text for p in part} for name, part in split(x, seed=3).items()} for x in (prompts, mixed)]
    assert texts[0] == texts[1]
    assert texts[0] != {name: {p.text for p in part} for name, part in split(prompts, seed=4).items()}


def test_fractions_are_normalised_and_zero_stays_empty() -> None:
    parts = split(many(30, "safe"), {"a": 2, "b": 1, "c": 0})
    assert {name: len(part) for name, part in parts.items()} == {"a": 20, "b": 10, "c": 0}


@pytest.mark.parametrize("fractions", [{"a": -1.0, "b": 2.0}, {"a": 0.0}])
def test_impossible_fractions_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="fractions"):
        split([], fractions)
