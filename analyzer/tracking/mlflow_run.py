"""MLflow: a run of its own, whose metrics have the training's steps. MLflow keeps late ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from analyzer.tracking.tracker import PREFIX, Numbers, discreet
from shared.errors import TrackerRefused
from shared.own_folders import make_directory, refuse_links
from shared.run import Run

AT_ONCE = 1000
"""Metrics that a server takes in one call."""
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Unless the environment says otherwise: a server that is away is tried again later, and not waited for."""


class MlflowRun:
    """Sends to `MLFLOW_TRACKING_URI`; without one, to a database below `run.tracked`."""

    whole = False

    def __init__(self, run: Run, project: str, place: str) -> None:
        self.run, self.place = run, place
        self.experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project
        self.own = None if os.environ.get("MLFLOW_TRACKING_URI") else run.tracked / "mlflow" / "mlflow.db"
        server = f"`mlflow ui --backend-store-uri sqlite:///{self.own}`" if self.own else "your MLflow server"
        self.where = f"{server}, experiment {self.experiment}"
        self._client: Any = None

    def send(self, numbers: Sequence[Numbers]) -> None:
        """One call a checkpoint; of numbers that are there already, nothing comes twice."""
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        try:
            self._client = self._client or self._connect()
            self.place = self.place or self._begin(self._client)
            for each in numbers:
                self._log(each)
        except ImportError as error:
            raise TrackerRefused(
                f"MLflow lacks {error.name} for its own database; run `pip install 'midwatch[mlflow]'`, or set "
                "MLFLOW_TRACKING_URI."
            ) from error
        except (MlflowException, OSError, ValueError, RuntimeError) as error:
            raise TrackerRefused(f"MLflow refuses: {discreet(error)}.") from error

    def close(self) -> None:
        """The run counts as finished; a later send goes on with it."""
        from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]

        if self._client is None or not self.place:
            return
        try:
            self._client.set_terminated(self.place)
        except (MlflowException, OSError) as error:
            raise TrackerRefused(f"MLflow cannot finish its run: {discreet(error)}.") from error

    def _connect(self) -> Any:
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

        if self.own is None:
            return MlflowClient()
        make_directory(self.own.parent)
        refuse_links(self.own)
        return MlflowClient(f"sqlite:///{self.own}")

    def _begin(self, client: Any) -> str:
        """Id of a new run."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            experiment = found.experiment_id
        else:
            artifacts = (self.own.parent / "artifacts").as_uri() if self.own else None
            experiment = client.create_experiment(self.experiment, artifact_location=artifacts)
        tags = {f"{PREFIX}.run": str(self.run.path)}
        return client.create_run(experiment, run_name=self.run.name, tags=tags).info.run_id

    def _log(self, numbers: Numbers) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        values = dict(numbers.values) | ({} if numbers.epoch is None else {"epoch": numbers.epoch})
        time_ms = round(1000 * numbers.time)
        metrics = [Metric(f"{PREFIX}/{name}", value, time_ms, numbers.step) for name, value in values.items()]
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(self.place, metrics[start : start + AT_ONCE], synchronous=True)
