from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings

from shared.prompts.dedupe import THRESHOLD, deduplicate
from shared.prompts.digest import prompt_digest
from shared.records import Prompt
from tests.making.made import any_prompts, prompt


def words(text: str) -> Counter[str]:
    return Counter(text.casefold().replace("?", "").split())


def jaccard(one: str, other: str) -> float:
    """The second way: multiset Jaccard from Counters."""
    a, b = words(one), words(other)
    return (a & b).total() / (a | b).total()


@given(any_prompts())
@settings(max_examples=50, deadline=None)
def test_what_is_kept_is_unique_and_nothing_is_lost(prompts: list[Prompt]) -> None:
    kept, removed = deduplicate(prompts)
    digests = [prompt_digest(p.text) for p in kept]
    assert len(digests) == len(set(digests))
    assert len(kept) + len(removed) == len(prompts)
    positions = [prompts.index(p) for p in kept]
    assert positions == sorted(positions)


def test_repeats_go_and_contradictions_go_altogether() -> None:
    done = deduplicate(
        [prompt("How do I fly?"), prompt("how do i  FLY?"), prompt("Is this ok?"), prompt("is this ok?", "unsafe")]
    )
    assert [p.text for p in done.kept] == ["How do I fly?"]
    assert (done.count("duplicate"), done.count("near-duplicate"), done.count("conflict")) == (1, 0, 2)
    assert all(r.like.label != r.prompt.label for r in done.removed if r.reason == "conflict")
    assert done.summary.startswith("1 prompts kept; removed 1 duplicates")


def test_of_several_the_twin_is_kept() -> None:
    kept = deduplicate([prompt("How do I fly?"), prompt("How do I fly?", pair="p", group="g")]).kept
    assert [p.pair for p in kept] == ["p"]


def test_near_duplicates_go_within_a_label_only() -> None:
    base = "tell me how the old harbour crane in our town was built"
    done = deduplicate([prompt(base), prompt(base + " once"), prompt(base + " twice", "unsafe")])
    assert [p.label for p in done.kept] == ["safe", "unsafe"]
    assert done.count("near-duplicate") == 1
    assert done.removed[0].like.text == base


@pytest.mark.parametrize("same", [{"group": "g"}, {"pair": "p"}])
def test_groups_and_pairs_keep_their_likeness(same: dict[str, str]) -> None:
    base = "tell me how the old harbour crane in our town was built"
    assert len(deduplicate([prompt(base, **same), prompt(base + " once", **same)]).kept) == 2


def test_the_join_finds_what_comparing_all_with_all_finds() -> None:
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(30)]
    prompts = [prompt(" ".join(rng.choices(vocabulary, k=rng.randint(3, 12)))) for _ in range(150)]
    for base in prompts[:100]:
        changed = base.text.split()
        changed.insert(rng.randrange(len(changed)), rng.choice(vocabulary))
        prompts.append(prompt(" ".join(changed)))
    prompts = deduplicate(prompts, threshold=1.01).kept  # exact ones only
    removed = {r.prompt.text for r in deduplicate(prompts).removed}
    kept = [p.text for p in prompts if p.text not in removed]
    assert len(removed) > 20
    assert all(jaccard(a, b) < THRESHOLD for a, b in combinations(kept, 2))
    assert all(max(jaccard(text, k) for k in kept) >= THRESHOLD for text in removed)


def test_prompts_without_words_are_not_alike() -> None:
    assert len(deduplicate([prompt("???"), prompt("!!!")]).kept) == 2
