"""Where a page's requests go out: filed by the code, and within the bounds, of the command line."""

from __future__ import annotations

import os
import time
import uuid

import streamlit as st

from dashboard.reading.asking import analyzer_there
from dashboard.reading.snapshot import Snapshot
from shared.errors import MidwatchError
from shared.requests.folder import file_request, withdraw
from shared.requests.record import Analyze, Ask, Cancel, Retry
from shared.run import Run


def session() -> str:
    """The session's own word, by which the analyzer bounds how fast it asks."""
    if "session" not in st.session_state:
        st.session_state["session"] = f"dashboard-{uuid.uuid4().hex[:12]}"
    return st.session_state["session"]


def why_not(run: Run) -> str:
    """Why nothing can be filed in a run; empty where it can."""
    try:
        run.refuse_links()
    except MidwatchError as error:
        return str(error)
    place = next((each for each in (run.requests, run.midwatch, run.out) if each.exists()), None)
    if place is None:
        return f"{run.out} is not there any more."
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} cannot be written by the dashboard, so nothing can be asked of the analyzer from here."
    return ""


def file(run: Run, what: Ask | Analyze | Retry | Cancel) -> tuple[str, str]:
    """File a request of this session; returns what `filed_by` does."""
    return filed_by(session(), run, what)


def filed_by(asker: str, run: Run, what: Ask | Analyze | Retry | Cancel) -> tuple[str, str]:
    """File a request; returns its id, and the sentence that says why it is not filed, one of them empty."""
    if not run.path.is_dir():
        return "", f"{run.name} was deleted or moved, so nothing can be asked of it."
    try:
        return file_request(run, what, session=asker).id, ""
    except MidwatchError as error:
        return "", str(error)
    except OSError as error:
        return "", f"{run.requests} cannot be written ({error.strerror}), so nothing was asked."


def take_back(snapshot: Snapshot, name: str) -> str:
    """Cancel a request, whoever has it; returns why it cannot be, or nothing."""
    now = time.time()
    if analyzer_there(snapshot.status, now):
        return file(snapshot.run, Cancel(request=name))[1]
    try:
        withdraw(snapshot.run, name, now)
    except (MidwatchError, OSError) as error:
        return f"The request cannot be taken back: {error}"
    return ""
