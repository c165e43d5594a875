"""Trackio: a run of its own. Trackio keeps every step that it is given, whenever it comes."""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout

from analyzer.tracking.tracker import PREFIX, Numbers, discreet
from shared.errors import TrackerRefused
from shared.run import Run


class TrackioRun:
    """Where it lies, Trackio decides: `TRACKIO_DIR`, `TRACKIO_SPACE_ID`, `TRACKIO_SERVER_URL`."""

    whole = False

    def __init__(self, run: Run, project: str, place: str) -> None:
        self.project = project
        self.place = place or f"{run.name[:60]}-{uuid.uuid4().hex[:6]}"
        self.where = f"`trackio show --project {project}`, run {self.place}"

    def send(self, numbers: Sequence[Numbers]) -> None:
        """Log them, and wait until they are stored: Trackio's own thread would not tell of a failure."""
        import httpx  # pyright: ignore[reportMissingImports]
        import trackio  # pyright: ignore[reportMissingImports]

        with warnings.catch_warnings(record=True) as caught, redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            try:
                run = trackio.init(
                    project=self.project,
                    name=self.place,
                    resume="allow",
                    embed=False,
                    auto_log_gpu=False,
                    auto_log_cpu=False,
                )
                if not _faults(caught):  # else it keeps them for later, when we have sent them again
                    for each in numbers:
                        run.log(_row(each), step=each.step)
                trackio.finish()
            except (httpx.HTTPError, OSError, ValueError, RuntimeError) as error:
                raise TrackerRefused(f"Trackio refuses: {discreet(error)}.") from error
        if faults := _faults(caught):
            raise TrackerRefused(f"Trackio refuses: {discreet(RuntimeError(faults[0]))}.")

    def close(self) -> None:
        """Nothing is open between two sends."""


def _faults(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """Of these warnings what says that something was not stored: Trackio raises nothing then."""
    told = [str(each.message) for each in caught]
    return [text for text in told if text.startswith("trackio") and ("could not" in text or "failed" in text)]


def _row(numbers: Numbers) -> dict[str, float]:
    row = {f"{PREFIX}/{name}": value for name, value in numbers.values.items()}
    return row if numbers.epoch is None else row | {f"{PREFIX}/epoch": numbers.epoch}
