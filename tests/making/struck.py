"""A real process to which something happens at its Nth step: it is killed, stopped, or its disk refuses.

A step is a call that changes what lies in a folder: open to write, rename, link, make, remove, set a mode or time.
Python tells of each before it happens (an audit hook), also of those in its own C code, so no step is forgotten and
the code under test has nothing in it for this. By hand, to see all steps of an analysis, then to be killed at one:

    python -m tests.making.struck RUN steps.txt 0 kill midwatch analyze RUN
    python -m tests.making.struck RUN steps.txt 17 kill midwatch analyze RUN
"""

from __future__ import annotations

import errno
import os
import re
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
PLACES = {"os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.chmod": 1, "os.utime": 1, "os.truncate": 1}
PLACES |= {"os.rename": 2, "os.link": 2, "os.symlink": 2, "open": 1}
"""Audit event -> how many of its first arguments are places."""
MADE_UP = re.compile(r"(?<=\.)(?:[a-z0-9_]{8}|[0-9]+)(?=\.tmp|/| |$)|[0-9a-f]{20,32}|(?<=sample_)[0-9]+_[a-z]+")
"""Parts of names that are others each time, or of each page."""


class Steps:
    """The steps of this process below `root`: each is written to `log`; at the `at`th, if any, `act` is called."""

    def __init__(self, root: Path, log: Path | None, at: int, act: Callable[[], None]) -> None:
        self.root, self.at, self.act = str(root.absolute()), at, act
        self.count, self.looking = 0, False
        self.log = -1 if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def hear(self, event: str, words: tuple[Any, ...]) -> None:
        """The audit hook. What `act` raises is what the call raises."""
        if event not in PLACES or self.looking or (event == "open" and not writes(words)):
            return
        self.looking = True
        try:
            name = self._name(event, words)
            if name and name != "mkdir .":  # a root that is there already
                self.count += 1
                if self.log >= 0:
                    os.write(self.log, f"{name}\n".encode())
                if self.count == self.at:
                    self.act()
        finally:
            self.looking = False

    def _name(self, event: str, words: tuple[Any, ...]) -> str:
        """For people: the verb and the place below the root; empty where it is elsewhere."""
        many = PLACES[event]
        folders = list(words[many:])[-many:] if event != "open" else []
        found = [self._place(words[i], folders[i] if i < len(folders) else None) for i in range(many)]
        if not any(found):
            return ""
        return MADE_UP.sub("*", f"{event.removeprefix('os.')} {' -> '.join(filter(None, found))}")

    def _place(self, name: Any, folder: Any) -> str:
        if isinstance(name, int) or not isinstance(name, str | bytes | os.PathLike):
            return ""
        path = os.fsdecode(name)
        if not path.startswith("/"):
            if type(folder) is not int or folder < 0:
                return path  # opened by a descriptor of which the event does not tell: only our own code does that
            path = f"{Path(f'/proc/self/fd/{folder}').readlink()}/{path}"
        return path.removeprefix(self.root).lstrip("/") or "." if path.startswith(self.root) else ""


def writes(words: tuple[Any, ...]) -> bool:
    """Whether an "open" of which the audit event tells is one to write."""
    _, mode, flags = words
    return bool(flags & WRITING) if isinstance(flags, int) else bool(set("wxa+") & set(mode or ""))


def act_of(name: str) -> Callable[[], None]:
    """What happens, by its name: "kill", "stop", an errno such as "ENOSPC", or "witness" for nothing at all."""
    if name in ("kill", "stop"):
        number = signal.SIGKILL if name == "kill" else signal.SIGSTOP
        return lambda: os.kill(os.getpid(), number)
    if name == "witness":
        return lambda: None
    number = getattr(errno, name)

    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def strike(root: str, log: str, at: str, act: str) -> Steps:
    """From now on, and for good: an audit hook stays as long as its process."""
    if act == "witness" and log:
        from tests.making.witness import Witness

        witness = Witness(Path(root), Path(log))
        sys.addaudithook(witness.hear)
        return witness
    steps = Steps(Path(root), Path(log) if log else None, int(at), act_of(act))
    sys.addaudithook(steps.hear)
    return steps


def main(root: str, log: str, at: str, act: str, module: str, *words: str) -> None:
    """Run a module as `python -m` does, with a step at which something happens."""
    sys.argv = [module, *words]
    strike(root, log, at, act)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
