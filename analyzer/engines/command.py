"""The engine whose worker is started by a command of the user's: `srun`, `ssh host`, `kubectl exec -i pod --`.

The same lines cross its standard input and output as those of a worker on this machine; the worker's options come
first, since a remote shell would read them as words of its own. Runs must be there under the same path.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

from analyzer.engines.local import STOP_S, TIMEOUT_S, LocalEngine
from analyzer.jobs.messages import Event, Failure, WorkerOptions
from shared.errors import UsageError
from shared.processes import python_command
from shared.version import __version__

PLACE = "{worker}"
"""What stands in a command for the worker's own one."""
FROM_STDIN = "-"
"""The worker's argument where its options are the first line that it reads."""
CHATTER = (
    "--worker-command prints to standard output, where only its worker may, and is not heeded; have it print to "
    "standard error (srun -Q, ssh -T). It printed"
)
SSH_FAILED = 255
"""Exit code of ssh where not the command but the connection failed."""
ENDED_BY = {128 + signal.SIGTERM, 128 + signal.SIGHUP, 128 + signal.SIGINT}
"""Exit codes by which srun and kubectl say that the worker was asked to end. SIGKILL may be want of memory."""


def parsed(template: str) -> list[str]:
    """A command as words, with the worker's in its place. Raises UsageError for one that cannot be run."""
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise UsageError(f"--worker-command {template!r}: {error}; write it as in a shell.") from error
    if not words:
        raise UsageError("--worker-command is empty; write e.g. 'srun --overlap -n1 {worker}'.")
    found = shutil.which(words[0]) if words[0] != PLACE else words[0]
    if found is None:
        raise UsageError(
            f"--worker-command: there is no program {words[0]!r} here; install it, or correct its name."
        )
    worker, command = python_command("analyzer.worker", FROM_STDIN), list[str]()
    for word in [found, *words[1:]]:
        command += worker if word == PLACE else [word.replace(PLACE, shlex.join(worker))]
    return command


def same_version(event: Event) -> Event:
    """A worker elsewhere that is ready, or its refusal where it is of another Midwatch than we are."""
    if event.kind != "ready" or event.version == __version__:
        return event
    other = f"Midwatch {event.version}" if event.version else "another Midwatch"
    cause = f"The worker elsewhere is of {other}, and this is {__version__}; install the same there."
    return Event(kind="refused", cause=cause)


class CommandEngine(LocalEngine):
    """One warm worker behind a command."""

    def __init__(
        self,
        options: WorkerOptions,
        command: Sequence[str],
        timeout_s: float = TIMEOUT_S,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(options.model_copy(update={"elsewhere": True}), timeout_s, wake, command)

    def _begin(self, process: subprocess.Popen[str]) -> None:
        self._write(process, self._options.model_dump_json())

    def _arguments(self) -> list[str]:
        return []

    def poll(self, now: float) -> list[Event]:
        if self._process is not None and self._process.poll() is not None:
            self._hang_up()  # a worker that its command left behind holds our pipe; it ends with its input
        return super().poll(now)

    def close(self) -> None:
        """The end of its input reaches the worker through any command, a signal not through each."""
        if self._process is not None and self._process.stdin is not None:
            self._hang_up()
            with suppress(subprocess.TimeoutExpired):  # what the end of input doesn't end, a signal does
                self._process.wait(STOP_S)
        super().close()

    def _note(self, event: Event) -> Event:
        return super()._note(same_version(event))

    def _unreadable(self, line: str, what: str = CHATTER) -> None:
        if line.strip() and not self._told:
            self._told = True
            super()._unreadable(line, what)

    def _what_ended(self, code: int) -> tuple[Failure, str]:
        if code < 0 or code == SSH_FAILED or code in ENDED_BY:
            how = f"by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"with exit code {code}"
            return Failure.LOST, f"The worker was lost: its command ended {how}."
        return super()._what_ended(code)
