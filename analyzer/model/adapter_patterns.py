"""An adapter's patterns are tried on its base's modules before PEFT does it, which waits as long as it takes.

PEFT matches them against every module's name. What a pattern looks like does not tell how long that takes
(`.*.*.*.*.*!` takes n^5 steps), so they are run, for a limited time of this process's own.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from analyzer.checkpoints.adapter_settings import patterns_of
from analyzer.checkpoints.file_names import ADAPTER_CONFIG
from shared.errors import CheckpointRejected
from shared.files import read_json

LIMIT_S = 5.0
"""Seconds of this process's computing for all patterns on all names; those of people take milliseconds."""


class _TooLong(Exception):
    """The time is up."""


def check_patterns(directory: Path, names: Iterable[str], limit_s: float = LIMIT_S) -> None:
    """Raise CheckpointRejected ("bad_config") where its patterns take longer than `limit_s` on `names`."""
    patterns = list(patterns_of(read_json(directory / ADAPTER_CONFIG)))
    tried = ""
    try:
        with _limited(limit_s):
            for field, pattern in patterns:
                tried = field
                wanted = re.compile(rf"(?:.*\.)?(?:{pattern})$")  # PEFT's longest form
                for name in names:
                    wanted.match(name)
    except _TooLong:
        raise CheckpointRejected(
            "bad_config",
            f"{directory.name}/{ADAPTER_CONFIG} has a pattern in {tried} that takes for ever on the names of its "
            "base model's modules; name the modules instead.",
        ) from None


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Inside, _TooLong is raised after so many seconds of computing; not where signals cannot be had."""
    if not hasattr(signal, "ITIMER_VIRTUAL") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise _TooLong
