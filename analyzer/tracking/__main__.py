"""The tracking process, `python -m analyzer.tracking`: reads `TrackOptions` from stdin, and ends when that does."""

from __future__ import annotations

import signal
import sys
import threading

from analyzer.tracking.options import TrackOptions
from analyzer.tracking.rounds import Rounds
from shared.logs import set_up


def main() -> None:
    """Follow the runs until whoever started this is gone, then look once more."""
    stopped = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    line = sys.stdin.readline()
    if not line:
        return
    options = TrackOptions.model_validate_json(line)
    set_up(options.log_format, "tracker")
    threading.Thread(target=_wait_for_the_end, args=(stopped,), daemon=True).start()
    rounds = Rounds(options)
    try:
        rounds.follow(stopped)
    finally:
        rounds.close()


def _wait_for_the_end(stopped: threading.Event) -> None:
    while sys.stdin.readline():
        pass
    stopped.set()


if __name__ == "__main__":
    main()
