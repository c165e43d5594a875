"""Weights & Biases: a run of its own beside the training's, on the training's steps as its own axis.

W&B's own step only ever grows and drops what comes late. So the step is a metric like the others, which
`define_metric` makes the axis of all of ours.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Any

from analyzer.tracking.tracker import PREFIX, Numbers, discreet
from shared.errors import TrackerRefused
from shared.own_folders import make_directory, refuse_links
from shared.run import Run

STEP = f"{PREFIX}/step"
LATEST_S = 60
"""Longest wait for the server to begin a run, seconds."""


class WandbRun:
    """Begins its run with the first `send`. Offline (`WANDB_MODE=offline`) it lies below `run.tracked`."""

    whole = False

    def __init__(self, run: Run, project: str, place: str) -> None:
        self.run, self.project = run, os.environ.get("WANDB_PROJECT") or project
        self.place = place or uuid.uuid4().hex[:8]
        self.where = f"run {self.place} of the project {self.project} in Weights & Biases"
        self._open: Any = None

    def send(self, numbers: Sequence[Numbers]) -> None:
        """One row a checkpoint."""
        import wandb  # pyright: ignore[reportMissingImports]

        try:
            self._open = self._open or self._begin(wandb)
            for each in numbers:
                row = {f"{PREFIX}/{name}": value for name, value in each.values.items()} | {STEP: each.step}
                self._open.log(row if each.epoch is None else row | {f"{PREFIX}/epoch": each.epoch})
        except (wandb.Error, OSError, ValueError, RuntimeError) as error:
            self._open = None
            raise TrackerRefused(
                f"Weights & Biases refuses: {discreet(error)}. Or set WANDB_MODE=offline, which writes to disk "
                "until `wandb sync`."
            ) from error

    def close(self) -> None:
        """Wait until everything is with the server, or on disk where it is offline."""
        import wandb  # pyright: ignore[reportMissingImports]

        if self._open is None:
            return
        try:
            self._open.finish()
        except (wandb.Error, OSError, ValueError, RuntimeError) as error:
            raise TrackerRefused(
                f"Weights & Biases took not everything: {discreet(error)}. `wandb sync` sends what lies in "
                f"{self.run.tracked / 'wandb'}."
            ) from error
        finally:
            self._open = None

    def _begin(self, wandb: Any) -> Any:
        folder = self.run.tracked / "wandb"
        make_directory(folder)
        refuse_links(folder / "wandb")
        begun = wandb.init(
            project=self.project,
            id=self.place,
            name=self.run.name,
            job_type=PREFIX,
            resume="allow",
            reinit="create_new",  # runs of a folder are open side by side
            dir=str(folder),
            settings=wandb.Settings(
                silent=True,
                console="off",
                init_timeout=LATEST_S,
                disable_code=True,  # nothing but numbers leaves
                disable_git=True,
                disable_job_creation=True,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )
        begun.define_metric(STEP, hidden=True)
        begun.define_metric(f"{PREFIX}/*", step_metric=STEP)
        return begun
