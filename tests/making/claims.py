"""One of several processes that all want the same leases."""

from __future__ import annotations

from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from analyzer.supervisor.lease import Lease

LIMIT_S = 60.0


def claim_all(paths: list[Path], now: float, barrier: Barrier, results: Queue[list[str]]) -> None:
    """Reach for each lease at the same moment as the others; puts our names in those that we got, else nothing."""
    won = []
    for path in paths:
        lease = Lease(path, hurried=True)
        barrier.wait(LIMIT_S)
        ours = lease.hold(now) is None
        won.append(lease.owner if ours else "")  # named as it is taken
    results.put(won)
