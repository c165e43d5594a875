"""The desk of one run: takes requests in, keeps their order, and writes down what became of each.

A request's way: filed -> accepted (waiting) or refused -> running -> done, failed or cancelled. Each step is on
disk before the next begins, the request's own file goes last, and everything is found anew at each scan: wherever
the analyzer is killed, the next one goes on from there, and no file is answered twice.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.supervisor.retrying import forget_failures
from shared.errors import RequestRefused, RunError, UsageError
from shared.logs import entry
from shared.own_folders import list_directory
from shared.records import RequestStatus
from shared.requests.folder import (
    MAX_WAITING,
    SUFFIX,
    checked_probes,
    entries,
    path_of,
    read_request,
    read_state,
    write_state,
)
from shared.requests.record import (
    REQUEST_ID,
    Analyze,
    Ask,
    Cancel,
    Request,
    RequestedCheckpoint,
    RequestState,
    Retry,
)
from shared.run import Run

logger = logging.getLogger(__name__)

RATE, RATE_S = 60, 60.0
"""Requests that one session may file in as many seconds."""
LOOKED_AT = 4 * MAX_WAITING
"""Files that one scan looks at, at most."""
KEPT = 1000
"""Answered requests that are still told of."""


@dataclass
class Desk:
    """What was asked of one run and is not answered yet."""

    run: Run
    open: dict[str, RequestState] = field(default_factory=dict)
    """By id, in the order they were taken in."""
    _left: dict[str, int] = field(default_factory=dict)
    """Names of refused things that cannot be taken away, and of when they are."""
    _rates: dict[str, deque[float]] = field(default_factory=dict)
    """Session -> Unix times at which its last requests were taken in."""

    def take_in(self, now: float) -> None:
        """Look at the folder: accept what is new, answer at once what needs no worker, forget what was taken back.

        Raises OSError where the folders cannot be written, LinkInTheWay among it.
        """
        found = self._found()
        there = {name for _, name in found}
        for name in [name for name in self.open if f"{name}{SUFFIX}" not in there]:
            self.end(name, "cancelled", "Its file was taken away before it was answered.", now)
        for filed, name in found:
            self._take(filed, name, now)

    def _found(self) -> list[tuple[int, str]]:
        """When each file was written, ns, and its name; the oldest first."""
        found = []
        for each in itertools.islice(entries(self.run), LOOKED_AT):
            try:
                found.append((each.stat(follow_symlinks=False).st_mtime_ns, each.name))
            except OSError:  # gone just now
                continue
        return sorted(found)

    def _take(self, filed: int, name: str, now: float) -> None:
        """One file."""
        request_id = name.removesuffix(SUFFIX)
        if request_id in self.open or self._left.get(name) == filed:
            return
        before = read_state(self.run, request_id) if REQUEST_ID.fullmatch(request_id) else None
        if before is not None and before.final and before.filed_ns == filed:  # killed before its file was removed
            self._remove(name, filed)
            return
        request = None
        try:
            request = read_request(self.run.requests / name)
            self._accept(request, filed, before, now)
        except FileNotFoundError:
            return
        except (RequestRefused, UsageError, RunError) as error:
            if isinstance(error, OSError):
                raise
            self._refuse(name, filed, str(error), now, request)

    def _accept(self, request: Request, filed: int, before: RequestState | None, now: float) -> None:
        """Raises RequestRefused, UsageError or RunError, which say why it is refused."""
        what = request.what
        going_on = before is not None and not before.final and before.filed_ns == filed
        if not going_on and not isinstance(what, Cancel):
            self._bounded(request.session, now)
        state = RequestState(id=request.id, state="waiting", request=request, filed_ns=filed, accepted_at=now)
        if isinstance(what, Cancel):
            self._finish(state, "done", self._cancel(what.request, now), now)
        elif isinstance(what, Retry):
            names = forget_failures(self.run, what.checkpoints)
            told = f"To be tried again: {', '.join(names)}." if names else "Nothing has failed."
            self._finish(state, "done", told, now)
        else:
            if isinstance(what, Analyze) and what.probes:
                self._check_probes(what.probes)
            known = before.checkpoints if before is not None and going_on else []
            self._open(state, known or [RequestedCheckpoint(checkpoint=name) for name in what.checkpoints])

    def _check_probes(self, digest: str) -> None:
        try:
            checked_probes(self.run, digest)
        except FileNotFoundError:
            raise RequestRefused("Its probe file is gone; file the request again.") from None

    def _open(self, state: RequestState, checkpoints: Iterable[RequestedCheckpoint]) -> None:
        self.put(state.model_copy(update={"checkpoints": [_at_rest(each) for each in checkpoints]}))
        extra = entry("request_taken", run=self.run.name, request=state.id)
        logger.info("%s: %s waits", self.run.name, state.id, extra=extra)

    def _bounded(self, session: str, now: float) -> None:
        """Raises RequestRefused where too many wait, or one session asks too fast."""
        if len(self.open) >= MAX_WAITING:
            raise RequestRefused(f"{MAX_WAITING} requests wait already; ask again when some are answered.")
        self._rates = {name: times for name, times in self._rates.items() if times and now - times[-1] < RATE_S}
        times = self._rates.setdefault(session, deque(maxlen=RATE))
        if len(times) == RATE and now - times[0] < RATE_S:
            raise RequestRefused(
                f"More than {RATE} requests of one session in {RATE_S:.0f} s; ask again in a minute."
            )
        times.append(now)

    def _cancel(self, name: str, now: float) -> str:
        """Take a request back; returns what was done. Raises RequestRefused where there is none."""
        if name in self.open:
            self.end(name, "cancelled", "Cancelled.", now)
            return f"{name} is cancelled."
        before = read_state(self.run, name)
        if before is None:
            raise RequestRefused(f"There is no request {name}; `midwatch status` lists those that wait.")
        return f"{name} was {before.state} before."

    def _refuse(self, name: str, filed: int, sentence: str, now: float, request: Request | None) -> None:
        """Answer a file with the sentence that says why it is no request, or why it cannot be done."""
        request_id = name.removesuffix(SUFFIX)
        ours = REQUEST_ID.fullmatch(request_id) is not None
        if not ours:
            request_id = f"refused-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:20]}"
        state = RequestState(
            id=request_id,
            state="refused",
            sentence=sentence,
            request=request,
            file="" if ours else ascii(name)[:300],
            filed_ns=filed,
            accepted_at=now,
            finished_at=now,
        )
        extra = entry("request_refused", run=self.run.name, request=request_id, cause=sentence)
        logger.warning("%s: %s is refused: %s", self.run.name, request_id, sentence, extra=extra)
        write_state(self.run, state)
        self._remove(name, filed)

    def put(self, state: RequestState) -> None:
        """Write down how far an open request is. Raises OSError."""
        write_state(self.run, state)
        self.open[state.id] = state

    def end(self, name: str, state: str, sentence: str, now: float) -> None:
        """An open request is answered, one way or another. Raises OSError."""
        self._finish(self.open[name], state, sentence, now)

    def _finish(self, state: RequestState, name: str, sentence: str, now: float) -> None:
        final: dict[str, object] = {"state": name, "sentence": sentence, "finished_at": now}
        final["checkpoints"] = [_at_rest(each) for each in state.checkpoints]
        write_state(self.run, state.model_copy(update=final))
        self._remove(f"{state.id}{SUFFIX}", state.filed_ns)
        self.open.pop(state.id, None)
        extra = entry("request_ended", run=self.run.name, request=state.id, cause=sentence)
        logger.info("%s: %s is %s. %s", self.run.name, state.id, name, sentence, extra=extra)

    def _remove(self, name: str, filed: int) -> None:
        """Take an answered file away; a directory that stands there stays, and is not looked at again."""
        path = self.run.requests / name
        if path.is_dir() and not path.is_symlink():
            self._left[name] = filed
            return
        path.unlink(missing_ok=True)

    def collect(self, now: float) -> None:
        """Forget what became of requests that were answered long ago; their answers stay.

        What lost its file while no analyzer ran was taken back.
        """
        known = [name for name in list_directory(self.run.requested) if not name.startswith(".")]
        for name in (name.removesuffix(SUFFIX) for name in known):
            state = None if path_of(self.run, name).is_file() else read_state(self.run, name)
            if state is not None and not state.final:
                self._finish(state, "cancelled", "Its file was taken away before it was answered.", now)
        for path in _oldest([self.run.requested / name for name in known], KEPT):
            if path_of(self.run, path.stem).is_file():
                continue
            path.unlink(missing_ok=True)

    def clock_was_set(self, by: float) -> None:
        """Who asked too fast did so by the clock of before."""
        self._rates = {name: deque((at + by for at in times), RATE) for name, times in self._rates.items()}

    def turns(self) -> list[RequestState]:
        """What is open, in the order of its turns: prompts before analyses, each as they came."""
        return sorted(self.open.values(), key=lambda state: not isinstance(_what(state), Ask))

    def statuses(self, running: Collection[str]) -> list[RequestStatus]:
        """What status.json tells of them; `running` are the ids of those that workers have."""
        found, place = [], 0
        for state in sorted(self.turns(), key=lambda state: state.id not in running):
            place += state.id not in running
            left = [each for each in state.checkpoints if each.state in ("waiting", "running")]
            found.append(
                RequestStatus(
                    id=state.id,
                    kind=_what(state).kind,
                    state="running" if state.id in running else "waiting",
                    place=0 if state.id in running else place,
                    cause=next((each.cause for each in left if each.cause), ""),
                    checkpoint=left[0].checkpoint if left else "",
                    done=len(state.checkpoints) - len(left),
                    total=len(state.checkpoints),
                )
            )
        return found


def _what(state: RequestState) -> Ask | Analyze | Retry | Cancel:
    assert state.request is not None  # noqa: S101 (what is open was read)
    return state.request.what


def _at_rest(each: RequestedCheckpoint) -> RequestedCheckpoint:
    """As it is once nobody works on it."""
    return each.model_copy(update={"state": "waiting"}) if each.state == "running" else each


def _oldest(paths: list[Path], kept: int) -> list[Path]:
    """All but the `kept` newest."""
    if len(paths) <= kept:
        return []
    return sorted(paths, key=lambda path: path.stat(follow_symlinks=False).st_mtime_ns)[:-kept]
