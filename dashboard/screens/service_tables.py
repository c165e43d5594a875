"""The queue, and every checkpoint with its state, as tables."""

from __future__ import annotations

import streamlit as st

from dashboard.reading.condition import queue
from dashboard.reading.snapshot import Snapshot
from dashboard.reading.words import clock
from shared.records import CheckpointState, Status

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


def waiting(status: Status) -> None:
    """The checkpoints that wait; nothing where none does."""
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


def everything(snapshot: Snapshot, status: Status) -> None:
    """Every checkpoint."""
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
