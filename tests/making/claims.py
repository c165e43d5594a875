"""One of several processes that all want the same leases."""

from __future__ import annotations

import uuid
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from analyzer.supervisor.lease import Lease

LIMIT_S = 60.0


def claim_all(paths: list[Path], now: float, barrier: Barrier, results: Queue[tuple[str, list[bool]]]) -> None:
    """Reach for each lease at the same moment as the others; puts our name and which ones we got.

    An owner is "name-number", the number being the lease's.
    """
    name, won = uuid.uuid4().hex, []
    for number, path in enumerate(paths):
        lease = Lease(path, owner=f"{name}-{number}")
        barrier.wait(LIMIT_S)
        won.append(lease.hold(now) is None)
    results.put((name, won))
