"""Our own folder of a run, before anything is done with the run: there, writable, and no link in its way."""

from __future__ import annotations

import os

from shared.errors import RunError
from shared.own_folders import make_directory
from shared.run import Run


def open_own_place(run: Run) -> None:
    """Make the folder and try to write in it. Raises RunError (LinkInTheWay, UsageError) that says what to do."""
    run.refuse_links()
    try:
        make_directory(run.midwatch)
        trial = run.midwatch / f".writable.{os.getpid()}"
        trial.unlink(missing_ok=True)
        trial.open("xb").close()  # a link that stands there is not written through
        trial.unlink()
        run.remember_source()
    except OSError as error:
        raise RunError(
            f"{run.midwatch} cannot be written ({error.strerror}); "
            "make it writable, or choose another place with --out DIR."
        ) from error
