"""The page *Analyzer*: what went wrong and what to do about it, what runs, how far it is behind, then all of it."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import live
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import command, queue
from dashboard.reading.passages import passages
from dashboard.reading.snapshot import Snapshot
from dashboard.reading.words import ago, clock, plural
from dashboard.screens.service_exceptions import exceptions, for_one
from dashboard.screens.service_requests import requests
from dashboard.screens.service_tables import everything, waiting
from dashboard.widgets.drawing import ONE_LINE, notice, plain
from dashboard.widgets.panels import show_panels
from shared.figures.run.timeline import timeline_figure
from shared.records import CheckpointState, Status
from shared.views import Panel

HOW_TO_READ = (
    "How to read: the distance between the two stairs is how far the analyzer lags behind the trainer, across in "
    "time and upwards in checkpoints. Times are those of the files, Unix seconds in the table."
)


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    frame.watched.add(live.REQUESTS)
    status = frame.snapshot.status
    if status is None:
        _no_analyzer(frame.snapshot)
        requests(frame)
        return
    frame.watched.add(live.HEARTBEAT)
    exceptions(frame, status)
    _assumed(frame, status)
    _numbers(status, frame.now)
    _running(status, frame.now)
    requests(frame)
    _timeline(frame.snapshot, status)
    for_one(frame)
    waiting(status)
    everything(frame.snapshot, status)
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


def _numbers(status: Status, now: float) -> None:
    count = {state: sum(row.state == state for row in status.checkpoints) for state in CheckpointState}
    bad = count[CheckpointState.QUARANTINED] + count[CheckpointState.REJECTED]
    state = "gone" if status.is_gone(now) else status.state
    left_out = count[CheckpointState.SKIPPED]
    done = "checkpoints with every wanted result" + (f"; {left_out} left out" if left_out else "")
    numbers = (
        ("Analyzer", state, f"heartbeat {ago(now - status.heartbeat_at)}, every {status.interval_s:g} s"),
        ("Done", f"{count[CheckpointState.DONE]} of {len(status.checkpoints) - left_out}", done),
        ("Waiting", str(len(queue(status))), f"policy {status.policy}, slot {status.slot}"),
        ("Behind the trainer", *behind(status)),
        ("Failed or refused", str(bad), "why stands above" if bad else "none"),
    )
    for number, (column, (label, value, note)) in enumerate(zip(st.columns(len(numbers)), numbers, strict=True)):
        with column, st.container(border=True, height="stretch"):
            st.metric(label, value)
            plain(note, f"number{number}", "muted")


def behind(status: Status) -> tuple[str, str]:
    """How far the analyzer is behind the trainer: a number, and the words below it."""
    if not status.lag_checkpoints:
        return "nothing", "everything that was saved is analysed"
    many = plural(status.lag_checkpoints, "checkpoint")
    are = "is" if status.lag_checkpoints == 1 else "are"
    return ago(status.lag_s, ""), f"{many} {are} saved and not analysed, the oldest for {ago(status.lag_s, '')}"


def _running(status: Status, now: float) -> None:
    if not status.in_work or status.is_gone(now) or status.state != "running":
        return
    with notice("running", "Running now", "running"):
        for running in status.in_work:
            since = f"since {clock(running.started_at)} ({ago(now - running.started_at, '')})"
            count = f": {running.done} of {running.total}" if running.total > 0 else ""
            plain(f"{running.analysis} of {running.checkpoint}{count}, {since}", "running")
            if running.total > 0:
                st.progress(min(1.0, max(0.0, running.done / running.total)))


def _timeline(snapshot: Snapshot, status: Status) -> None:
    """When checkpoints were saved and analysed; nothing before one is."""
    found = passages(snapshot)
    done = sum(passage.analysed is not None for passage in found)
    if not done:
        return
    saved = sum(passage.saved is not None for passage in found)
    title = f"{done} of {plural(len(found), 'checkpoint')} analysed"
    said = f"{title}; when {saved} of them were saved is known. {'. '.join(behind(status))}."
    rows = [{"checkpoint": each.label, "saved": each.saved, "analysed": each.analysed} for each in found]
    panel = Panel("timeline", title, timeline_figure(found, title), HOW_TO_READ, said, rows, claims=False)
    show_panels([panel], lambda: [panel], "timeline")


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
