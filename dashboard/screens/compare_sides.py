"""What the shown checkpoint is compared with: the bar's `against`, or a checkpoint of another run in the folder."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.chrome.frame import Frame, run_name
from dashboard.chrome.reader_choice import address, write_link
from dashboard.reading import cached
from dashboard.reading.compare import End
from dashboard.reading.snapshot import CheckpointView, Snapshot
from dashboard.widgets.drawing import notice, plain
from dashboard.widgets.steered import steered
from shared.run import Run

SAME = ""
"""The choice of the same run."""
NEWEST = "newest"


def other_end(frame: Frame, view: CheckpointView) -> End | None:
    """The other end; None where there is none, which is then said."""
    row = st.container(horizontal=True)
    with row:
        other = _pick_run(frame)
    if other is None:
        return _of_the_same_run(frame, view)
    run = next((run for run in frame.runs if run_name(run, frame.runs) == other), None)
    if run is None:
        with notice("warning", "The other run is not there", "compare-run"):
            plain(f"{other} was deleted, renamed, or is not in the folder that is watched.", "compare-run")
        return None
    return _of_another_run(frame, run, other, row)


def _pick_run(frame: Frame) -> str | None:
    """Name of the other run; None for the same one."""
    chosen = frame.selection.compare
    names = [run_name(run, frame.runs) for run in frame.runs]
    names = [name for name in names if name != frame.selection.run]
    if chosen.run == frame.selection.run:
        chosen.other_run(None)
    if not names and chosen.run is None:
        return None

    def picked(name: str) -> None:
        chosen.other_run(name or None)
        write_link(frame.selection, frame.view)

    options = [SAME, *names]
    if chosen.run is not None and chosen.run not in names:
        options.append(chosen.run)
    st.selectbox(
        "Compare with",
        options,
        format_func=lambda name: f"with {name}" if name else "with a checkpoint of this run: “against” in the bar",
        label_visibility="collapsed",
        width=420,
        **steered("with", chosen.run or SAME, picked),
    )
    return chosen.run


def _of_the_same_run(frame: Frame, view: CheckpointView) -> End | None:
    against = frame.against
    if against is not None:
        return End(frame.snapshot, against, against.label)
    with notice("note", "Nothing to compare with", "compare-none"):
        judged = [each for each in frame.snapshot.checkpoints if each.results and each.name != view.name]
        if judged:
            plain(f"{view.label} is the first one. Choose another one under “against” in the bar.", "compare-none")
        else:
            plain(f"{view.label} is the only analysed checkpoint of this run so far.", "compare-none")
    return None


def _of_another_run(frame: Frame, run: Run, name: str, row: DeltaGenerator) -> End | None:
    snapshot = cached.reader(str(run.path), str(run.out)).snapshot()
    chosen = frame.selection.compare
    labels = {":".join(next(iter(address(each).items()))): each for each in reversed(snapshot.checkpoints)}
    if not labels:
        with notice("note", "Nothing to compare with", "compare-none"):
            plain(f"{name} has no checkpoint yet.", "compare-none")
        return None
    with row:
        _pick_checkpoint(frame, labels, snapshot)
    view = snapshot.newest if chosen.at is None else labels.get(chosen.at)
    if view is None:
        with notice("warning", "No such checkpoint", "compare-at"):
            plain(f"{name} has no {(chosen.at or '').replace(':', ' ')}.", "compare-at")
        return None
    return End(snapshot, view, f"{view.label} of {name}")


def _pick_checkpoint(frame: Frame, labels: dict[str, CheckpointView], snapshot: Snapshot) -> None:
    chosen = frame.selection.compare

    def picked(option: str) -> None:
        chosen.at = None if option == NEWEST else option
        write_link(frame.selection, frame.view)

    now = chosen.at or NEWEST
    options = [NEWEST, *labels, *([now] if now not in labels and now != NEWEST else [])]
    newest = snapshot.newest

    def shown(option: str) -> str:
        if option == NEWEST:
            return f"its newest ({newest.label})" if newest is not None else "its newest"
        return labels[option].label if option in labels else option

    st.selectbox(
        "Checkpoint of the other run",
        options,
        format_func=shown,
        label_visibility="collapsed",
        width=240,
        **steered("at", now, picked),
    )
