"""The page *Compare*: the shown checkpoint against another one, of this run or of another one in the folder."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.chrome import live
from dashboard.chrome.compare_choice import KINDS
from dashboard.chrome.frame import Frame, show_problems
from dashboard.chrome.reader_choice import write_link
from dashboard.reading.compare import End, compared_of
from dashboard.reading.condition import condition
from dashboard.reading.headline import Headline
from dashboard.reading.words import in_plain_words
from dashboard.screens.compare_parts import parts
from dashboard.screens.compare_sides import other_end
from dashboard.widgets.drawing import notice, plain, show_condition, show_headlines
from dashboard.widgets.panels import rows_button
from dashboard.widgets.steered import steered
from shared.findings.alerts import Flips, p_words
from shared.findings.rates import points, share
from shared.findings.text import counted
from shared.views.compare.compared import Compared
from shared.views.compare.verdicts import Flip, flip_rows, outcome
from shared.views.overview.change import rate_told

ROWS = 10
"""Rows of the table of flipped prompts that show before it scrolls."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    view = frame.view
    if view is None:
        return
    there = other_end(frame, view)
    with st.container():  # of its own, so that what follows stays where it is when an alert comes or goes
        show_problems(frame, errors=False)
    if there is None:
        return
    two_runs = there.snapshot.run.out != frame.snapshot.run.out
    name = f"{view.label} of {frame.selection.run}" if two_runs else view.label
    here = End(frame.snapshot, view, name)
    if not _ready(frame, there, here):
        return
    found = compared_of(there, here)
    say(found)
    if found.paired is not None:
        if found.tests:
            other = "the other run" if two_runs else in_plain_words(there.name, there.view.step)
            show_headlines(numbers(found), f"against {other}")
        flips_table(frame, found)
    parts(frame, found, there, here)


def _ready(frame: Frame, there: End, here: End) -> bool:
    """Whether both were judged; else the state of each that was not."""
    ready = True
    for end in (here, there):
        state = condition(end.snapshot, end.view, "progress", frame.now)
        if state.live:
            frame.watched.add(live.HEARTBEAT)
        if state.kind != "ready":
            ready = False
            plain(f"{end.name}:", f"state-{end is here}", "muted")
            show_condition(state, f"compare-{end is here}")
    return ready


def say(found: Compared) -> None:
    """The first sentence, and what the comparison is not about."""
    if found.paired is None:
        with notice("note", "Verdicts cannot be compared", "compare-none"):
            plain(f"{found.headline}.", "compare-none")
        return
    plain(f"{found.headline}.", "compare-headline", "heading")
    for number, sentence in enumerate(found.notes):
        with notice("note", "Note", f"compare-note-{number}"):
            plain(sentence, f"compare-note-{number}")


def numbers(found: Compared) -> list[Headline]:
    """Verdicts fixed and broken, and the rates that have an exact test; coloured where it tells them apart."""
    every = found.tests["accuracy"]
    first = Headline(
        "Verdicts fixed / broken",
        f"{every.flipped - every.wrong} / {every.wrong}",
        f"{outcome(every)}: {p_words(every.p_value)}, {counted(every.better, 'group')} better, {every.worse} worse",
        "Fixed: wrong at the checkpoint that is compared with, right at the shown one. Groups of prompts (contrast "
        "pairs, templates) count in the exact McNemar test, because their prompts flip together.",
    )
    rates = [
        _rate(found.tests.get("fnr"), "Unsafe prompts missed (FNR)", "unsafe prompts", "inverse"),
        _rate(found.tests.get("fpr"), "Safe prompts refused (FPR)", "safe prompts", "inverse"),
        _rate(found.tests.get("pairs"), "Contrast pairs right", "contrast pairs", "normal"),
    ]
    return [first, *(each for each in rates if each is not None)]


def _rate(flips: Flips | None, title: str, of: str, good: str) -> Headline | None:
    if flips is None:
        return None
    now, before = flips.wrong_now / flips.of, flips.wrong_before / flips.of
    if good == "normal":
        now, before = 1 - now, 1 - before
    return Headline(
        title,
        share(now, flips.of),
        f"of {flips.of} {of} of the probe set · {outcome(flips)}, {p_words(flips.p_value)}",
        "On the prompts of both. The difference is coloured only where the exact McNemar test on these prompts "
        "tells it from chance (p below 0.002).",
        points(now - before, flips.of),
        good,
        told=rate_told(flips),
    )


def flips_table(frame: Frame, found: Compared) -> None:
    """The prompts that are judged differently; a click on a column's head sorts."""
    if not found.flips:
        return
    chosen = frame.selection.compare
    st.subheader("Verdicts that differ")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _kind(frame, found)
        _category(frame, found)
        rows_button("CSV", lambda: flip_rows(list(found.flips), found.names), "flipped_verdicts.csv")
    shown = [row for row in found.flips if _wanted(row, chosen.kind, chosen.category)]
    if not shown:
        st.caption("No flipped prompt is of this kind.")
        return
    scores = [f"score, {name}" for name in found.names]
    st.dataframe(
        flip_rows(shown, found.names),
        hide_index=True,
        height=_height(len(shown)),
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in scores},
        alt="Prompts judged differently, the broken ones first, with label, category and both scores in nats",
    )


def _height(rows: int) -> Any:
    return "content" if rows <= ROWS else 35 * (ROWS + 1) + 3


def _wanted(row: Flip, kind: str, category: str) -> bool:
    return kind in (KINDS[0], row.outcome) and category in ("", row.probe.category)


def _kind(frame: Frame, found: Compared) -> None:
    chosen = frame.selection.compare

    def picked(kind: str) -> None:
        chosen.kind = kind
        write_link(frame.selection, frame.view)

    counts = {kind: sum(row.outcome == kind for row in found.flips) for kind in KINDS} | {"all": len(found.flips)}
    words = lambda kind: f"{kind} ({counts[kind]})"  # noqa: E731
    st.selectbox("Show", KINDS, format_func=words, width=160, **steered("flips", chosen.kind, picked))


def _category(frame: Frame, found: Compared) -> None:
    chosen = frame.selection.compare

    def picked(category: str) -> None:
        chosen.category = category
        write_link(frame.selection, frame.view)

    options = sorted({"", chosen.category, *(row.probe.category for row in found.flips)})
    if len(options) > 1:
        words = lambda category: category or "all"  # noqa: E731 - categories are data: a select box draws text
        st.selectbox(
            "Category", options, format_func=words, width=220, **steered("category", chosen.category, picked)
        )
