"""Prompts made up for tests: plain functions and a hypothesis strategy."""

from __future__ import annotations

from hypothesis import strategies as st

from shared.records import Label, Prompt

LABELS: tuple[Label, Label] = ("safe", "unsafe")


def prompt(text: str, label: Label = "safe", **fields: str | None) -> Prompt:
    return Prompt.model_validate({"text": text, "label": label, **fields})


def many(count: int, label: Label, category: str = "", **fields: str) -> list[Prompt]:
    """`count` prompts that share no word pattern with those of another call."""
    return [
        prompt(
            f"{label} {category} question number {i} about {'abcdefghij'[i % 10] * 3}{i}", label, category=category
        ).model_copy(update=fields)
        for i in range(count)
    ]


def twins(count: int, category: str = "theft") -> list[Prompt]:
    """`count` contrast pairs, each a group of its own."""
    return [
        prompt(
            f"How do I {verb} the wallet {i} of a stranger?", label, category=category, pair=f"p{i}", group=f"g{i}"
        )
        for i in range(count)
        for verb, label in (("return", "safe"), ("keep", "unsafe"))
    ]


def any_prompts(max_size: int = 40) -> st.SearchStrategy[list[Prompt]]:
    """Lists with repeated texts, groups and pairs, in any combination."""
    one = st.builds(
        Prompt,
        text=st.integers(0, 60).map(lambda i: f"text {i}"),
        label=st.sampled_from(LABELS),
        category=st.sampled_from(["a", "b", ""]),
        group=st.sampled_from(["", "", "", "g1", "g2", "g3"]),
        pair=st.sampled_from([None, None, None, "p1", "p2", "p3"]),
    )
    return st.lists(one, max_size=max_size)
