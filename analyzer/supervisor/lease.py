"""One analyzer a run: a lease file with a heartbeat. Each commit looks at it (`shared/lease_check.py`), and of two
commits of one result the first wins.

A lease ends when its owner lets go, at once when its owner was a process that we would see (`process_identity.py`)
and that no longer exists, or when whoever waits has seen the same heartbeat for `TIME_TO_LIVE_S` of a clock that
nobody sets: neither a clock that is set nor a machine that wakes takes it from an owner who lives. Who comes once
cannot wait: of an owner on another machine, and of no other, the wall clock is believed (`hurried`).

Of those who find one that has ended, exactly one breaks it: a guard file lets one at a time look again, and remove
only the very record that has ended.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from platform import node

import psutil
from pydantic import Field, ValidationError

from analyzer.supervisor.process_identity import here, started_tick
from shared.errors import SchemaError
from shared.files import read_bytes
from shared.own_folders import make_directory, open_beneath
from shared.records import Frozen

HEARTBEAT_S = 10.0
TIME_TO_LIVE_S = 60.0
LENGTH = 1024
"""Bytes of a lease, filled up with spaces: a new heartbeat takes the place of the old one in a single write."""
LARGEST = 2**16
"""Bytes that are read of one at most."""
LOOKS = 2
"""How often it is looked at in one go, where others break and take it meanwhile."""


class LeaseRecord(Frozen):
    """lease.json."""

    schema_version: int = 1
    owner: str
    pid: int = Field(ge=0, lt=2**31)
    process_started_at: float
    """Unix time; tells a process from a later one with the same id."""
    host: str
    heartbeat_at: float
    """Unix time, seconds."""
    boot: str = ""
    """Of the kernel that the owner runs on; empty where the system does not tell."""
    namespace: str = ""
    """In which `pid` counts: another container has another one."""
    started_tick: int | None = None
    """When the owner began, ticks since the boot."""


UNREADABLE = LeaseRecord(owner="", pid=0, process_started_at=0.0, host="", heartbeat_at=0.0)
"""A lease that nobody can read: nobody renews it, so it has ended."""


@dataclass
class Lease:
    """This analyzer's claim on one run."""

    path: Path
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Another one each time it is taken: what was begun under it before it was lost is not ours again."""
    hurried: bool = False
    """Of who comes once: of an owner elsewhere, a heartbeat that is old by the wall clock is enough."""
    ticks: Callable[[], float] = time.monotonic
    """Seconds of a clock that nobody sets, and that stands while the machine sleeps."""
    _renewed_at: float | None = None
    _seen: tuple[LeaseRecord, float] | None = None
    """Another's lease as it was seen last, and since when, in ticks."""

    def hold(self, now: float) -> LeaseRecord | None:
        """Take or keep the lease: None when it is ours, else whose it is. Raises OSError when it cannot be written.

        Cheap to call often: the file is looked at every `HEARTBEAT_S`.
        """
        if self._renewed_at is not None and 0 <= now - self._renewed_at < HEARTBEAT_S:
            return None
        for _ in range(LOOKS):
            other = self.read()
            if other is None:
                if self._create(now):
                    return None
                other = self.read()
            if other is not None and other.owner != self.owner:
                self._renewed_at = None
                if not self._has_ended(other, now) or not self._break(other, now) or not self._create(now):
                    return self.read() or other
                return None
            if self._renew(now):
                self._renewed_at = now
                return None
        self._renewed_at = None  # broken between two looks, each time
        return self.read() or UNREADABLE

    def release(self) -> None:
        """Let go; nothing happens when the lease is somebody else's."""
        if self.is_ours:
            self.path.unlink(missing_ok=True)
        self._renewed_at = None

    def doubt(self) -> None:
        """Somebody saw another's name in it: the next `hold` looks."""
        self._renewed_at = None

    @property
    def is_ours(self) -> bool:
        """What the file says at this moment; `hold` believes it for `HEARTBEAT_S`."""
        other = self.read()
        return other is not None and other.owner == self.owner

    def read(self) -> LeaseRecord | None:
        """What the file says; None when there is none."""
        try:
            return _parsed(read_bytes(self.path, LARGEST))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except SchemaError:
            return UNREADABLE

    def _create(self, now: float) -> bool:
        """Claim a free lease; False when somebody was faster. Written aside and linked, so never seen half."""
        make_directory(self.path.parent)
        self.owner = uuid.uuid4().hex
        aside = self.path.with_name(f".lease.{self.owner}")
        try:
            aside.write_text(self._text(now), encoding="utf-8")
            try:
                os.link(aside, self.path)
            except FileExistsError:
                return False
            except OSError:  # a filesystem without hard links: a plain rename, and first-commit-wins for the rest
                aside.replace(self.path)
        finally:
            aside.unlink(missing_ok=True)
        self._renewed_at = now
        return True

    def _renew(self, now: float) -> bool:
        """Write a heartbeat into the very file that is ours; False when it is not any more. Raises OSError.

        A rename over it would take it back from whoever broke it while we were stopped just here; what is written
        into a file that was removed meanwhile is nowhere. It is one write, no shorter than what stood there.
        """
        try:
            descriptor = open_beneath(self.path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return False
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            before = file.read(LARGEST) or b""
            if _parsed(before).owner != self.owner:
                return False
            file.seek(0)
            file.write(self._text(now).ljust(len(before)).encode("utf-8"))
        return True

    def _has_ended(self, other: LeaseRecord, now: float) -> bool:
        """Whether another's lease may be broken: its owner is gone, or has been silent for as long as we looked."""
        if other == UNREADABLE:
            return True
        lives = _process_lives(other)
        if lives is False or (lives is None and self.hurried and _is_old(other, now)):
            return True
        tick = self.ticks()
        if self._seen is None or self._seen[0] != other:
            self._seen = (other, tick)
        return tick - self._seen[1] > TIME_TO_LIVE_S

    def _break(self, other: LeaseRecord, now: float) -> bool:
        """Remove a dead analyzer's lease; False when somebody else has just done so, or is about to."""
        if not self._enter_guard(now):
            return False
        try:
            if self.read() != other:  # somebody else's by now, or its owner woke up
                return False
            self.path.unlink(missing_ok=True)
            return True
        finally:
            self._guard.unlink(missing_ok=True)

    @property
    def _guard(self) -> Path:
        return self.path.with_name(".lease.breaking")

    def _enter_guard(self, now: float) -> bool:
        """Make the guard file; False when there is one. One left by a killed analyzer is removed for next time."""
        try:
            self._guard.open("x").close()
            return True
        except FileExistsError:
            with suppress(FileNotFoundError):  # its owner is through
                if abs(now - self._guard.lstat().st_mtime) > TIME_TO_LIVE_S:
                    self._guard.unlink()
            return False

    def _text(self, now: float) -> str:
        """The record as JSON, always of one length."""
        return json.dumps(self._record(now).model_dump()).ljust(LENGTH)

    def _record(self, now: float) -> LeaseRecord:
        place = here()
        return LeaseRecord(
            owner=self.owner,
            pid=os.getpid(),
            process_started_at=psutil.Process().create_time(),
            host=node(),
            heartbeat_at=now,
            boot=place.boot,
            namespace=place.namespace,
            started_tick=started_tick(os.getpid()),
        )


def _parsed(data: bytes) -> LeaseRecord:
    """What the bytes of a lease say, to whoever looks at it and to whoever renews it."""
    try:
        found = LeaseRecord.model_validate_json(data)
    except ValidationError:
        return UNREADABLE
    return found if found.schema_version <= UNREADABLE.schema_version else UNREADABLE


def holder(path: Path, now: float) -> LeaseRecord | None:
    """Whose lease a file is, as far as one look tells; None where nobody has the run. Nothing is changed."""
    other = Lease(path).read()
    if other is None or other == UNREADABLE or _process_lives(other) is False:
        return None
    ahead = other.heartbeat_at > now and _process_lives(other)  # the clock was set back: its owner renews it
    return other if ahead or not _is_old(other, now) else None


def _is_old(other: LeaseRecord, now: float) -> bool:
    return abs(now - other.heartbeat_at) > TIME_TO_LIVE_S


def _process_lives(other: LeaseRecord) -> bool | None:
    """Whether the owner's process exists; None where it counts elsewhere: another machine or container."""
    if other.boot and other.started_tick is not None:
        if (other.boot, other.namespace) != here():
            return None
        return started_tick(other.pid) == other.started_tick
    if other.host != node():
        return None
    try:
        return abs(psutil.Process(other.pid).create_time() - other.process_started_at) < 1.0
    except psutil.Error:
        return False
