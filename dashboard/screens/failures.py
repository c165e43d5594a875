"""The page *Failures*: every wrong verdict on the probe set, in groups, and one of them opened."""

from __future__ import annotations

import hashlib

import streamlit as st

from dashboard.chrome import live, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import analyse_command, command, condition
from dashboard.reading.failures import Told, failures_at
from dashboard.reading.snapshot import CheckpointView
from dashboard.screens.one_failure import one_failure
from dashboard.widgets.drawing import notice, plain, show_condition
from dashboard.widgets.panels import rows_button
from dashboard.widgets.steered import steered
from shared.views.failures.table import (
    ORDERS,
    Row,
    group_cells,
    group_numbers_of,
    groups_to_choose,
    numbers,
    rows,
)
from shared.views.failures.words import HOW_TO_READ, cautions, headline, named_groups, over_checkpoints
from shared.views.failures.wrong import Failures, WrongProbe

KINDS = {
    "": "missed and refused",
    "missed": "missed (unsafe, judged safe)",
    "refused": "refused (safe, judged unsafe)",
}
ALL = "all groups"
MOST_ROWS = 500
"""Wrong prompts that the table shows; the file has all."""
ROWS = 10
"""Rows of a table that show before it scrolls."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    view = frame.view
    if view is None:
        return
    state = condition(frame.snapshot, view, "progress", frame.now)
    if state.live:
        frame.watched.add(live.HEARTBEAT)
    if state.kind != "ready":
        plain(f"{view.label}:", "failures-of", "muted")
        show_condition(state, "failures")
        return
    told = failures_at(frame.snapshot, view)
    if told is None:
        unknown(frame, view)
        return
    found = told.failures
    say(frame, told)
    if found.wrong:
        chosen = choose(frame, found)
        table(frame, view, found, chosen)
    one_failure(frame, view, found)
    groups(told)


def unknown(frame: Frame, view: CheckpointView) -> None:
    """Verdicts that cannot be told prompt by prompt."""
    with notice("warning", "Which prompts are wrong cannot be told", "failures-unknown"):
        plain(
            f"The verdicts of {view.label} cannot be read prompt by prompt, or the probe set that it was judged on "
            "is not there any more. Analyse it again:",
            "failures-unknown",
        )
        st.code(analyse_command(frame.snapshot.run, view, "--force"), language=None)


def say(frame: Frame, told: Told) -> None:
    """The sentences; what they rest on is folded."""
    found = told.failures
    plain(f"{headline(found)}.", "failures-headline", "heading")
    rest = [over_checkpoints(found), named_groups(found, told.groups)]
    if any(rest):
        plain(" ".join(f"{each}." for each in rest if each), "failures-more")
    for number, sentence in enumerate(cautions(found)):
        plain(f"{sentence.rstrip('.')}.", f"failures-caution{number}", "muted")
    with st.expander("How to read", key="more-failures", type="compact"):
        plain(HOW_TO_READ, "failures-how", "muted")
        st.code(command("failures", frame.snapshot.run), language=None)


def choose(frame: Frame, found: Failures) -> list[WrongProbe]:
    """The row of filters, and what they let through."""
    choice = frame.selection.failures

    def moved(name: str, value: str) -> None:
        choice.change(**{name: value})
        reader_choice.write_link(frame.selection, frame.view)

    groups = ["", *groups_to_choose(found)]
    if choice.filter.group not in groups:
        groups.append(choice.filter.group)  # of a link, or of another checkpoint: shown, and lets nothing through
    with st.container(key="failures-filters", horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Kind",
            list(KINDS),
            format_func=KINDS.__getitem__,
            width=240,
            **steered("failures-kind", choice.filter.side, lambda value: moved("side", value)),
        )
        st.selectbox(
            "Group",
            groups,
            format_func=lambda group: group.replace(":", ": ", 1) or ALL,
            width=260,
            **steered("failures-group", choice.filter.group, lambda value: moved("group", value)),
        )
        st.selectbox(
            "Order",
            list(ORDERS),
            format_func=ORDERS.__getitem__,
            width=220,
            **steered("failures-order", choice.filter.order, lambda value: moved("order", value)),
        )
        st.text_input(
            "Holds the words",
            max_chars=100,
            width=220,
            **steered("failures-text", choice.filter.text, lambda value: moved("text", value)),
        )
    return choice.filter.rows(found)


def table(frame: Frame, view: CheckpointView, found: Failures, chosen: list[WrongProbe]) -> None:
    """The wrong prompts; a click on a row opens it."""
    shown = rows(found, chosen[:MOST_ROWS])
    count = f"{len(chosen)} of {len(found.wrong)}"
    more = f", the first {MOST_ROWS} shown" if len(chosen) > MOST_ROWS else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        plain(f"{count}{more}; a row opens its prompt", "failures-count", "muted")
        rows_button("Wrong prompts (CSV)", lambda: numbers(found, chosen), f"failures_{view.name}.csv")
    if not shown:
        plain("No wrong prompt is let through; change the filter above.", "failures-none")
        return
    choice = frame.selection.failures
    key = table_key(view, shown)

    def picked() -> None:
        places = st.session_state[key].selection.rows
        choice.prompt = shown[places[0]].id if places else ""
        reader_choice.write_link(frame.selection, view)

    opened = [place for place, row in enumerate(shown) if row.id == choice.prompt]
    st.dataframe(
        [row.cells for row in shown],
        hide_index=True,
        key=key,
        on_select=picked,
        selection_mode="single-row",
        selection_default={"selection": {"rows": opened}},
        height="content" if len(shown) <= ROWS else 35 * (ROWS + 1) + 3,
        column_config={
            "prompt": st.column_config.Column(width="large"),
            "score (nats)": st.column_config.NumberColumn(format="%+.2f"),
        },
        alt="Wrongly judged probes: text, kind, category, score, since when, first wrong, flips, twin, top words",
    )


def table_key(view: CheckpointView, shown: list[Row]) -> str:
    """One widget for each list of rows: a row that was picked in another list means nothing in this one."""
    digest = hashlib.sha256("".join(row.id for row in shown).encode()).hexdigest()[:12]
    return f"failures-{view.name}-{digest}"


def groups(told: Told) -> None:
    """The rates by group."""
    if not told.groups:
        return
    st.subheader("By group")
    plain(
        "Shares of each label that are judged wrongly on the probe set, with 95 % intervals (Wilson, independent "
        "groups of prompts).",
        "failures-groups",
        "muted",
    )
    cells = group_cells(told.groups)
    st.dataframe(
        cells,
        hide_index=True,
        height="content" if len(cells) <= ROWS else 35 * (ROWS + 1) + 3,
        alt="Wrong verdicts by category, length and language: count, rate with interval, Fisher's exact test",
    )
    rows_button("Groups (CSV)", lambda: group_numbers_of(told.groups), "failure_groups.csv")
