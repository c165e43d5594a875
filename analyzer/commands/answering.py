"""A request from the command line, to its answer: filed, and answered by the analyzer that has the run, or here.

The code that answers is the same: where no analyzer has the run, a supervisor of our own takes the request from the
folder, does nothing else, and ends.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid

from analyzer.commands.needed import NEEDED, require
from analyzer.commands.progress_line import RequestProgress, on_terminal
from analyzer.commands.settings import JudgeSettings
from analyzer.commands.stopping import stopping
from analyzer.supervisor.lease import holder
from analyzer.supervisor.own_place import open_own_place
from shared.errors import MidwatchError, SchemaError, UsageError
from shared.logs import entry
from shared.requests.folder import file_request, state_of, withdraw
from shared.requests.record import Analyze, Ask, RequestState
from shared.run import Run, command
from shared.status_file import read_status

logger = logging.getLogger(__name__)

LOOK_S = 0.2
"""Seconds between two looks at what became of a request."""


def answered(run: Run, what: Ask | Analyze, settings: JudgeSettings) -> RequestState:
    """File a request and wait until it is answered, here where nobody else does it.

    Raises MidwatchError where it cannot be filed, or no worker can start; KeyboardInterrupt when stopped, having
    said what becomes of the request.
    """
    open_own_place(run)
    name = file_request(run, what, session=f"cli-{uuid.uuid4().hex[:12]}").id
    stopped = threading.Event()
    with (
        stopping(stopped.set),
        RequestProgress(enabled=on_terminal()) as show,
    ):
        while True:
            state = state_of(run, name)
            if state is None or state.final:
                break
            if holder(run.lease, time.time()) is None:
                _answer_here(run, name, settings, stopped)
            else:
                _tell(run, name, show)
                if stopped.wait(LOOK_S):
                    _say_how_to_fetch(run, name)
            if stopped.is_set():
                raise KeyboardInterrupt
    if state is None:
        raise MidwatchError(f"The request {name} was taken away before it was answered; ask again.")
    return state


def _answer_here(run: Run, name: str, settings: JudgeSettings, stopped: threading.Event) -> None:
    """Be the analyzer for as long as requests wait. Another one that comes first is waited for."""
    require(*NEEDED)
    from analyzer.engines.local import LocalEngine
    from analyzer.supervisor.loop import Supervisor

    plan = settings.plan(once=True, asked_only=True, selected=frozenset())
    engine = LocalEngine(settings.worker_options(), settings.timeout, wake=lambda: supervisor.woken.set())
    out = None if run.out == run.path else run.out
    supervisor = Supervisor([run.path], plan, engine, out)

    def stop() -> None:
        stopped.set()
        supervisor.stop()

    try:
        with stopping(stop):
            supervisor.run()
    except MidwatchError:
        if holder(run.lease, time.time()) is None:
            withdraw(run, name, time.time())
            raise
    if stopped.is_set():
        withdraw(run, name, time.time())


def _tell(run: Run, name: str, show: RequestProgress) -> None:
    """Where a request is that another analyzer has: on a terminal a line, else what changed."""
    try:
        status = read_status(run.status)
    except (OSError, SchemaError):
        return
    mine = next((each for each in status.requests if each.id == name), None)
    if mine is None:
        told = "waits to be seen by the analyzer"
    elif running := next((each for each in status.in_work if each.request == name), None):
        share = f" {running.done}/{running.total}" if running.total else ""
        told = f"runs on {running.checkpoint} ({mine.done + 1} of {mine.total}): {running.analysis}{share}"
    else:
        told = f"waits, place {mine.place} in the queue{f' ({mine.cause})' if mine.cause else ''}"
    if show.tell(told):
        extra = entry("request_waits", run=run.name, request=name, cause=told)
        logger.info("%s %s", name, told, extra=extra)


def _say_how_to_fetch(run: Run, name: str) -> None:
    """What becomes of a request for which somebody stops waiting."""
    told = f"The request {name} stays with the analyzer: the same command fetches its answer later"
    extra = entry("request_left", run=run.name, request=name)
    logger.warning("%s, `%s` stops it.", told, command("cancel", run, name), extra=extra)


def raise_for(state: RequestState) -> None:
    """Raises UsageError for a refused request, MidwatchError for one that failed or was cancelled."""
    if state.state == "refused":
        raise UsageError(state.sentence)
    if state.state == "failed":
        raise MidwatchError(state.sentence)
    if state.state == "cancelled":
        raise MidwatchError(f"The request {state.id} was cancelled.")
