"""Our own folder of a run, before anything is done with the run: there, writable, and no link in its way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import RunError, UsageError
from shared.own_folders import list_directory, make_directory, remove_directory
from shared.run import Run


@contextmanager
def own_place(run: Run) -> Iterator[None]:
    """Our own folder while something is done that may be refused: then a folder that was made for it is taken away.

    Raises as `open_own_place` does.
    """
    wanted = [folder for folder in (run.midwatch, run.out, *run.out.parents) if not folder.exists()]
    open_own_place(run)
    try:
        yield
    except UsageError:
        _take_back(run, wanted)
        raise


def _take_back(run: Run, made: Sequence[Path]) -> None:
    """Remove what `open_own_place` made, as far as nothing else lies in it: `made` from the innermost on."""
    ours = {run.source.name, run.assumed_probes.parent.name}
    if run.midwatch not in made or not ours.issuperset(list_directory(run.midwatch)):
        return
    with suppress(OSError):  # somebody puts a file there just now: it stays, with all above it
        run.source.unlink(missing_ok=True)
        remove_directory(run.assumed_probes.parent)
        for folder in made:
            folder.rmdir()


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
        kind = RunError if run.out == run.path else UsageError  # --out was the user's choice
        raise kind(
            f"{run.midwatch} cannot be written ({error.strerror}); "
            "make it writable, or choose another place with --out DIR."
        ) from error
