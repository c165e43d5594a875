"""Which trackers there are, what each needs installed, and how one is opened."""

from __future__ import annotations

import importlib.util

from analyzer.tracking.tracker import Tracker
from shared.errors import TrackerMissing
from shared.run import Run

TRACKERS = ("tensorboard", "wandb", "trackio", "mlflow")
"""Each is the name of its package and of our extra, too."""


def known(name: str) -> str:
    """The name of a tracker that there is. Raises ValueError in words for people."""
    if name not in TRACKERS:
        raise ValueError(f"there is no such tracker; write {', '.join(TRACKERS[:-1])} or {TRACKERS[-1]}")
    return name


def require_package(package: str, extra: str) -> None:
    """Raise TrackerMissing where a package is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:  # none: a mere folder of that name, such as wandb leaves behind
        raise TrackerMissing(f"{package} is not installed; run `pip install 'midwatch[{extra}]'`.")


def open_tracker(name: str, run: Run, project: str, place: str) -> Tracker:
    """The tracker called `name`, which is installed, for one run; `place` is where its numbers were sent before."""
    if name == "tensorboard":
        from analyzer.tracking.tensorboard_files import TensorBoard

        return TensorBoard(run.tracked / name)
    if name == "wandb":
        from analyzer.tracking.wandb_run import WandbRun

        return WandbRun(run, project, place)
    if name == "trackio":
        from analyzer.tracking.trackio_run import TrackioRun

        return TrackioRun(run, project, place)
    from analyzer.tracking.mlflow_run import MlflowRun

    return MlflowRun(run, project, place)
