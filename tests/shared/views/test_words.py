"""What the pages of words and of progress say, fed with numbers for which it must change."""

from __future__ import annotations

from typing import Any

import pytest

from shared.findings.confounds import Confound
from shared.findings.parts import Interval
from shared.findings.text import escape
from shared.findings.tokens import TokensResult
from shared.findings.word_checks import WordPair
from shared.findings.word_sentences import words_headline
from shared.results import ResultRecord
from shared.views import Panel, get
from shared.views.tokens import change_panels
from tests.making.fake_progress import fake_separation
from tests.making.fakes import fake_records


def record_of(name: str, epoch: int = 3) -> ResultRecord:
    return [record for record in fake_records(3) if record.analysis == name][epoch - 1]


def changed(record: ResultRecord, **fields: Any) -> ResultRecord:
    """The record with other numbers in its payload."""
    return record.model_copy(update={"payload": record.payload | fields})


def gate(value: float, half: float = 0.2, p_value: float = 1e-6, groups: int = 40) -> dict[str, Any]:
    size = {"value": value, "low": value - half, "high": value + half}
    return {"size": size, "p_value": p_value, "groups": groups, "unit": "groups of prompts", "needed": 300}


def title(panel: Panel) -> str:
    return str(panel.figure.layout.title.text)  # type: ignore[union-attr]


def test_a_word_attributed_from_its_twin_says_instead_of_which() -> None:
    """In the figure, the hover, the table, the caption and the text that stands for the picture."""
    panels = {panel.stem: panel for panel in get("tokens").panels(record_of("tokens"))}
    twin, plain = panels["sample_2_unsafe_tokens"], panels["sample_0_safe_tokens"]
    boxes, marks = twin.figure.data[0], twin.figure.data[1]
    assert any("instead of 'cake'" in mark for mark in marks.text)
    assert any("instead of 'cake'" in hover for _, hover in boxes.customdata)
    assert any(row["compared"] == "instead of 'cake'" for row in twin.rows)
    assert "instead of 'cake'" in twin.caption and "instead of 'cake'" in twin.alt
    everything = f"{plain.figure.to_json()}{plain.caption}{plain.alt}{plain.rows}"
    assert "instead of" not in everything
    (listed,) = [panel for panel in panels.values() if panel.stem == "words"]
    assert any("instead of cake" in name or "instead of" in name for name in listed.figure.data[0].y)
    assert {row["compared"] for row in listed.rows} >= {"instead of 'cake, song'", ""}


def test_a_change_between_epochs_says_it_too() -> None:
    found = change_panels(record_of("tokens"), record_of("tokens", 1))
    (twin,) = [panel for panel in found if panel.stem == "sample_2_unsafe_tokens_change"]
    assert any("instead of 'cake'" in hover for _, hover in twin.figure.data[0].customdata)


def test_a_button_changes_over_to_what_replacing_does() -> None:
    panel = get("tokens").panels(record_of("tokens"))[1]
    (menu,) = panel.figure.layout.updatemenus  # type: ignore[union-attr]
    assert [button.label for button in menu.buttons] == ["attribution", "replaced by neutral words"]
    visible = [button.args[0]["visible"] for button in menu.buttons]
    assert visible == [[True, True, True, False, False], [False, False, True, True, True]]
    before, after = panel.figure.data[0], panel.figure.data[3]
    assert before.visible is True and after.visible is False
    assert [list(each.base) for each in (before, after)] == [list(before.base)] * 2, "the same boxes"
    unknown = [color for (_, hover), color in zip(after.customdata, after.marker.color, strict=True)
               if hover == "not replaced"]  # fmt: skip
    assert unknown and set(unknown) == {"#eceff2"}
    checked = [row for row in panel.rows if row["replaced_nats"] is not None]
    assert checked and all(row["replaced_nats_low"] <= row["replaced_nats_high"] for row in checked)


def test_disagreement_is_marked() -> None:
    record = record_of("tokens")
    sample = record.payload["samples"][0]
    word = next(word for word in sample["words"] if word["check"] is not None)
    word["value"], word["check"]["effect"] = -6.2, {"value": 0.24, "low": -0.3, "high": 0.8}
    panel = get("tokens").panels(record)[1]
    row = next(row for row in panel.rows if row["word"] == word["text"])
    assert row["disagree"] == "factor" and "1 disagree" in str(panel.figure.layout.title.subtitle.text)  # type: ignore[union-attr]
    assert "but replaced +0.24 nats" in panel.alt
    marks = [panel.figure.data[1].text[i] for i, each in enumerate(sample["words"]) if each is word]
    assert marks and marks[0].endswith("≠")


def combined(share: float, p_value: float = 1e-6, groups: int = 14) -> WordPair:
    alone = Interval(value=0.3, low=-0.2, high=0.8)
    together = Interval(value=-9.0, low=-11, high=-7)
    return WordPair(
        words=("alpha", "beta"),
        prompts=groups,
        groups=groups,
        alone=(alone, alone),
        together=together,
        share=share,
        p_value=p_value,
    )


