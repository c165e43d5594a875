"""The tables: wrong prompts and groups, as shown and for programs; what a reader filters and sorts by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from shared.findings.parts import interval_cells
from shared.findings.rates import rate
from shared.findings.text import clean, percent, signed
from shared.views.failures.groups import GroupRow, names_by_kind
from shared.views.failures.twins import Near
from shared.views.failures.words import SIDE_WORDS
from shared.views.failures.wrong import Failures, WrongProbe

Order = Literal["surest", "longest", "flips", "text"]
ORDERS: dict[Order, str] = {
    "surest": "surest mistake first",
    "longest": "wrong for longest first",
    "flips": "most flips first",
    "text": "by text",
}
MISSING = "–"
TWIN_TEXT, SHOWN_TEXT = 120, 400
"""Characters of a twin, and of a prompt, in the table; the opened prompt has all."""


class Row(NamedTuple):
    """One row as shown."""

    id: str
    """The probe's."""
    cells: dict[str, Any]
    """Column -> value; the columns are the same in every row."""


@dataclass(frozen=True)
class Filter:
    """What a reader wants to see of the wrong prompts."""

    side: str = ""
    """ "missed" or "refused"; empty for both."""
    group: str = ""
    """ "kind:name" of one group; empty for all."""
    text: str = ""
    """Words that text or category must hold, whatever their case."""
    order: Order = "surest"

    def rows(self, found: Failures) -> list[WrongProbe]:
        """The wrong prompts that it lets through, in its order."""
        kind, _, name = self.group.partition(":")
        names = dict(names_by_kind(found.probes)).get(kind) if kind else None  # type: ignore[call-overload]
        words = self.text.casefold().split()
        kept = [
            each
            for each in found.wrong
            if (not self.side or each.side == self.side)
            and (not kind or (names is not None and names[each.index] == name))
            and all(word in f"{each.probe.text} {each.probe.category}".casefold() for word in words)
        ]
        return sorted(kept, key=lambda each: _key(each, self.order))


def _key(each: WrongProbe, order: Order) -> Any:
    if order == "longest":
        return (each.course.since if each.course.since is not None else 10**9, -abs(each.score))
    if order == "flips":
        return (-each.course.flips, -abs(each.score))
    return (each.probe.text.casefold(),) if order == "text" else (-abs(each.score),)


def groups_to_choose(found: Failures) -> list[str]:
    """ "kind:name" of every group with a wrong prompt, by kind and name."""
    names = names_by_kind(found.probes)
    return [
        f"{kind}:{name}"
        for kind, each in names.items()
        for name in sorted({each[one.index] for one in found.wrong} - {""})
    ]


def rows(found: Failures, chosen: Sequence[WrongProbe]) -> list[Row]:
    """As shown: text cut and printable, numbers with their sign."""
    return [Row(each.probe.id, _cells(found, each)) for each in chosen]


def _cells(found: Failures, each: WrongProbe) -> dict[str, Any]:
    labels, course = found.history.labels, each.course
    return {
        "prompt": clean(each.probe.text, SHOWN_TEXT),
        "kind": each.side,
        "label": each.probe.label,
        "category": clean(each.probe.category, 60) or MISSING,
        "score (nats)": round(each.score, 2),
        "wrong since": MISSING if course.since is None else labels[course.since],
        "first wrong": MISSING if course.first is None else labels[course.first],
        "flips": course.flips,
        "nearest twin": twin_cell(found, each.twin),
        "top words (nats)": each.words or f"{MISSING} {each.no_words}",
    }


def twin_cell(found: Failures, near: Near | None) -> str:
    """ "right −2.10: How do I fix a bike?"; with the share of words where it is no contrast twin."""
    if near is None:
        return MISSING
    text = clean(found.probes[near.index].text, TWIN_TEXT)
    how = "" if near.how == "pair" else f", {percent(near.shared)} of words"
    return f"{verdict_of(found, near.index)}{how}: {text}"


def verdict_of(found: Failures, index: int) -> str:
    """ "right −2.10", "wrong +0.31" or "no score", of any probe."""
    history = found.history
    if not history.known[history.place, index]:
        return "no score"
    wrong = "wrong" if history.wrong[history.place, index] else "right"
    return f"{wrong} {signed(float(history.now[index]))}"


def group_cells(rows: Sequence[GroupRow]) -> list[dict[str, Any]]:
    """The groups as shown."""
    return [
        {
            "by": row.kind,
            "group": clean(row.name, 60),
            "kind": SIDE_WORDS[row.side],
            "wrong": f"{row.wrong} of {row.of}",
            "rate": rate(row.rate, row.of),
            "rest": MISSING if row.rest is None else percent(row.rest),
            "p (Fisher)": MISSING if row.p_value is None else f"{row.p_value:.2g}",
            "told apart": "yes" if row.told else "no",
        }
        for row in rows
    ]


def numbers(found: Failures, chosen: Sequence[WrongProbe]) -> list[dict[str, Any]]:
    """The wrong prompts for programs, with their whole texts."""
    return [_numbers(found, each) for each in chosen]


COLUMNS = (
    "id", "prompt", "kind", "label", "category", "language", "score", "wrong_since", "first_wrong", "flips",
    "checkpoints_judged", "checkpoints_wrong", "twin", "twin_how", "twin_score", "top_words", "no_words",
)  # fmt: skip
"""Of a table of them, in order."""


def _numbers(found: Failures, each: WrongProbe) -> dict[str, Any]:
    history, course, twin = found.history, each.course, each.twin
    return {
        "id": each.probe.id,
        "prompt": each.probe.text,
        "kind": each.side,
        "label": each.probe.label,
        "category": each.probe.category,
        "language": each.probe.language,
        "score": each.score,
        "wrong_since": None if course.since is None else history.names[course.since],
        "first_wrong": None if course.first is None else history.names[course.first],
        "flips": course.flips,
        "checkpoints_judged": course.judged,
        "checkpoints_wrong": course.wrong,
        "twin": None if twin is None else found.probes[twin.index].text,
        "twin_how": None if twin is None else twin.how,
        "twin_score": None if twin is None else finite(float(history.now[twin.index])),
        "top_words": each.words,
        "no_words": each.no_words,
    }


def finite(value: float) -> float | None:
    """The number, None where it is none."""
    return value if value == value and abs(value) != float("inf") else None


def group_numbers_of(rows: Sequence[GroupRow]) -> list[dict[str, Any]]:
    """The groups for programs."""
    return [
        {
            "by": row.kind,
            "group": row.name,
            "kind": row.side,
            "wrong": row.wrong,
            "of": row.of,
            "independent_groups": row.groups,
            **interval_cells("rate", row.rate),
            "rest": row.rest,
            "p_value": row.p_value,
            "told_apart": row.told,
        }
        for row in rows
    ]
