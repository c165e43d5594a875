"""Requests on disk: filing one, reading what was filed without trusting it, and what became of it.

    _midwatch/requests/<id>.json              what is asked; gone once it is answered
    _midwatch/requests/probes/<sha256>.jsonl  probe files that requests name
    _midwatch/requested/<id>.json             what became of it, which only the analyzer writes

A reader of both takes `state_of`: what is written of an earlier filing of the same does not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from shared.errors import RequestRefused, SchemaError, UsageError
from shared.files import read_record, write_bytes_atomic, write_record
from shared.own_folders import list_directory, refuse_links
from shared.requests.record import (
    MAX_BYTES,
    REQUEST_ID,
    SCHEMA,
    Analyze,
    Ask,
    Cancel,
    Request,
    RequestState,
    Retry,
    problem_of,
)
from shared.run import Run

MAX_WAITING = 256
"""Requests that may wait in one run."""
MAX_PROBES_BYTES = 8 * 2**20
"""Largest probe file that is put beside the requests, bytes."""
SUFFIX = ".json"
PROBES = "probes"
"""Folder of probe files, in that of the requests."""
TAKEN = frozenset({PROBES})
"""Names in the folder of requests that are none."""


class Filed(NamedTuple):
    """What filing a request did."""

    id: str
    new: bool
    """False where the same request waits already."""


def file_request(
    run: Run, what: Ask | Analyze | Retry | Cancel, session: str = "", now: float | None = None
) -> Filed:
    """Put a request where the analyzer of `run` looks, in one step.

    Raises UsageError where it is too large or too many wait already, OSError where the folder cannot be written.
    """
    filed_at = time.time() if now is None else now
    request = Request(session=session, filed_at=filed_at, what=what)
    data = request.model_dump_json(indent=1).encode()
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"The request is larger than {MAX_BYTES // 2**10} KiB; ask fewer prompts, or shorter ones, at a time."
        )
    path = path_of(run, request.id)
    refuse_links(path)
    if path.is_file():
        return Filed(request.id, new=False)
    if sum(1 for _ in entries(run)) >= MAX_WAITING and not isinstance(what, Cancel):
        raise UsageError(
            f"{MAX_WAITING} requests wait already for the analyzer of {run.name}; wait until some are answered, or "
            "cancel some."
        )
    write_bytes_atomic(path, data)
    return Filed(request.id, new=True)


def keep_probes(run: Run, path: Path) -> str:
    """Put a probe file beside the requests; returns the digest that a request names it by.

    Raises UsageError where it is no JSONL, no regular file or too large.
    """
    if path.suffix.casefold() != ".jsonl":
        raise UsageError(f"The probe file {path} cannot be asked about; write it as JSONL, with text and label.")
    try:
        data = _read_regular(path, MAX_PROBES_BYTES)
    except RequestRefused as error:
        raise UsageError(f"The probe file {path} cannot be used: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    kept = probes_of(run, digest)
    if not kept.is_file():
        write_bytes_atomic(kept, data)
    return digest


def probes_of(run: Run, digest: str) -> Path:
    """Where the probe file of that digest lies."""
    return run.requests / PROBES / f"{digest}.jsonl"


def checked_probes(run: Run, digest: str) -> Path:
    """The probe file of that digest, which holds just that. Raises RequestRefused."""
    path = probes_of(run, digest)
    refuse_links(path)
    if hashlib.sha256(_read_regular(path, MAX_PROBES_BYTES)).hexdigest() != digest:
        raise RequestRefused("Its probe file was changed since it was put there; file the request again.")
    return path


def path_of(run: Run, name: str) -> Path:
    """The file of a request by its id."""
    return run.requests / f"{name}{SUFFIX}"


def entries(run: Run) -> Iterator[os.DirEntry[str]]:
    """What lies in the folder of requests and is not being written; nothing where there is no folder.

    Raises LinkInTheWay.
    """
    refuse_links(run.requests)
    try:
        with os.scandir(run.requests) as found:
            yield from (entry for entry in found if not entry.name.startswith(".") and entry.name not in TAKEN)
    except (FileNotFoundError, NotADirectoryError):
        return


def read_request(path: Path) -> Request:
    """A request as it was filed; no link is followed. Raises RequestRefused, and FileNotFoundError."""
    name = path.name.removesuffix(SUFFIX)
    if not REQUEST_ID.fullmatch(name) or path.name == name:
        raise RequestRefused("It is not named as requests are; `midwatch ask` and the dashboard file them.")
    request = parse_request(_read_regular(path, MAX_BYTES))
    if request.id != name:
        raise RequestRefused("Its name does not fit what it asks, so it was changed by hand; file it again.")
    return request


def parse_request(data: bytes) -> Request:
    """A request from its bytes. Raises RequestRefused."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise RequestRefused("It is not JSON; file it again.") from None
    version = value.get("schema_version", SCHEMA) if isinstance(value, dict) else SCHEMA
    if isinstance(version, int) and version > SCHEMA:
        raise RequestRefused(
            f"It was filed by a newer Midwatch (version {min(version, 10**6)}, this one reads {SCHEMA}); upgrade "
            "the analyzer."
        )
    try:
        return Request.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise RequestRefused(problem_of(error)) from None


