"""How often a mirror looks, and when it is done: once, until nothing settles any more, or until it is stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from analyzer.mirror.rounds import Mirroring, Round
from analyzer.mirror.staging import Interrupted, LocalDiskFull
from shared.errors import StorageRefused, reason_of
from shared.logs import entry

logger = logging.getLogger(__name__)

LONGEST_S = 300.0
"""Between two tries while a storage or our own disk refuses."""
MOST_DOUBLINGS = 10
"""Of the wait between two tries."""
NOTHING = Round((), {}, None, 0)


def once(mirroring: Mirroring, stop: threading.Event, after: Callable[[], None]) -> tuple[list[str], Round]:
    """Rounds until nothing more comes by mere quiet: all that was copied, and the last round.

    `after` is called after each. Raises StorageRefused, LocalDiskFull and OSError.
    """
    copied: list[str] = []
    done = NOTHING
    while not stop.is_set():
        try:
            done = mirroring.round(time.time)
            copied += done.copied
            after()
        except Interrupted:
            break
        if done.until is None:
            break
        stop.wait(max(0.1, done.until - time.time()))
    return list(dict.fromkeys(copied)), done


def follow(mirroring: Mirroring, stop: threading.Event, poll_s: float, after: Callable[[], None]) -> list[str]:
    """Rounds until stopped; what a storage or our own disk refuses is said and tried again, ever more rarely."""
    copied: list[str] = []
    refusals, said = 0, ""
    while not stop.is_set():
        until = None
        try:
            done = mirroring.round(time.time)
            copied += done.copied
            after()
            until, refusals, said = done.until, 0, ""
        except Interrupted:
            break
        except (StorageRefused, LocalDiskFull, OSError) as error:
            local = isinstance(error, OSError)
            cause = f"{mirroring.mirror.run.path}: {reason_of(error).rstrip('.')}." if local else str(error)
            if cause != said:
                extra = entry("mirror_refused", run=mirroring.mirror.run.name, cause=cause)
                logger.warning("%s It is tried again.", cause, extra=extra)
            refusals, said = refusals + 1, cause
        wait_s = min(poll_s * 2 ** min(refusals, MOST_DOUBLINGS), max(poll_s, LONGEST_S))
        stop.wait(wait_s if until is None else min(wait_s, max(0.1, until - time.time())))
    return list(dict.fromkeys(copied))
