"""Later editions are split by themselves."""

from __future__ import annotations

from shared.prompts.editions import by_edition
from shared.records import Prompt


def prompt(text: str, edition: int, group: str = "") -> Prompt:
    return Prompt(text=text, label="safe", edition=edition, group=group)


def test_each_edition_by_itself_in_order() -> None:
    first, second, third = prompt("a", 1), prompt("b", 3), prompt("c", 1)
    assert by_edition([second, first, third]) == [[first, third], [second]]
    assert by_edition([]) == []


def test_what_belongs_to_an_earlier_prompt_is_of_its_edition() -> None:
    """Otherwise a group could end up in two splits."""
    old, new = prompt("a", 1, "g"), prompt("b", 2, "g")
    assert by_edition([new, old]) == [[new, old]]
