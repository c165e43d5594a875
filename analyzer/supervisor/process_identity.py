"""Which process an analyzer is, so that another one can see whether it still lives.

A process id alone is given again and again, every container has its own, and two machines may share a name. Linux
tells them apart by the boot of the kernel, the namespace in which ids are counted, and the tick at which a process
began; none of these moves with the wall clock.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
STARTED = 19
"""Place of `starttime` in /proc/PID/stat, counted behind the name in parentheses (proc(5))."""


class Seen(NamedTuple):
    """Where ids are counted; empty texts where the system does not tell."""

    boot: str
    namespace: str


def here() -> Seen:
    """The boot and the namespace of this process."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return Seen(boot, os.readlink(PROC / "self/ns/pid"))  # noqa: PTH115 (no path: a name like pid:[4026531836])
    except OSError:
        return Seen("", "")


def started_tick(pid: int) -> int | None:
    """When a process of this namespace began, clock ticks since the boot; None for none, and for a zombie."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[STARTED])
