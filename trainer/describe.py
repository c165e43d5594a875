"""run.json and what stands beside it: the probe set, the test prompts, the fitted baselines, and the digests of the
training prompts. What the run is, for whoever reads it later."""

from __future__ import annotations

import math
import platform
import time
from importlib.metadata import PackageNotFoundError, version

from shared.errors import UsageError
from shared.files import read_record, write_record
from shared.prompts.baselines import Baselines, write_baselines
from shared.prompts.leaks import write_train_digests
from shared.prompts.probes import write_probes
from shared.prompts.prompt_files import write_prompts
from shared.records import JudgeRecord, RunRecord
from shared.run import BASELINES, PROBES, RECORD, TEST, Run
from shared.version import __version__
from trainer.data import Data
from trainer.settings import TrainSettings

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "scikit-learn", "numpy")

BaselineMetrics = dict[str, dict[str, dict[str, float]]]
"""Baseline -> part -> metric -> value."""


def describe(settings: TrainSettings, data: Data, baselines: BaselineMetrics, frozen_layers: int) -> RunRecord:
    """The record of a training that is about to start."""
    return RunRecord(
        judge=JudgeRecord(kind="classifier", safe_id=0, unsafe_id=1, max_length=settings.max_length),
        model=settings.model,
        frozen_layers=frozen_layers,
        epochs=settings.epochs,
        steps=planned_steps(settings, len(data.train)),
        data={"sources": settings.data, **data.describe()},
        baselines={name: flat_baseline(parts) for name, parts in baselines.items()},
        settings=settings.model_dump(mode="json", exclude={"resume", "output_dir"}),
        versions={"midwatch": __version__, "python": platform.python_version(), **library_versions()},
        created_at=time.time(),
    )


def write_description(run: Run, record: RunRecord, data: Data, fitted: Baselines) -> None:
    """Write run.json and the files beside it; run.json last, as it makes the directory a run.

    A run that goes on keeps its date. Raises UsageError when its training data or probe set is not what it was.
    """
    if run.record.exists():
        before = read_record(run.record, RunRecord)
        for part in ("train", "probes"):
            if part in before.data and before.data[part] != record.data[part]:
                raise UsageError(
                    f"The {part} prompts of {run.path} are not those it began with; resume it with the data and "
                    "the seed it had, or start a new --output-dir."
                )
        record = record.model_copy(update={"created_at": before.created_at})
    write_probes(run.path / PROBES, [*data.probes, *data.pairs])
    write_prompts(run.path / TEST, data.test)
    write_baselines(run.path / BASELINES, fitted)
    write_train_digests(run.path, data.train)
    write_record(run.path / RECORD, record)


def flat_baseline(parts: dict[str, dict[str, float]]) -> dict[str, float]:
    """Validation metrics under their own names, others as `test_f1`, `contrast_accuracy`, ..."""
    flat = dict(parts["val"])
    for part in ("test", "contrast"):
        flat |= {f"{part}_{name}": value for name, value in parts.get(part, {}).items()}
    return flat


def planned_steps(settings: TrainSettings, prompts: int) -> int:
    """Optimizer steps of the whole training, as transformers' Trainer counts them."""
    batches = math.ceil(prompts / settings.batch_size)
    return math.ceil(settings.epochs * math.ceil(batches / settings.gradient_accumulation_steps))


def library_versions() -> dict[str, str]:
    """Versions of the libraries that can change a result."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
