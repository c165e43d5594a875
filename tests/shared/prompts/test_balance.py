"""Both classes are made equal by leaving out, twins last."""

from __future__ import annotations

from collections import Counter

from shared.prompts.balance import surplus
from shared.records import Label, Prompt


def prompts(label: Label, count: int, pair: str | None = None) -> list[Prompt]:
    return [Prompt(text=f"{label} {pair} {n}", label=label, pair=pair and f"{pair}{n}") for n in range(count)]


def test_the_larger_class_loses_single_prompts_first() -> None:
    twins = [*prompts("safe", 3, "p"), *prompts("unsafe", 3, "p")]
    everything = [*prompts("safe", 5), *twins, *prompts("unsafe", 1)]
    gone = surplus(everything)
    assert len(gone) == 4 and all(prompt.label == "safe" and prompt.pair is None for prompt in gone)
    left = Counter(prompt.label for prompt in everything if prompt not in gone)
    assert left["safe"] == left["unsafe"]


def test_by_chance_and_not_by_order() -> None:
    everything = [*prompts("unsafe", 20), *prompts("safe", 10)]
    assert surplus(everything, 1) == surplus(everything[::-1], 1) != surplus(everything, 2)


def test_equal_classes_lose_nothing() -> None:
    assert surplus([*prompts("safe", 2), *prompts("unsafe", 2)]) == surplus([]) == []
