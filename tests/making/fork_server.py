"""Real processes in milliseconds: a server imports once what all of them need, and forks one for each order.

What is ordered are the words of `tests.making.struck`. Whoever ordered is told the process id and then the exit
code, negative for a signal as in `subprocess`; when he is gone, so is the process.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.processes import child_environment
from tests.making import struck
from tests.making.forked import ask
from tests.making.waiting import wait_until

PIPES = 3
QUIET = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass
class Forked:
    """One process that was ordered."""

    pid: int
    connection: socket.socket
    code: int | None = None

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        if self.code is None:
            self.code = int(self.connection.recv(100))
            self.connection.close()
        return self.code


@dataclass(frozen=True)
class ForkServer:
    """A server that runs."""

    path: Path
    pid: int = 0
    """Of the server, where this process has started it."""

    def start(self, *words: str, output: Path) -> Forked:
        """Order a process; what it prints is appended to `output`."""
        with output.open("ab") as file, Path(os.devnull).open("rb") as nothing:
            connection = ask(str(self.path), list(words), (nothing.fileno(), file.fileno(), file.fileno()))
        return Forked(int(connection.recv(100)), connection)

    def command(self, *words: str) -> list[str]:
        """What `subprocess` starts to have such a process; more words may follow."""
        return [sys.executable, "-S", "-E", str(Path(__file__).with_name("forked.py")), str(self.path), *words]


@contextmanager
def fork_server(folder: Path, *modules: str) -> Iterator[ForkServer]:
    """A server that has imported `modules`, until the end of the block."""
    path = folder / "forks"
    command = [sys.executable, "-m", "tests.making.fork_server", str(path), *modules]
    process = subprocess.Popen(command, env=child_environment(**QUIET))
    try:
        wait_until(lambda: path.exists() or process.poll() is not None, "the fork server")
        yield ForkServer(path, process.pid)
    finally:
        process.kill()
        process.wait()


@dataclass
class Serving:
    """The server's side."""

    listener: socket.socket
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> None:
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        while True:
            for key, _ in self.selector.select():
                if key.fd in self.selector.get_map():  # else what came before has taken it out
                    key.data()

    def accept(self) -> None:
        connection, _ = self.listener.accept()
        data, pipes, _, _ = socket.recv_fds(connection, 2**20, PIPES)
        pid = os.fork()
        if pid == 0:
            self.become(json.loads(data), pipes)
        for each in pipes:
            os.close(each)
        connection.send(str(pid).encode())
        ended = os.pidfd_open(pid)
        self.selector.register(ended, selectors.EVENT_READ, lambda: self.ended(pid, ended, connection))
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.left(pid, connection))

    def become(self, words: list[str], pipes: list[int]) -> None:
        """The child: never returns."""
        code = 1
        try:
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
            os.closerange(PIPES, 1024)
            warnings.simplefilter("ignore")  # runpy's, of a module that the server has imported already
            struck.main(*words)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:  # noqa: BLE001 (the end of a process: told on stderr, as Python does)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def ended(self, pid: int, ended: int, connection: socket.socket) -> None:
        self.selector.unregister(ended)
        os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if connection.fileno() >= 0:
            self.selector.unregister(connection)
            connection.send(str(code).encode())
            connection.close()

    def left(self, pid: int, connection: socket.socket) -> None:
        """Whoever ordered it is gone."""
        self.selector.unregister(connection)
        connection.close()
        os.kill(pid, signal.SIGKILL)


def main(path: str, *modules: str) -> None:
    for module in modules:
        importlib.import_module(module)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path + ".new")
    listener.listen()
    Path(path + ".new").rename(path)  # it takes orders from now on
    Serving(listener).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
