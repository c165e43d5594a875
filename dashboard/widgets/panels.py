"""One figure with what makes it trustworthy: title, how to read it, description, numbers to take away."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.widgets.drawing import plain
from shared.findings.text import DEFINED
from shared.views import Panel

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
}
"""No button that uploads the chart; the camera saves a vector graphic."""
WORDS = 20_000
"""Characters shown of a figure's caption and badge: ours, with short pieces of data in them, so never cut."""


def show_panels(panels: Sequence[Panel], again: Callable[[], Sequence[Panel]], key: str) -> None:
    """Draw figures. `again` finds the same panels when a download is clicked, long after this rerun."""
    for number, panel in enumerate(panels):
        repeated = number > 0 and panel.caption == panels[number - 1].caption
        with st.container(border=True, key=f"panel-{key}-{number}"):
            _show_panel(panel, lambda number=number: again()[number], f"{key}-{number}", repeated)


def _show_panel(panel: Panel, again: Callable[[], Panel], key: str, repeated: bool) -> None:
    plain(panel.headline, f"{key}-headline", "headline")
    st.plotly_chart(panel.figure, theme=None, config=CONFIG, alt=panel.alt, key=f"figure-{key}")
    if not repeated:
        plain(panel.caption, f"{key}-caption", "muted", WORDS)
    if panel.badge:
        plain(panel.badge, f"{key}-badge", "small", WORDS)
    with st.expander("Description and numbers", key=f"more-{key}", type="compact"):
        plain(panel.title, f"{key}-title", "heading")
        plain(panel.alt, f"{key}-alt", "muted")
        if repeated:
            plain(panel.caption, f"{key}-caption", "muted", WORDS)
        plain(DEFINED, f"{key}-defined", "small")
        with st.container(horizontal=True):
            _download("CSV", lambda: to_csv(again().rows), f"{panel.stem}.csv", "text/csv", key)
            _download("JSON", lambda: to_json(again()), f"{panel.stem}.json", "application/json", key)


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
