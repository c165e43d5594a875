"""One analyzer a run: a lease file with a heartbeat. It only avoids double work; the first commit of a result wins.

A lease ends when its owner lets go, when its heartbeat is older than `TIME_TO_LIVE_S`, or at once when its owner
was a process of this machine that no longer exists. Of those who find one that has ended, exactly one breaks it: a
guard file lets one at a time look again, and remove only the very record that has ended.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from platform import node

import psutil

from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.own_folders import make_directory
from shared.records import Frozen

HEARTBEAT_S = 10.0
TIME_TO_LIVE_S = 60.0


class LeaseRecord(Frozen):
    """lease.json."""

    schema_version: int = 1
    owner: str
    pid: int
    process_started_at: float
    """Unix time; tells a process from a later one with the same id."""
    host: str
    heartbeat_at: float
    """Unix time, seconds."""


UNREADABLE = LeaseRecord(owner="", pid=0, process_started_at=0.0, host="", heartbeat_at=0.0)
"""A lease that nobody can read: nobody renews it, so it has ended."""


@dataclass
class Lease:
    """This analyzer's claim on one run."""

    path: Path
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    _renewed_at: float | None = None

    def hold(self, now: float) -> LeaseRecord | None:
        """Take or keep the lease: None when it is ours, else whose it is. Raises OSError when it cannot be written.

        Cheap to call often: the file is looked at every `HEARTBEAT_S`.
        """
        if self._renewed_at is not None and 0 <= now - self._renewed_at < HEARTBEAT_S:
            return None
        other = self.read()
        if other is None:
            if self._create(now):
                return None
            other = self.read()
        if other is not None and other.owner != self.owner:
            self._renewed_at = None
            if _is_alive(other, now) or not self._break(other, now) or not self._create(now):
                return self.read() or other
            return None
        write_record(self.path, self._record(now), durable=False)
        self._renewed_at = now
        return None

    def release(self) -> None:
        """Let go; nothing happens when the lease is somebody else's."""
        other = self.read()
        if other is not None and other.owner == self.owner:
            self.path.unlink(missing_ok=True)
        self._renewed_at = None

    def read(self) -> LeaseRecord | None:
        """What the file says; None when there is none."""
        try:
            return read_record(self.path, LeaseRecord)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except SchemaError:
            return UNREADABLE

    def _create(self, now: float) -> bool:
        """Claim a free lease; False when somebody was faster. Written aside and linked, so never seen half."""
        make_directory(self.path.parent)
        aside = self.path.with_name(f".lease.{self.owner}")
        try:
            aside.write_text(json.dumps(self._record(now).model_dump()), encoding="utf-8")
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

    def _record(self, now: float) -> LeaseRecord:
        started = psutil.Process().create_time()
        return LeaseRecord(
            owner=self.owner, pid=os.getpid(), process_started_at=started, host=node(), heartbeat_at=now
        )


def holder(path: Path, now: float) -> LeaseRecord | None:
    """Whose live lease a file is; None where nobody has the run. Nothing is changed."""
    other = Lease(path).read()
    return other if other is not None and _is_alive(other, now) else None


def _is_alive(other: LeaseRecord, now: float) -> bool:
    """Whether the owner may still be at work."""
    if abs(now - other.heartbeat_at) > TIME_TO_LIVE_S:
        return False
    if other.host != node():
        return True  # another machine or container: only time can tell
    try:
        return abs(psutil.Process(other.pid).create_time() - other.process_started_at) < 1.0
    except psutil.Error:
        return False
