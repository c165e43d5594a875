"""How a process tells what it does: a sentence for people, and the same as fields for programs.

`extra=entry("started", run=..., checkpoint=...)` beside the sentence gives a line its event and its fields.
`--log-format text` prints the sentence, `json` one JSON object a line. docs/logs.md lists every event and field.
No field holds the text of a prompt.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO, TypedDict, Unpack

Format = Literal["text", "json"]
Process = Literal["supervisor", "worker", "tracker"]

logger = logging.getLogger(__name__)


class Fields(TypedDict, total=False):
    """What a line can carry beside time, level, event and message. Those that are empty are left out."""

    run: str
    """The run's name."""
    checkpoint: str
    analysis: str
    """Name of the analysis; "load" or "draw" for what is before and after them."""
    analyses: int
    """How many analyses are missing."""
    seconds: float
    """How long it took."""
    failure: str
    """What kind of failure, from `analyzer/jobs/messages.py`."""
    cause: str
    """Why, as a sentence."""
    request: str
    """A request's id."""
    path: str
    """File or directory that it is about."""
    pid: int
    """Process id of another analyzer."""
    host: str
    """Machine of another analyzer."""
    batch_tokens: int
    """Tokens of the next batch."""
    exit_code: int
    """How the command ends."""


NAMES = tuple(Fields.__annotations__)
OTHER = "other"
"""Event of a line that is a library's, or a sentence alone."""


def entry(event: str, **fields: Unpack[Fields]) -> dict[str, Any]:
    """`extra` of one logging call. `event` is short and stays the same from version to version."""
    return {"event": event, **fields}


class JsonLines(logging.Formatter):
    """One object a line, in ASCII, so that no locale and no line separator can break it."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self.process,
            "event": getattr(record, "event", OTHER),
            "message": record.getMessage(),
        }
        line |= {name: value for name in NAMES if (value := getattr(record, name, "")) != ""}
        if line["event"] == OTHER:
            line["logger"] = record.name
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _plain(value) for name, value in line.items()}, allow_nan=False)


class TextLines(logging.Formatter):
    """`HH:MM:SS sentence`, or `HH:MM:SS worker: sentence`, or with `tracker:`."""

    def __init__(self, process: Process) -> None:
        name = "" if process == "supervisor" else f" {process}:"
        super().__init__(f"%(asctime)s{name} %(message)s", "%H:%M:%S")


class _OnStderr(logging.StreamHandler):
    """Writes to whatever stderr is at the moment: while a progress bar is drawn, above the bar."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def set_up(form: Format, process: Process = "supervisor") -> None:
    """Log to stderr in this form from now on: everything of note, of the worker only warnings and worse.

    With `json` that takes in warnings, libraries that print by themselves, and what ends the process.
    """
    root, handler = logging.getLogger(), _OnStderr()
    for before in [each for each in root.handlers if isinstance(each.formatter, JsonLines | TextLines)]:
        root.removeHandler(before)
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    root.addHandler(handler)
    root.setLevel(logging.WARNING if process == "worker" else logging.INFO)
    if form == "json":
        logging.captureWarnings(True)
        take_in_libraries()
        sys.excepthook = _log_the_end
        threading.excepthook = _log_the_end_of_a_thread


def as_json() -> bool:
    """Whether lines are JSON objects, so that nothing else belongs on stderr."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def take_in_libraries() -> None:
    """With `json`: what libraries set up to print by themselves goes the way of all lines, at their own levels."""
    if not as_json():
        return
    known = list(logging.root.manager.loggerDict.values())
    for library in [each for each in known if isinstance(each, logging.Logger)]:
        for handler in list(library.handlers):
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.stdout):
                library.removeHandler(handler)
                library.propagate = True


def _plain(value: Any) -> str | int | float | bool:
    """A value that JSON has. Half a surrogate pair (from a file name that is not UTF-8) is spelled out."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return round(value, 6) if isinstance(value, float) else value
    return str(value).encode("utf-8", "backslashreplace").decode()


def _log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook`."""
    logger.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace), extra=entry("crashed"))


def _log_the_end_of_a_thread(args: threading.ExceptHookArgs) -> None:
    """`threading.excepthook`."""
    if args.exc_value is not None:
        _log_the_end(args.exc_type, args.exc_value, args.exc_traceback)