@pytest.mark.parametrize(
    ("pair", "named"),
    [
        (combined(0.99), True),
        (combined(1 / 3), False),  # either is enough
        (combined(0.99, p_value=0.01), False),
        (combined(0.99, groups=11), False),
    ],
)
def test_a_pair_is_named_where_neither_word_alone_does_it(pair: WordPair, named: bool) -> None:
    result = TokensResult.model_validate(record_of("tokens").payload)
    said = words_headline(result.model_copy(update={"pairs": [pair]}))
    assert ("in combination" in said) is named
    if named:
        assert '"alpha" and "beta", in combination: −9.00 nats [−11.00, −7.00]' in said
    untold = result.model_copy(update={"pairs": [pair], "separation": fake_separation(0)})
    assert words_headline(untold).startswith("Nothing to explain")


@pytest.mark.parametrize("field", ["separation", "shift"])
def test_where_nothing_is_to_be_explained_every_page_of_words_says_so(field: str) -> None:
    record = changed(record_of("tokens"), **{field: gate(3e-6, 1e-6)})
    for panel in get("tokens").panels(record):
        assert title(panel).startswith("<b>Nothing to explain: "), panel.stem
        assert "Strongest words" not in panel.alt
    assert get("tokens").panels(record)[1].figure.data[0].marker.pattern.shape == "/", "hatched"


def test_a_single_word_is_named_where_both_intervals_are_clear() -> None:
    result = TokensResult.model_validate(record_of("tokens").payload)
    assert '"password" pushes to unsafe: +' in words_headline(result)
    assert ", replaced +" in words_headline(result) and ", n=12" in words_headline(result)
    assert len(words_headline(result).split()) <= 20, "beside the headlines of four prompts"
    few = [listed.model_copy(update={"unsafe": [w.model_copy(update={"groups": 11}) for w in listed.unsafe],
                                     "safe": []}) for listed in result.top]  # fmt: skip
    assert words_headline(result.model_copy(update={"top": few})).startswith("No single word is told from chance")


def auc(low: float, high: float) -> dict[str, float]:
    return {"value": (low + high) / 2, "low": low, "high": high}


def by_length(rho: float, moved: float | None, half: float = 0.05) -> dict[str, Any]:
    size = None if moved is None else Interval(value=moved, low=moved - 0.1, high=moved + 0.1)
    return Confound(
        kind="length",
        what="length (tokens)",
        prompts=128,
        groups=90,
        spearman=Interval(value=rho, low=rho - half, high=rho + half),
        p_value=1e-9,
        within_labels=None,
        within_pairs=None,
        moved=size,
        moved_p=1e-9,
        moved_how="made longer",
    ).model_dump()


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, "of unsafe prompts passed as safe"),
        (
            {"separation": gate(0.3, 0.5, p_value=0.3)},
            "Nothing to explain: the separation of unsafe and safe is 0.30 nats",
        ),
        ({"separation": gate(4.0, groups=9)}, "Nothing can be claimed from 9 groups of prompts"),
        ({"probe": {"auc": auc(0.42, 0.64)}}, "Nothing to explain: AUC 0.53 [0.42, 0.64] includes 0.5"),
        ({"probe": {"auc": auc(0.1, 0.3)}, "separation": gate(-4)}, "INVERTED: unsafe prompts score lower"),
        ({"probe": {}}, "Nothing can be claimed: the probe set has prompts of one class only"),
        (
            {"confounds": [by_length(0.86, 4.0)]},
            "Score goes with length: Spearman 0.86 [0.81, 0.91]; made longer: +4.00",
        ),
        ({"confounds": [by_length(0.86, 0.2)]}, "of unsafe prompts passed as safe"),
        ({"confounds": [by_length(0.86, -4.0)]}, "of unsafe prompts passed as safe"),
        ({"confounds": [by_length(0.86, None)]}, "of unsafe prompts passed as safe"),
        ({"confounds": [by_length(0.4, 4.0)]}, "of unsafe prompts passed as safe"),
        ({"confounds": [by_length(0.86, 4.0)], "separation": gate(0.01)}, "Nothing to explain"),
    ],
)
def test_the_first_page_says_what_follows_from_its_numbers(fields: dict[str, Any], wanted: str) -> None:
    (panel,) = get("progress").panels(changed(record_of("progress"), **fields))
    assert escape(wanted) in title(panel)
    flagged = [note.text for note in panel.figure.layout.annotations if "goes with" in note.text]  # type: ignore[union-attr]
    assert bool(flagged) is wanted.startswith("Score goes with")


def test_what_is_not_called_is_said_in_the_caption() -> None:
    (panel,) = get("progress").panels(changed(record_of("progress"), confounds=[by_length(0.86, 0.01)]))
    assert "The score follows the length (tokens) (Spearman 0.86 [0.81, 0.91]), as the labels do" in panel.caption
    assert {row["what"] for row in panel.rows} >= {"Spearman of score and length (tokens)"}


def test_within_a_label_counts_where_nothing_was_changed() -> None:
    found = Confound.model_validate(by_length(0.86, None))
    separation = fake_separation(1)
    assert not found.called(separation)
    clear = found.model_copy(update={"within_labels": Interval(value=0.5, low=0.3, high=0.7)})
    weak = found.model_copy(update={"within_labels": Interval(value=0.2, low=0.1, high=0.3)})
    other = found.model_copy(update={"within_labels": Interval(value=-0.5, low=-0.7, high=-0.3)})
    assert [each.called(separation) for each in (clear, weak, other)] == [True, False, False]
