"""Keeping the page up to date without moving anything under the reader's hands.

One fragment looks at the files' stamps every poll. It draws the analyzer's line in the sidebar, and asks for a
rerun of the page only when something changed that the page shows; so an idle dashboard costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from dashboard.chrome.place import Place
from dashboard.reading import cached
from dashboard.reading.asking import stamps
from dashboard.reading.snapshot import Snapshot
from dashboard.reading.words import ago, plural
from dashboard.widgets.drawing import plain
from shared.records import RunningStatus, Status
from shared.run import Run

Color = Literal["red", "blue", "green", "gray", "orange"]
HEARTBEAT, METRICS, REQUESTS = "heartbeat", "metrics", "requests"
"""What a page may ask to be redrawn for, beside new results and states."""


@dataclass(frozen=True)
class Stamp:
    """Everything a page shows, in a form that is cheap to compare."""

    runs: tuple[str, ...]
    version: int
    exists: bool
    names: tuple[str, ...]
    status: Status | None
    """Without what changes at each heartbeat."""
    gone: bool
    beats: tuple[tuple[str, int], ...]
    """File stamps that count only for pages that watch them."""

    def watching(self, watched: frozenset[str]) -> Stamp:
        """The same, with only those beats that `watched` names."""
        return replace(self, beats=tuple(beat for beat in self.beats if beat[0] in watched))


def stamp_of(runs: Sequence[Run], snapshot: Snapshot | None) -> Stamp:
    """The stamp of this moment."""
    names = tuple(sorted(str(run.out) for run in runs))  # their order moves with every save
    if snapshot is None:
        return Stamp(names, 0, False, (), None, False, ())
    status, run = snapshot.status, snapshot.run
    return Stamp(
        names,
        snapshot.version,
        snapshot.exists,
        tuple(view.name for view in snapshot.checkpoints if view.on_disk),
        status.model_copy(update={"heartbeat_at": 0.0, "lag_s": 0.0, **_core(status)}) if status else None,
        status is not None and status.is_gone(time.time()),
        (
            (HEARTBEAT, cached.stamp(run.status)),
            (METRICS, cached.stamp(run.metrics)),
            *((REQUESTS, stamp) for stamp in stamps(run)),
        ),
    )


def _core(status: Status) -> dict[str, RunningStatus | list[RunningStatus] | None]:
    """What the workers are at, without how far they are."""
    found = [each.model_copy(update={"done": 0}) for each in status.in_work]
    return {"running": found[0] if found else None, "jobs": found}


def keep_watching(place: Place, look: Callable[[], Snapshot | None], shown: Stamp, watched: frozenset[str]) -> None:
    """Start the poller; `shown` is the stamp of what this rerun drew. Call last on a page, inside the container
    where the analyzer's line belongs.
    """

    def poll() -> None:
        snapshot = look()
        if stamp_of(place.runs(), snapshot).watching(watched) != shown.watching(watched):
            st.rerun()
        if snapshot is not None:
            analyzer_line(snapshot, time.time())

    st.fragment(poll, run_every=place.poll_s)()


def analyzer_line(snapshot: Snapshot, now: float) -> None:
    """What the analyzer does now, as chips and a line. The chips' words are ours, the line may quote data."""
    status = snapshot.status
    if status is None:
        st.badge("no analyzer", color="gray", icon=":material/visibility_off:")
        return
    with st.container(horizontal=True, gap="xsmall"):
        word, color = chip(status, now)
        st.badge(word, color=color)
        if status.lag_checkpoints:
            st.badge(f"{plural(status.lag_checkpoints, 'checkpoint')} behind", color="orange")
    plain(activity(status, now), "activity", "muted")


def chip(status: Status, now: float) -> tuple[str, Color]:
    """The analyzer's state as a word and a colour."""
    if status.is_gone(now):
        return "analyzer gone", "red"
    colors: dict[str, Color] = {"running": "blue", "idle": "green", "paused": "red", "stopped": "gray"}
    return f"analyzer {status.state}", colors.get(status.state, "orange")


def activity(status: Status, now: float) -> str:
    """One or two plain lines: what runs, how long, and the age of the heartbeat."""
    lines = []
    works = status.state == "running" and not status.is_gone(now)
    for running in status.in_work if works else []:
        count = f" {running.done}/{running.total}" if running.total else ""
        lines.append(f"{running.analysis}{count} · {running.checkpoint} · {ago(now - running.started_at, '')}")
    if (
        not lines and status.message and (status.is_gone(now) or not (status.remedy or status.state == "paused"))
    ):  # else an alert
        lines.append(status.message)
    lines.append(f"heartbeat {ago(now - status.heartbeat_at)} · {status.device} · {status.suite}")
    return "\n".join(lines)
