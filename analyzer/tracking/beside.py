"""The tracking process beside a supervisor, which imports none of what it needs and never waits for it."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from analyzer.tracking.options import TrackOptions
from shared.logs import entry
from shared.processes import NEUTRAL, child_environment, python_command

logger = logging.getLogger(__name__)

GRACE_S = 60.0
"""Seconds that it gets at the end to send what was committed last."""


@contextmanager
def tracking_beside(options: TrackOptions) -> Iterator[subprocess.Popen[str]]:
    """Run it while the block runs. Its stdin says what to do and then stays open: it ends when that does, also
    where we are killed."""
    process = subprocess.Popen(
        python_command("analyzer.tracking"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # libraries print there; what it has to say it logs
        env=child_environment(),
        cwd=NEUTRAL,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C reaches us alone
    )
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    with suppress(BrokenPipeError):  # it has ended already, which is said at the end
        process.stdin.write(options.model_dump_json() + "\n")
        process.stdin.flush()
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        code = process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        cause = f"the trackers took more than {GRACE_S:.0f} s at the end, and were left; `midwatch track` goes on"
        logger.warning("%s", cause, extra=entry("tracking_ended", cause=cause))
        return
    if code:
        cause = f"what sends to trackers ended with exit code {code}; `midwatch track` sends what is missing"
        logger.warning("%s", cause, extra=entry("tracking_ended", cause=cause))
