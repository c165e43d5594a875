"""One figure with what makes it trustworthy: title, how to read it, description, numbers to take away."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.widgets.drawing import plain
from dashboard.widgets.fit import fitted
from shared.findings.text import DEFINED
from shared.views import Panel

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}
"""No button that uploads the chart; the camera saves a picture, which the button "PNG" presses (browser.js)."""
FOLD = "How to read, and the numbers"
WORDS = 20_000
"""Characters shown of a figure's caption and badge: ours, with short pieces of data in them, so never cut."""


def show_panels(
    panels: Sequence[Panel],
    again: Callable[[], Sequence[Panel]],
    key: str,
    picked: Callable[[Any], None] | None = None,
) -> None:
    """Draw figures. `again` finds the same panels when a download is clicked, long after this rerun; `picked` gets
    the `customdata` of the point that the reader clicks in the first figure."""
    for number, panel in enumerate(panels):
        with st.container(border=True, key=f"panel-{key}-{number}"):
            _show_panel(panel, lambda number=number: again()[number], f"{key}-{number}", None if number else picked)


def _show_panel(panel: Panel, again: Callable[[], Panel], key: str, picked: Callable[[Any], None] | None) -> None:
    """What it finds, the figure, and behind "How to read" all else that is said of it."""
    figure, subtitle, beside = fitted(panel.figure)
    plain(panel.headline, f"{key}-headline", "headline")
    with st.container(key=f"fit-{beside}-{key}"):
        _chart(figure, panel.alt, f"figure-{key}", picked)
    fold(panel, again, key, subtitle)


def _chart(figure: go.Figure, alt: str, key: str, picked: Callable[[Any], None] | None) -> None:
    if picked is None:
        st.plotly_chart(figure, theme=None, config=CONFIG, alt=alt, key=key)
        return

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points and points[0].get("customdata") is not None:
            picked(points[0]["customdata"])

    # no mark stays on what was clicked: a selection would dim everything else in the figure
    figure.update_layout(clickmode="event+select", dragmode="pan")
    for trace in figure.data:
        _keep_look(trace)
    st.plotly_chart(figure, theme=None, config=CONFIG, alt=alt, key=key, on_select=clicked, selection_mode="points")


def _keep_look(trace: Any) -> None:
    """Where something else is selected, too."""
    mode = trace.mode if trace.type == "scatter" else trace.type
    if mode in ("bar", "markers"):
        seen = trace.marker.opacity
        trace.unselected = {"marker": {"opacity": 1 if seen is None else seen}}
    elif mode == "text" and isinstance(trace.textfont.color, str):
        trace.unselected = {"textfont": {"color": trace.textfont.color}}


def fold(panel: Panel, again: Callable[[], Panel], key: str, subtitle: str = "") -> None:
    """How to read a figure, how it was made, what it shows in words, and its numbers to take away."""
    with st.expander(FOLD, key=f"more-{key}", type="compact"):
        plain(panel.title, f"{key}-title", "heading")
        if subtitle:
            plain(subtitle, f"{key}-subtitle", "muted", WORDS)
        plain(panel.caption, f"{key}-caption", "muted", WORDS)
        plain(f"In words: {panel.alt}", f"{key}-alt", "muted", WORDS)
        if panel.badge:
            plain(panel.badge, f"{key}-badge", "small", WORDS)
        plain(DEFINED, f"{key}-defined", "small")
        _take_away(panel, again, key)


def fold_together(panels: Sequence[Panel], again: Callable[[], Sequence[Panel]], keys: Sequence[str]) -> None:
    """The same of several figures that are read alike; made when it is opened, or every move would send it."""
    opened = st.expander(FOLD, key=f"more-{keys[0]}", type="compact", on_change="rerun")
    if not opened.open:
        return
    with opened:
        plain(panels[0].caption, f"{keys[0]}-caption", "muted", WORDS)
        for number, (panel, key) in enumerate(zip(panels, keys, strict=True)):
            plain(f"{panel.title}\nIn words: {panel.alt}\n{panel.badge}", f"{key}-words", "small", WORDS)
            _take_away(panel, lambda number=number: again()[number], key)
        plain(DEFINED, f"{keys[0]}-defined", "small")


def _take_away(panel: Panel, again: Callable[[], Panel], key: str) -> None:
    with st.container(horizontal=True):
        _download("CSV", lambda: to_csv(again().rows), f"{panel.stem}.csv", "text/csv", key)
        _download("JSON", lambda: to_json(again()), f"{panel.stem}.json", "application/json", key)
        st.button("PNG", icon=":material/photo_camera:", type="tertiary", key=f"png-{key}")


def _download(label: str, data: Callable[[], bytes], name: str, mime: str, key: str) -> None:
    """A download whose content is made when it is clicked."""
    st.download_button(
        label,
        data,
        file_name=safe_name(name),
        mime=mime,
        key=f"{label}-{key}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )


def rows_button(label: str, rows: Callable[[], Sequence[dict[str, Any]]], name: str) -> None:
    """A download of rows as CSV; they are made when it is clicked."""
    _download(label, lambda: to_csv(rows()), name, "text/csv", name)


def safe_name(name: str) -> str:
    """A file name of letters, digits, "_", "-" and "."."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in name)


def to_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as CSV (UTF-8 with a mark, so that spreadsheets read it); columns in order of first appearance.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig", "replace")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_json(panel: Panel) -> bytes:
    """Title, words and rows of a panel as JSON."""
    value = {"title": panel.title, "caption": panel.caption, "description": panel.alt, "rows": panel.rows}
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")
