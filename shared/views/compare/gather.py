"""Reading the two sides of a comparison from the files of a run, without any cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from shared import views
from shared.errors import SchemaError
from shared.files import read_record
from shared.prompts.of_run import probe_set_of
from shared.records import RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from shared.views.compare.layers import Readouts
from shared.views.compare.side import Side, assembled


def side_of(run: Run, checkpoint: str, name: str) -> Side:
    """What is committed of a checkpoint; `name` is what to call it. Nothing here raises for damaged results."""
    store = ResultStore(run.results)
    results: dict[str, ResultRecord] = {}
    problem: Exception | None = None
    for view in views.all_views():
        try:
            found = store.newest(checkpoint, view.name)
        except (SchemaError, OSError) as error:
            problem = error if view.name == "progress" else problem
            continue
        if found is not None:
            results[view.name] = found
    progress, record = results.get("progress"), None
    probes = probe_set_of(run, progress.probe_digest) if progress is not None else None
    with suppress(SchemaError, OSError):
        record = read_record(run.record, RunRecord)
    return assembled(name, record, results, _tensors(store, progress), probes.probes if probes else [], problem)


def readouts_of(run: Run, side: Side) -> Readouts | None:
    """The layers' read-outs of a side; None without that result."""
    record = side.results.get("layers")
    if record is None:
        return None
    verdicts = side.results.get("progress")
    lens = _tensors(ResultStore(run.results), record).get("lens")
    return Readouts(record, lens, fits=verdicts is not None and record.fits(verdicts))


def _tensors(store: ResultStore, record: ResultRecord | None) -> Mapping[str, np.ndarray]:
    if record is None:
        return {}
    try:
        return store.tensors(record)
    except (SchemaError, OSError):
        return {}  # what needs them says so
