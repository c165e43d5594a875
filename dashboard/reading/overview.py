"""What the overview knows of a run, read once for each result and compared once for each version of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.errors import SchemaError
from shared.evaluations import EvaluationPlace, all_evaluations
from shared.findings.alerts import Flips
from shared.findings.evaluation import Evaluation
from shared.own_folders import refuse_links
from shared.prompts.groups import group_numbers
from shared.prompts.of_run import probe_set_of
from shared.records import Probe
from shared.results import TENSORS_FILE, ResultRecord
from shared.results_index import ResultFile
from shared.run import Run
from shared.views.overview.change import changes
from shared.views.overview.facts import READS, CheckpointFacts, facts_of
from shared.views.overview.standing import MOST_FPR, Standing, newest_judged, standing


def standing_of(snapshot: Snapshot, limit: float = MOST_FPR) -> Standing:
    """The run's checkpoints compared; `limit` is the FPR that the one to ship may have. Nothing here raises for a
    damaged result."""
    measured = all_evaluations(snapshot.run)
    labels = hash(tuple((view.name, view.label, view.epoch) for view in snapshot.checkpoints))
    stamps = hash(tuple((str(place.record), cached.stamp(place.record)) for place in measured))
    run = snapshot.run
    probes = (cached.stamp(run.probes), cached.stamp(run.assumed_probes))
    facts = _facts_of_run(str(run.path), str(run.out), snapshot.version, labels, stamps, snapshot, measured)
    return _standing(str(run.path), str(run.out), snapshot.version, labels, stamps, probes, limit, run, facts)


def changes_since(snapshot: Snapshot, before: CheckpointView | None, now: CheckpointView) -> dict[str, Flips]:
    """What flipped between two checkpoints (`shared.views.overview.change`); empty where that cannot be told."""
    if before is None or before.name == now.name:
        return {}
    by_name = {each.name: each for each in standing_of(snapshot).facts}
    then, here = by_name.get(before.name), by_name.get(now.name)
    probes = probes_of(snapshot.run, here.probe_digest) if then is not None and here is not None else []
    return changes(then, here, probes) if then is not None and here is not None and probes else {}


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=8)
def _facts_of_run(
    path: str,
    out: str,
    version: int,
    labels: int,
    evaluations: int,
    _snapshot: Snapshot,
    _measured: Sequence[EvaluationPlace],
) -> list[CheckpointFacts]:
    by_checkpoint: dict[str, list[EvaluationPlace]] = {}
    for place in _measured:
        by_checkpoint.setdefault(place.checkpoint, []).append(place)
    return [_facts_of_view(view, by_checkpoint.get(view.name, [])) for view in _snapshot.checkpoints]


@st.cache_resource(show_spinner=False, max_entries=32)
def _standing(
    path: str,
    out: str,
    version: int,
    labels: int,
    evaluations: int,
    probes: tuple[int, int],
    limit: float,
    _run: Run,
    _facts: Sequence[CheckpointFacts],
) -> Standing:
    newest = newest_judged(_facts)
    found = probes_of(_run, newest.probe_digest) if newest is not None else []
    return standing(_facts, group_numbers(found) if found else None, limit)


def probes_of(run: Run, digest: str) -> list[Probe]:
    """The run's probe set with this digest; empty where it is not there any more."""
    stamps = (cached.stamp(run.probes), cached.stamp(run.assumed_probes))
    return _probes(str(run.path), str(run.out), stamps, digest)


@st.cache_resource(show_spinner=False, max_entries=8)
def _probes(path: str, out: str, stamps: tuple[int, int], digest: str) -> list[Probe]:
    """Empty where the probe set is not there any more."""
    found = probe_set_of(cached.reader(path, out).run, digest)
    return found.probes if found is not None else []


def _facts_of_view(view: CheckpointView, measured: Sequence[EvaluationPlace]) -> CheckpointFacts:
    files = {name: view.results[name] for name in READS if name in view.results}
    stamps = [f"{file.path}:{file.mtime_ns}" for file in files.values()]
    stamps += [f"{place.record}:{cached.stamp(place.record)}" for place in measured]
    return _facts("|".join([view.label, *stamps]), view, files, measured)


@st.cache_resource(show_spinner=False, max_entries=8192)
def _facts(
    key: str, _view: CheckpointView, _files: Mapping[str, ResultFile], _measured: Sequence[EvaluationPlace]
) -> CheckpointFacts:
    records: dict[str, ResultRecord] = {}
    unreadable = []
    for name, file in _files.items():
        try:
            records[name] = cached.parsed(file)
        except (SchemaError, OSError):
            unreadable.append(name)
    bare = CheckpointFacts(_view.name, _view.step, _view.epoch, _view.label, unreadable=tuple(unreadable))
    return facts_of(bare, records, _tensors(_files.get("progress")), _evaluations(_measured))


def _tensors(file: ResultFile | None) -> dict[str, np.ndarray]:
    if file is None:
        return {}
    path = cached.beside(file, TENSORS_FILE)
    try:
        refuse_links(path)
        return load_file(path) if path.is_file() else {}
    except (SafetensorError, OSError):
        return {}  # its rates are known; only the paired test is not


def _evaluations(measured: Sequence[EvaluationPlace]) -> dict[str, Evaluation]:
    found = {}
    for place in measured:
        try:
            found[place.data] = cached.evaluation(place)
        except (SchemaError, OSError):
            continue  # the page Evaluation says why
    return found
