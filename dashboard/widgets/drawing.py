"""The only places where words and figures meet Streamlit.

Prompts, file names and causes are hostile: Streamlit reads markdown (and loads its images) in titles, captions,
alerts, labels and metrics. So data goes through `plain` (st.text), `st.code`, `st.dataframe` and Plotly text only;
labels and titles are ours, and so is the style sheet, style.css.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Literal

import streamlit as st

from dashboard.reading.alerts import Alert
from dashboard.reading.condition import Condition
from dashboard.reading.headline import Headline

STYLE = f"<style>{resources.files('dashboard.widgets').joinpath('style.css').read_text('utf-8')}</style>"

Size = Literal["heading", "headline", "body", "muted", "small", "code"]
"""A headline shows only where the figure below is too narrow for its own."""


MOST_TEXT = 2000
"""Characters shown of any one text: a cause may be a whole log."""


ONE_LINE = 80
"""Characters that stand beside a box's title; a longer sentence stands below it, also in a narrow window."""


def style() -> None:
    """Send the style sheet. Call once a page."""
    st.html(STYLE)


def plain(text: str, key: str, size: Size = "body", most: int = MOST_TEXT) -> None:
    """Text that may hold anything, shown as it is, and cut after `most` characters."""
    with st.container(key=f"plain-{size}-{key}", gap=None):
        st.text(text if len(text) <= most else text[:most] + "…")


def command_line(line: str, key: str) -> None:
    """A command to type, where loading half a megabyte for its colours and a button would hold a first page up."""
    plain(line, f"command-{key}", "code")


@contextmanager
def notice(kind: str, title: str, key: str, *, row: bool = False) -> Iterator[None]:
    """A coloured box; `kind` is "error", "warning", "running" or "note", `title` is ours and may not hold data.

    `row` puts what follows beside the title instead of below it.
    """
    icon = {
        "error": ":material/error:",
        "warning": ":material/warning:",
        "running": ":material/progress_activity:",
    }.get(kind, ":material/info:")
    with st.container(key=f"notice-{kind}-{key}", horizontal=row, vertical_alignment="center", gap="xsmall"):
        st.markdown(f"{icon} **{title}**", width="content")
        yield


def show_alerts(alerts: Sequence[Alert], key: str = "") -> None:
    """The errors and warnings as boxes, the notes behind one line; `key` tells two lists on one page apart."""
    loud = [alert for alert in alerts if alert.level != "note"]
    notes = [alert for alert in alerts if alert.level == "note"]
    with st.container(gap="xsmall"):
        for number, alert in enumerate(loud):
            _show_alert(alert, f"alert{number}{key}")
    if notes:
        with st.expander(f"Notes ({len(notes)})", icon=":material/info:"):
            for number, alert in enumerate(notes):
                _show_alert(alert, f"note{number}{key}")


def _show_alert(alert: Alert, key: str) -> None:
    with notice(alert.level, alert.title, key, row=not alert.command and len(alert.detail) <= ONE_LINE):
        if alert.detail:
            plain(alert.detail, key)
        if alert.command:
            st.code(alert.command, language=None)


def show_condition(state: Condition, key: str) -> None:
    """The box that stands where a figure is missing."""
    kind = {"failed": "error", "running": "running"}.get(state.kind, "note")
    with notice(kind, state.title, f"state-{key}", row=not state.command and len(state.detail) <= ONE_LINE):
        if state.detail:
            plain(state.detail, f"state-{key}")
        if state.command:
            st.code(state.command, language=None)


def show_headlines(numbers: Sequence[Headline], baseline: str) -> None:
    """The row of numbers looked at first; `baseline` (ours) says what differences are from: "since epoch 1"."""
    with st.container(key="headlines"):
        columns = st.columns(len(numbers))
    for column, number in zip(columns, numbers, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.metric(
                number.label,
                number.value,
                delta=number.delta,
                delta_color=("inverse" if number.good == "inverse" else "normal") if number.told else "off",
                delta_arrow="off" if number.still else "auto",
                delta_description=baseline if number.delta else None,
                help=number.help,
            )
            st.caption(number.note)
