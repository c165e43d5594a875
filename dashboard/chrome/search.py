"""One field that leads anywhere: a page, an analysis, a checkpoint, a run. The key `/` puts the keyboard in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.chrome import pages, reader_choice
from dashboard.chrome.reader_choice import Selection
from dashboard.reading.snapshot import Snapshot
from shared import views

FIELD = "search_field"
"""Of the session: the number of the field, which is a new one after each use so that it is empty again."""
TRAINING = "Training Visualizations"


@dataclass(frozen=True)
class Target:
    """Where one entry leads; None for what it leaves as it is."""

    page: str | None = None
    tab: str | None = None
    checkpoint: str | None = None
    run: str | None = None


def targets(titles: Sequence[str], snapshot: Snapshot | None, runs: Sequence[str]) -> dict[str, Target]:
    """What can be searched, by the words it is found under; the names of runs are data."""
    found = {f"Page: {title}": Target(page=title) for title in titles}
    if TRAINING in titles:
        found |= {f"Analysis: {view.title}": Target(page=TRAINING, tab=view.name) for view in views.all_views()}
    if snapshot is not None:
        shown = reversed(snapshot.checkpoints)
        found |= {f"Checkpoint: {view.label}": Target(checkpoint=view.name) for view in shown}
    return found | {f"Run: {name}": Target(run=name) for name in runs}


def search_field(snapshot: Snapshot | None, runs: Sequence[str], chosen: Selection) -> None:
    """The field. Call inside the sidebar."""
    found = targets(list(st.session_state.get("pages", {})), snapshot, runs)
    number = st.session_state.setdefault(FIELD, 0)
    key = f"w_search_{number}"

    def picked() -> None:
        target = found.get(st.session_state.get(key) or "")
        st.session_state[FIELD] = number + 1
        if target is not None:
            go(target, snapshot, chosen)

    with st.container(key="search"):
        st.selectbox(
            "Search",
            list(found),
            index=None,
            placeholder="Search ( / )",
            label_visibility="collapsed",
            key=key,
            on_change=picked,
        )


def go(target: Target, snapshot: Snapshot | None, chosen: Selection) -> None:
    """Move the selection there; another page is opened at the next rerun."""
    if target.run is not None:
        reader_choice.open_run(chosen, target.run)
    view = snapshot.get(target.checkpoint) if snapshot is not None and target.checkpoint else None
    if view is not None:
        reader_choice.open_checkpoint(chosen, view)
    if target.tab is not None:
        chosen.tab = target.tab
        now = reader_choice.resolve(chosen, snapshot) if snapshot is not None else None
        reader_choice.write_link(chosen, now)
    if target.page is not None and target.page != st.session_state.get("page"):  # a move drops the query
        pages.go(target.page)
