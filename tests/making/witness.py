"""Notes each code that a process runs from a folder, and each place outside that folder that it changes.

`runs PLACE` and `changes PLACE`, line by line. Python tells of each beforehand (an audit hook), which the code that
it runs cannot keep it from. In use where `tests.making.struck` is told to "witness".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.making.struck import PLACES, Steps, writes

NOBODYS = ("/dev/", "/proc/")
"""Places in which nothing lies."""


class Witness(Steps):
    """The steps of this process in the whole tree of files."""

    def __init__(self, folder: Path, log: Path) -> None:
        super().__init__(Path("/"), log, 0, lambda: None)
        self.folder = str(folder.absolute())

    def hear(self, event: str, words: tuple[Any, ...]) -> None:
        """The audit hook."""
        if self.looking:
            return
        self.looking = True
        try:
            if event == "exec":
                self._note("runs", str(getattr(words[0], "co_filename", "")), inside=True)
            elif event == "import" and words[1]:
                self._note("runs", str(words[1]), inside=True)
            elif event in PLACES and (event != "open" or writes(words)):
                self._note_changes(event, words)
        finally:
            self.looking = False

    def _note_changes(self, event: str, words: tuple[Any, ...]) -> None:
        many = PLACES[event]
        folders = list(words[many:])[-many:] if event != "open" else []
        for number in range(many):
            name, folder = words[number], folders[number] if number < len(folders) else None
            if isinstance(name, str | bytes | os.PathLike):
                self._note("changes", _absolute(os.fsdecode(name), folder), inside=False)

    def _note(self, what: str, place: str, *, inside: bool) -> None:
        if place.startswith("/") and place.startswith(self.folder) == inside and not place.startswith(NOBODYS):
            os.write(self.log, f"{what} {place}\n".encode())


def _absolute(path: str, folder: Any) -> str:
    """Where a name leads; one that is opened by a descriptor, of which the event does not tell, stays as it is."""
    if path.startswith("/") or type(folder) is not int or folder < 0:
        return path
    return f"{Path(f'/proc/self/fd/{folder}').readlink()}/{path}"
