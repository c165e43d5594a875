"""The data card counts what is there; names from data stay text in Markdown and HTML."""

from __future__ import annotations

from typing import Any

from shared.pages.data_card import card_html
from shared.prompts.card import CUTS, DataCard, Leaks, count_by, leaks_between, left_out_of, lengths_of
from shared.prompts.card_words import ROWS, markdown, sections
from shared.records import Label, Prompt

HOSTILE = "<script>alert(1)</script>|`x`*_[a](b)"


def prompt(text: str, label: Label = "safe", **fields: Any) -> Prompt:
    return Prompt(text=text, label=label, **fields)


def card_of(parts: dict[str, list[Prompt]], **changes: Any) -> DataCard:
    everything = [prompt for prompts in parts.values() for prompt in prompts]
    return DataCard(
        sources=["shipped"],
        settings={"seed": 0},
        parts={name: {"count": len(p), "unsafe": sum(x.label == "unsafe" for x in p)} for name, p in parts.items()},
        pairs={"train": 1, "held out": 2},
        counts={field: count_by(parts, field) for field in CUTS},
        lengths=lengths_of(everything),
        left_out=[],
        leaks=Leaks(texts=0, groups=0, pairs=0, near=0),
        notes=[],
    ).model_copy(update=changes)


PARTS = {
    "train": [prompt("one two three", category="theft"), prompt("one", "unsafe", category="theft")],
    "val": [prompt("one two", category="")],
    "test": [prompt("five words are in this", category="fraud")],
    "probes": [prompt("x", "unsafe", category="theft")],
}


def test_counts_by_hand() -> None:
    found = count_by(PARTS, "category")
    assert list(found) == ["theft", "", "fraud"]
    assert found["theft"]["train"] == {"safe": 1, "unsafe": 1} and found["theft"]["test"] == {
        "safe": 0,
        "unsafe": 0,
    }
    assert found["theft"]["probes"] == {"safe": 0, "unsafe": 1}


def test_lengths_by_hand() -> None:
    safe, unsafe = lengths_of([prompt for prompts in PARTS.values() for prompt in prompts])
    assert (safe.prompts, safe.shortest, safe.median, safe.longest) == (3, 2, 3, 5)
    assert (unsafe.prompts, unsafe.longest) == (2, 1)
    assert lengths_of([]) == []


def test_leaks_by_hand() -> None:
    train = [
        prompt("How are you today?", group="g"),
        prompt("we bake one cake for all of them", pair="p"),
        prompt("alone", group=""),
    ]
    held = [
        prompt("HOW are you  today?", group="g"),
        prompt("they bake one cake for all of them we", "safe", pair="p"),
        prompt("they bake one cake for all of them we", "unsafe"),
        prompt("something else", group=""),
    ]
    assert leaks_between(train, held) == Leaks(texts=1, groups=1, pairs=1, near=2)
    assert leaks_between(train, []) == leaks_between([], held) == Leaks(texts=0, groups=0, pairs=0, near=0)


def test_what_was_left_out_with_its_reason() -> None:
    found = left_out_of({"conflict": [], "duplicate": [prompt(str(n)) for n in range(5)]})
    assert [(each.reason, each.count, each.examples) for each in found] == [("duplicate", 5, ["0", "1", "2"])]


def test_sentences_follow_the_numbers() -> None:
    clean = markdown(card_of(PARTS))
    assert "50 % of the 2 training prompts are unsafe." in clean
    assert "Nothing was left out." in clean and "No text, group or contrast pair is both" in clean
    leaky = markdown(card_of(PARTS, leaks=Leaks(texts=2, groups=1, pairs=0, near=4)))
    assert "alike: 2 texts, 1 groups, 0 contrast pairs." in leaky and "4 held-out prompts share" in leaky
    assert "No text" not in leaky


def test_a_field_that_no_prompt_has_is_no_section() -> None:
    headings = [section.heading for section in sections(card_of(PARTS))]
    assert "By category" in headings and "By language" not in headings


def test_many_values_end_in_a_sum() -> None:
    parts = PARTS | {"train": [prompt(str(n), category=f"c{n:02}") for n in range(ROWS + 5)]}
    (table,) = [section for section in sections(card_of(parts)) if section.heading == "By category"]
    assert len(table.rows) == ROWS + 1 and table.rows[-1][0] == "and 8 more"
    assert sum(row[1] for row in table.rows) == ROWS + 5  # type: ignore[misc]


def test_hostile_names_stay_text() -> None:
    parts = PARTS | {"train": [prompt("a", category=HOSTILE), prompt("b", "unsafe", category="x\n# y")]}
    card = card_of(parts, left_out=left_out_of({"conflict": [prompt(HOSTILE + "\u202e")]}), notes=[HOSTILE])
    page, text = card_html(card), markdown(card)
    assert "<script>" not in page and "&lt;script&gt;" in page and "\u202e" not in page
    assert "<script>" not in text.replace("\\<", "") and "\n# y" not in text
    for line in text.splitlines():
        if line.startswith("| ") and "script" in line:
            assert line.replace("\\|", "").count("|") in (10, 5)
