"""What makes a process a worker: its pipe, its end, and room for others."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
from typing import TextIO

from analyzer.jobs.messages import WorkerOptions

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def own_events() -> TextIO:
    """Keep the pipe that is stdout for events alone; what anybody prints goes to stderr."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def read_jobs(stream: TextIO, jobs: queue.SimpleQueue[str]) -> None:
    """Pass lines on; when the supervisor is gone there is nobody to work for."""
    for line in stream:
        jobs.put(line)
    os._exit(0)


def die_with_parent() -> None:
    """On Linux the kernel ends this process when its supervisor dies, also in the middle of a long computation."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def make_room_for_others(options: WorkerOptions) -> None:
    """Lower priority, fewer threads, and the machine's last cores: the trainer comes first."""
    if options.nice and hasattr(os, "nice"):
        os.nice(options.nice)
    if options.cores is None:
        return
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.cores)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own_cores(sorted(os.sched_getaffinity(0)), options.cores, options.rank))


def own_cores(cores: list[int], count: int, rank: int) -> list[int]:
    """`count` of these cores, from the last ones on down by rank: no two workers share one, as far as they go."""
    end = len(cores) - rank * count
    return cores[max(0, end - count) : end] if end > 0 else cores[-count:]
