"""Every error Midwatch raises on purpose.

MidwatchError                exit code 1: something failed; the message says what to do
├── UsageError               exit code 2: the call, a setting or an input file is not usable as given
│   ├── FamilyError          a user's description of a model family does not fit the model
│   └── NotDescribed         how a run's judge is read cannot be known; carries the `command` that tells
├── RunError                 a run directory is missing, empty or unreadable
│   ├── NoSuchRun            exit code 2: there is no such directory
│   └── LinkInTheWay         a link stands in place of a folder or file of ours; an OSError, too
├── CheckpointRejected       a checkpoint is refused: unsound, or no judge; carries a short machine-readable `code`
├── LeaseLost                another analyzer took the run over meanwhile; its result is discarded
├── CheckpointChanged        a checkpoint changed or vanished while it was analysed; its result is discarded
├── JudgeError               the model loads but cannot serve as a judge (labels, tokenizer, NaN)
│   └── ScoresNotFinite      it gives no number for some prompts; carries which
├── TrackerRefused           a tracker or a webhook refuses, or does not answer; the others go on
│   └── TrackerMissing       exit code 2: its package is not installed
├── StorageRefused           a bucket or the Hub refuses, or does not answer; what is copied stays
├── StoredChanged            what lies in a bucket changed while it was copied; nothing of it is shown
├── RequestRefused           a file is no request, or asks what cannot be done; it is answered with the sentence
├── CannotCompute            the judge or the probe set lacks what an analysis needs; recorded, not tried again
└── SchemaError              a record on disk was written by a newer Midwatch or is not what it says

OwnPlaceRefused is an OSError alone: whoever is prepared for a disk that refuses is prepared for it.

A MidwatchError reaches the user as its one sentence; anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class MidwatchError(Exception):
    """A failure with one clear sentence that says what to do."""

    exit_code = 1


class UsageError(MidwatchError):
    """The call, a setting or an input file is not usable as given."""

    exit_code = 2


class FamilyError(UsageError):
    """A user's description of a model family (`--family`) does not fit the model; nothing is analysed with it."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message
        """What does not fit, without whose description it is."""


class NotDescribed(UsageError):
    """How a run's judge is read, or what it is analysed on, cannot be known without being told."""

    def __init__(self, message: str, command: str) -> None:
        super().__init__(message)
        self.command = command
        """The one command that tells, safe to paste into a shell; empty where none does."""


class RunError(MidwatchError):
    """A run directory is missing, empty or unreadable."""


class NoSuchRun(RunError):
    """There is no such directory: the call is not usable as given."""

    exit_code = 2


class LinkInTheWay(RunError, OSError):
    """A link, or what is no file at all, stands in place of a folder or file of ours.

    An OSError as well: whoever is prepared for a disk that refuses to be written is prepared for this.
    """

    def __init__(self, path: Path, what: str = "a symbolic link, which Midwatch does not follow") -> None:
        advice = f"is {what}; remove it, or choose another place with --out"
        super().__init__(errno.ELOOP, advice, str(path))

    def __str__(self) -> str:
        return f"{self.filename} {self.strerror}."


class OwnPlaceRefused(OSError):
    """Our own place could not be written, as its disk or server does not answer, or too many files are open."""


TOO_MANY_OPEN = errno.EMFILE, errno.ENFILE


def disk_sentence(error: OSError, place: Path) -> str:
    """Why our own disk refused at `place`, and what to do, without a full stop: more may follow."""
    if isinstance(error, LinkInTheWay):
        return str(error).removesuffix(".")
    if error.errno in TOO_MANY_OPEN:
        advice = "close what holds files open on this machine, or raise their limit (ulimit -n)"
    elif isinstance(error, OwnPlaceRefused):
        advice = "see to its disk or file server, or choose another with --out"
    else:
        advice = "free space, make it writable, or choose another with --out"
    return f"{error.filename or place}: {error.strerror}; {advice}"


SPEAKS = (OSError, ValueError, RuntimeError, TypeError, ImportError)
"""Of exceptions: types whose own text is a reason; of others the name is a part of it."""
LONGEST = 300


def reason_of(error: BaseException) -> str:
    """The first line of an exception that says something, with its type where that is needed to understand it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    text = text if isinstance(error, SPEAKS) else f"{type(error).__name__}: {text}"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


class CheckpointRejected(MidwatchError):
    """A checkpoint is refused: unsound, or no judge. `code` is stable and short, e.g. "truncated"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CheckpointChanged(MidwatchError):
    """A checkpoint changed or vanished while it was analysed; its result is discarded."""


class EarlierChanged(CheckpointChanged):
    """A result that a checkpoint is compared with was replaced meanwhile; the comparison is made again."""


class LeaseLost(MidwatchError):
    """Another analyzer has the run by now: nothing that was computed under the lost lease is published."""


class JudgeError(MidwatchError):
    """The model loads but cannot serve as a judge: wrong classes, no tokenizer, NaN weights."""


class ScoresNotFinite(JudgeError):
    """The judge gives NaN or infinity for some prompts: `rows` says which of those it was run on."""

    def __init__(self, message: str, rows: Sequence[int]) -> None:
        super().__init__(message)
        self.rows = list(rows)


class TrackerRefused(MidwatchError):
    """A tracker or a webhook refuses, or does not answer; the others go on, and it is tried again."""


class TrackerMissing(TrackerRefused):
    """The package that a tracker or webhook needs is not installed."""

    exit_code = 2


class CannotCompute(MidwatchError):
    """This judge or probe set lacks what the analysis needs; the message says what and what to do."""


class StorageRefused(MidwatchError):
    """A bucket or the Hub refuses, or does not answer; what is copied stays, and it may be tried again."""


class StoredChanged(MidwatchError):
    """What lies in a bucket changed while it was copied; nothing of the copy is shown, and it is made again."""


class RequestRefused(MidwatchError):
    """A file is no request to an analyzer, or asks for what cannot be done; it is answered with the sentence."""


class SchemaError(MidwatchError):
    """A record on disk was written by a newer Midwatch, or is not what its name says."""
