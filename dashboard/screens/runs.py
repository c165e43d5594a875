"""The runs of a folder as a table: sorted by a click on a column's head, filtered by words, opened by a click."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard.chrome import reader_choice
from dashboard.chrome.frame import Frame, run_name
from dashboard.reading.runs import RunRow, run_row
from dashboard.widgets.steered import steered


def runs_table(frame: Frame) -> None:
    """The table; nothing where the dashboard is over one run only."""
    if len(frame.runs) < 2:
        return
    chosen = frame.selection

    def filtered(words: str) -> None:
        chosen.find = words[: reader_choice.MOST_FIND]
        reader_choice.write_link(chosen, frame.view)

    st.subheader("Runs in this folder")
    st.text_input(
        "Show runs whose name or state holds", placeholder="all", **steered("find", chosen.find, filtered)
    )
    rows = [run_row(run, run_name(run, frame.runs), frame.now) for run in frame.runs]
    rows = [row for row in rows if row.holds(chosen.find)]
    if not rows:
        st.caption("No run's name or state holds these words.")
        return

    def opened() -> None:
        picked = st.session_state["runs"].selection.rows
        if picked:
            reader_choice.open_run(chosen, rows[picked[0]].name)

    st.dataframe(
        [_cells(row) for row in rows],
        hide_index=True,
        key="runs",
        on_select=opened,
        selection_mode="single-row",
        column_config={"run": st.column_config.Column(pinned=True)},
        alt="Runs with their state and the newest judged checkpoint's rates, newest change first",
    )


def _cells(row: RunRow) -> dict[str, object]:
    return {
        "run": row.name,
        "state": row.state,
        "checkpoints": row.checkpoints,
        "newest judged": row.newest,
        "FNR (probe set)": row.fnr,
        "AUC (probe set)": row.auc,
        "changed": datetime.fromtimestamp(row.changed, UTC) if row.changed else None,
    }
