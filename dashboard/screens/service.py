"""The page *Analyzer*: what runs, what waits, what failed and why, and how far it lags behind the trainer."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import live
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import command, queue
from dashboard.reading.snapshot import Snapshot
from dashboard.reading.words import ago, clock, plural
from dashboard.widgets.drawing import ONE_LINE, notice, plain
from shared.records import CheckpointState, CheckpointStatus, Status

SHOWN = 20
"""Causes that are written out, of each kind."""
STATE_WORDS = {
    CheckpointState.INCOMPLETE: "being written",
    CheckpointState.QUEUED: "waits",
    CheckpointState.RUNNING: "running",
    CheckpointState.DONE: "done",
    CheckpointState.RETRYING: "will be tried again",
    CheckpointState.QUARANTINED: "failed",
    CheckpointState.REJECTED: "refused",
    CheckpointState.SKIPPED: "left out",
    CheckpointState.GONE: "deleted before it was analysed",
}


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    status = frame.snapshot.status
    if status is None:
        _no_analyzer(frame.snapshot)
        return
    frame.watched.add(live.HEARTBEAT)
    _assumed(frame, status)
    _numbers(status, frame.now)
    _running(status, frame.now)
    _failed(frame.snapshot, status)
    _lost(status)
    _queue(status)
    _all(frame.snapshot, status)
    _commands(frame.snapshot)


def _no_analyzer(snapshot: Snapshot) -> None:
    with notice("note", "No analyzer has looked at this run yet", "none"):
        st.markdown("Start one beside the training, on this machine or on another that sees the same files:")
        st.code(command("watch", snapshot.run), language=None)


def _assumed(frame: Frame, status: Status) -> None:
    """What nobody said of this run, but for what an alert above says already."""
    said = {found.sentence for found in frame.facts.notices}
    for number, sentence in enumerate(each for each in status.assumed if each not in said):
        with notice("note", "Assumed", f"assumed{number}", row=len(sentence) <= ONE_LINE):
            plain(sentence, f"assumed{number}")


def _lost(status: Status) -> None:
    """Checkpoints that were deleted before they were analysed; what keeps the next ones is an alert above."""
    lost = [row for row in status.checkpoints if row.state == CheckpointState.GONE]
    if not lost:
        return
    st.subheader("Deleted before they were analysed")
    for row in lost[-SHOWN:]:
        _cause(row, "Lost", "warning")
    if len(lost) > SHOWN:
        st.caption(f"These are the last {SHOWN} of {len(lost)}; all of them stand in the table below.")


def _numbers(status: Status, now: float) -> None:
    count = {state: sum(row.state == state for row in status.checkpoints) for state in CheckpointState}
    bad = count[CheckpointState.QUARANTINED] + count[CheckpointState.REJECTED]
    state = "gone" if status.is_gone(now) else status.state
    numbers = (
        ("Analyzer", state, f"heartbeat {ago(now - status.heartbeat_at)}, every {status.interval_s:g} s"),
        (
            "Done",
            f"{count[CheckpointState.DONE]} of {len(status.checkpoints)}",
            "checkpoints with every wanted result",
        ),
        ("Waiting", str(len(queue(status))), f"policy {status.policy}, slot {status.slot}"),
        (
            "Behind the trainer",
            ago(status.lag_s, "") if status.lag_checkpoints else "nothing",
            "age of the oldest one to do",
        ),
        ("Failed or refused", str(bad), "why stands below" if bad else "none"),
    )
    for number, (column, (label, value, note)) in enumerate(zip(st.columns(len(numbers)), numbers, strict=True)):
        with column, st.container(border=True, height="stretch"):
            st.metric(label, value)
            plain(note, f"number{number}", "muted")


def _running(status: Status, now: float) -> None:
    running = status.running
    if running is None or status.is_gone(now) or status.state != "running":
        return
    with notice("running", "Running now", "running"):
        since = f"since {clock(running.started_at)} ({ago(now - running.started_at, '')})"
        count = f": {running.done} of {running.total}" if running.total > 0 else ""
        plain(f"{running.analysis} of {running.checkpoint}{count}, {since}", "running")
        if running.total > 0:
            st.progress(min(1.0, max(0.0, running.done / running.total)))


def _failed(snapshot: Snapshot, status: Status) -> None:
    failed = [row for row in status.checkpoints if row.state == CheckpointState.QUARANTINED]
    refused = [row for row in status.checkpoints if row.state == CheckpointState.REJECTED]
    if failed:
        st.subheader("Failed")
        for row in failed[:SHOWN]:
            _cause(row, f"Failed after {plural(row.attempts, 'attempt')}", "error")
        st.markdown("When the cause is gone, try all of them again:")
        st.code(command("retry", snapshot.run), language=None)
    if refused:
        st.subheader("Refused")
        for row in refused[:SHOWN]:
            _cause(row, "Refused", "warning")


def _cause(row: CheckpointStatus, words: str, kind: str) -> None:
    with notice(kind, words, f"cause-{row.step}", row=True):
        plain(f"{row.checkpoint}: {row.cause or 'no cause given'}", f"cause-{row.step}")


def _queue(status: Status) -> None:
    rows = queue(status)
    if not rows:
        return
    st.subheader("Queue")
    st.dataframe(
        [
            {
                "place": place,
                "checkpoint": row.checkpoint,
                "epoch": row.epoch,
                "state": STATE_WORDS[row.state],
                "still to do": ", ".join(row.missing),
                "next attempt": clock(row.retry_at) if row.retry_at else "",
                "cause": row.cause or "",
            }
            for place, row in enumerate(rows, 1)
        ],
        hide_index=True,
        alt="The checkpoints that wait, in the order they will run",
    )


def _all(snapshot: Snapshot, status: Status) -> None:
    st.subheader("All checkpoints")
    rows = {row.checkpoint: row for row in status.checkpoints}
    st.dataframe(
        [
            {
                "checkpoint": view.name,
                "epoch": view.epoch,
                "state": STATE_WORDS[rows[view.name].state] if view.name in rows else "not seen by the analyzer",
                "results": ", ".join(sorted(view.results)),
                "attempts": rows[view.name].attempts if view.name in rows else 0,
                "on disk": view.on_disk,
                "cause": (rows[view.name].cause or "") if view.name in rows else "",
            }
            for view in reversed(snapshot.checkpoints)
        ],
        hide_index=True,
        alt="Every checkpoint of the run with its state and results, newest first",
    )


def _commands(snapshot: Snapshot) -> None:
    with st.expander("Commands for this run", icon=":material/terminal:"):
        for words, line in (
            ("Analyse the last checkpoint again", command("analyze", snapshot.run, "--last", "1", "--force")),
            ("Try failed checkpoints again", command("retry", snapshot.run)),
            ("What runs, waits and failed, in a terminal", command("status", snapshot.run)),
            ("Check permissions, memory and watches", command("doctor", snapshot.run)),
        ):
            st.caption(words)
            st.code(line, language=None)
