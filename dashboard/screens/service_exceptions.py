"""What went wrong with checkpoints: each with its cause and the buttons that file what may help."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.chrome import desk
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import command
from dashboard.reading.words import plural
from dashboard.widgets.drawing import notice, plain
from shared.records import CheckpointState, CheckpointStatus, Status
from shared.requests.record import Analyze, Retry

SHOWN = 20
"""Causes that are written out, of each kind."""
SAID = "analyzer-said"
"""Where the session keeps why the last button did nothing, by the run it is about."""


def exceptions(frame: Frame, status: Status) -> None:
    """Failed, refused and lost checkpoints; nothing where there are none."""
    _why_not(frame)
    _group(frame, status, CheckpointState.QUARANTINED, "Failed", "error")
    _group(frame, status, CheckpointState.REJECTED, "Refused", "warning")
    lost = [row for row in status.checkpoints if row.state == CheckpointState.GONE]
    if lost:
        st.subheader("Deleted before they were analysed")
        for row in lost[-SHOWN:]:
            _cause(row, "Lost", "warning")
        if len(lost) > SHOWN:
            st.caption(f"These are the last {SHOWN} of {len(lost)}; all of them stand in the table below.")


def _why_not(frame: Frame) -> None:
    if said := st.session_state.get(SAID, {}).get(frame.snapshot.run.out) or desk.why_not(frame.snapshot.run):
        with notice("warning", "The buttons cannot be used", "why-not", row=True):
            plain(said, "why-not")


def _group(frame: Frame, status: Status, state: CheckpointState, title: str, kind: str) -> None:
    rows = [row for row in status.checkpoints if row.state == state]
    if not rows:
        return
    st.subheader(title)
    for number, row in enumerate(rows[:SHOWN]):
        after = f" after {plural(row.attempts, 'attempt')}" if state == CheckpointState.QUARANTINED else ""
        _cause(row, f"{title}{after}", kind)
        if row.state == CheckpointState.QUARANTINED or row.attempts:
            _buttons(frame, row.checkpoint, f"row-{number}-{row.checkpoint}", ("Retry",))
    if len(rows) > SHOWN:
        st.caption(f"These are {SHOWN} of {len(rows)}; all of them stand in the table below.")
    if state == CheckpointState.QUARANTINED:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("When the cause is gone, try all of them again:", width="content")
            st.button("Retry all", key="retry-all", disabled=_stopped(frame), on_click=_file, args=(frame, Retry()))
        st.code(command("retry", frame.snapshot.run), language=None)


def _cause(row: CheckpointStatus, words: str, kind: str) -> None:
    with notice(kind, words, f"cause-{row.step}", row=True):
        plain(f"{row.checkpoint}: {row.cause or 'no cause given'}", f"cause-{row.step}")


def for_one(frame: Frame) -> None:
    """What can be asked of the analyzer about the checkpoint that the bar shows."""
    if frame.view is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="for-one"):
        plain(f"{frame.view.label}, in the bar above:", "for-one")
        if frame.view.on_disk:
            _buttons(frame, frame.view.name, "one", ("Retry", "Re-analyse", "Advanced"))
        else:
            plain("its files are deleted, so nothing more can be computed.", "for-one-gone", "muted")


def _buttons(frame: Frame, name: str, key: str, which: Sequence[str]) -> None:
    """Each files one request about a checkpoint."""
    asked = {
        "Retry": (Retry(checkpoints=(name,)), "Forget its failed attempts, so that they are made again."),
        "Re-analyse": (_again(frame, name), "Compute every analysis of its suite again, and replace the results."),
        "Advanced": (
            Analyze(checkpoints=(name,), suite="advanced"),
            "Compute the advanced suite: neurons, heads and circuits.",
        ),
    }
    with st.container(horizontal=True, gap="xsmall", width="content"):
        for label in which:
            what, told = asked[label]
            st.button(
                label, key=f"{label}-{key}", help=told, disabled=_stopped(frame), on_click=_file, args=(frame, what)
            )


def _again(frame: Frame, name: str) -> Analyze:
    status = frame.snapshot.status
    suite = "advanced" if status is not None and status.suite == "advanced" else "basic"
    return Analyze(checkpoints=(name,), suite=suite, force=True)


def _stopped(frame: Frame) -> bool:
    return bool(desk.why_not(frame.snapshot.run))


def _file(frame: Frame, what: Retry | Analyze) -> None:
    run = frame.snapshot.run
    st.session_state[SAID] = {run.out: desk.file(run, what)[1]}