def _read_regular(path: Path, most: int) -> bytes:
    """The bytes of a small regular file, no link followed and no pipe waited for. Raises RequestRefused."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RequestRefused(
            "It is a symbolic link." if path.is_symlink() else f"It cannot be read ({error.strerror})."
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RequestRefused("It is no regular file.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise RequestRefused(f"It is larger than {most // 2**10} KiB.")
    return data


def write_state(run: Run, state: RequestState) -> None:
    """Replace what became of a request. Raises OSError."""
    write_record(run.requested / f"{state.id}{SUFFIX}", state)


def read_state(run: Run, name: str) -> RequestState | None:
    """What the analyzer wrote of a request; None where it wrote nothing that can be read."""
    path = run.requested / f"{name}{SUFFIX}"
    try:
        refuse_links(path)
        return read_record(path, RequestState)
    except (OSError, SchemaError):
        return None


def state_of(run: Run, name: str) -> RequestState | None:
    """What became of a request so far; None where it was never filed. One that nobody has looked at yet waits."""
    filed, state = filed_ns(path_of(run, name)), read_state(run, name)
    if filed is None or (state is not None and (not state.final or state.filed_ns == filed)):
        return state
    try:
        request = read_request(path_of(run, name))
    except (RequestRefused, OSError):
        request = None  # the analyzer will say why
    return RequestState(id=name, state="waiting", request=request)


def all_states(run: Run) -> list[RequestState]:
    """All that was asked of a run, newest first: what waits, and what became of the rest."""
    filed = [entry.name.removesuffix(SUFFIX) for entry in entries(run)]
    known = [name.removesuffix(SUFFIX) for name in list_directory(run.requested) if not name.startswith(".")]
    names = dict.fromkeys([name for name in filed if REQUEST_ID.fullmatch(name)] + known)
    found = [state for name in names if (state := state_of(run, name)) is not None]
    return sorted(found, key=lambda state: -_when(state))


def filed_ns(path: Path) -> int | None:
    """When a request's file was written, ns; None where there is none."""
    try:
        return path.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return None


def withdraw(run: Run, name: str, now: float) -> None:
    """Take back a request while no analyzer has the run: nothing of it goes on."""
    path_of(run, name).unlink(missing_ok=True)
    state = read_state(run, name)
    if state is not None and not state.final:
        told = {"state": "cancelled", "sentence": "Taken back before it was answered.", "finished_at": now}
        write_state(run, state.model_copy(update=told))


def _when(state: RequestState) -> float:
    return state.request.filed_at if state.request is not None else state.accepted_at
