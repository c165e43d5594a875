"""What a shell offers for the word that is being typed. Reads names of files only: a press of Tab must not wait."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from shared.errors import MidwatchError
from shared.run import Run, looks_like_run
from shared.status_file import read_status

MOST = 50
"""Words that are offered."""
PACKAGE = Path(__file__).parent


def runs(given: Mapping[str, Any], word: str) -> list[str]:
    """Directories that begin so and are runs, or hold some."""
    parent, _, start = word.rpartition("/")
    folder = Path(f"{parent}/" if word.startswith("/") or parent else ".").expanduser()
    hidden = start.startswith(".")
    found = [name for name in _folders(folder) if name.startswith(start) and (hidden or name[0] != ".")]
    return [
        f"{parent}/{name}" if parent or word.startswith("/") else name for name in found if _leads(folder / name)
    ]


def checkpoints(given: Mapping[str, Any], word: str) -> list[str]:
    """Names of the run's checkpoints, newest first, `best` and `last`."""
    names = [*reversed(_checkpoints(given)), "best", "last"]
    return [name for name in names if name.startswith(word)]


def epochs(given: Mapping[str, Any], word: str) -> list[str]:
    """Numbers of the run's epochs as the analyzer noted them, and `last`; after a comma the next one."""
    before, comma, start = word.rpartition(",")
    run = _run(given)
    rows = [] if run is None else read_status(run.status).checkpoints
    known = [f"{row.epoch:g}" for row in rows if row.epoch is not None and row.epoch == int(row.epoch)]
    return [f"{before}{comma}{number}" for number in [*known, "last"] if number.startswith(start)]


def steps(given: Mapping[str, Any], word: str) -> list[str]:
    """Steps of the run's checkpoints; after a comma the next one."""
    before, comma, start = word.rpartition(",")
    known = [found[0] for name in _checkpoints(given) if (found := re.findall(r"\d+$", name))]
    return [f"{before}{comma}{number}" for number in known if number.startswith(start)]


def requests(given: Mapping[str, Any], word: str) -> list[str]:
    """Ids of what is asked and not answered yet."""
    run = _run(given)
    names = [] if run is None else [path.stem for path in run.requests.glob("*.json")]
    return sorted(name for name in names if name.startswith(word))


def analyses(given: Mapping[str, Any], word: str) -> list[str]:
    """Names of the analyses: what is found and how it looks lie in two files of that name."""
    looks, found = ({path.stem for path in (PACKAGE / room).glob("[a-z]*.py")} for room in ("views", "findings"))
    return sorted(name for name in looks & found if name.startswith(word))


OFFERS: Mapping[str, Callable[[Mapping[str, Any], str], Iterable[str]]] = {
    "run": runs,
    "runs": runs,
    "checkpoint": checkpoints,
    "checkpoints": checkpoints,
    "epochs": epochs,
    "steps": steps,
    "request": requests,
    "only": analyses,
}
"""Field of a command's settings -> what is offered for it, from what was typed before it and the word so far."""


def offered(name: str, given: Mapping[str, Any], word: str) -> list[str]:
    """Words for a field; none where there are none, or the disk does not tell."""
    try:
        return list(OFFERS[name](given, word))[:MOST]
    except (OSError, ValueError, MidwatchError):
        return []


def _run(given: Mapping[str, Any]) -> Run | None:
    path = given.get("run")
    return None if path is None else Run.at(Path(path), given.get("out"))


def _checkpoints(given: Mapping[str, Any]) -> list[str]:
    run = _run(given)
    return [] if run is None else run.checkpoints()


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


def _leads(path: Path) -> bool:
    """Whether it is a run, or one lies in it."""
    if looks_like_run(path, given=False):
        return True
    return any(looks_like_run(path / name, given=False) for name in _folders(path)[:MOST])
