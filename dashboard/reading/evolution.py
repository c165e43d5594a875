"""What the page *Evolution* reads of every checkpoint, each result once."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.errors import SchemaError
from shared.findings.comparison import ComparisonResult
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import Typed, typed_result
from shared.results_index import ResultFile
from shared.views import Panel
from shared.views.over_run.whole_run import MOST_ALIKE, Passing, decides_panel, drawn, similarity_panel


def decides(snapshot: Snapshot) -> list[Panel]:
    """Where the judge decides, by checkpoint; empty where nothing is compared yet."""
    run = snapshot.run
    labels = hash(tuple((view.name, view.label) for view in snapshot.checkpoints))
    panel = _decides(str(run.path), str(run.out), snapshot.version, labels, snapshot)
    return [panel] if panel is not None else []


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=4)
def _decides(path: str, out: str, version: int, labels: int, _snapshot: Snapshot) -> Panel | None:
    return decides_panel([_passing(view) for view in _snapshot.checkpoints if view.results])


def alike(snapshot: Snapshot) -> tuple[list[Panel], list[CheckpointView]]:
    """How alike checkpoints are, and which the map's places are; empty where none can be compared."""
    run = snapshot.run
    labels = hash(tuple((view.name, view.label) for view in snapshot.checkpoints))
    panel, views = _alike(str(run.path), str(run.out), snapshot.version, labels, snapshot)
    return ([panel] if panel is not None else []), views


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=4)
def _alike(
    path: str, out: str, version: int, labels: int, _snapshot: Snapshot
) -> tuple[Panel | None, list[CheckpointView]]:
    have = [view for view in _snapshot.checkpoints if "evolution" in view.results]
    found = [(have[place], _last_gram(have[place].results["evolution"])) for place in drawn(len(have), MOST_ALIKE)]
    known = [(view, gram) for view, gram in found if gram is not None]
    if known:  # those over the newest's prompts: the probe set may have changed on the way
        shape, digest = known[-1][1].shape, _digest(known[-1][0])
        known = [(view, gram) for view, gram in known if gram.shape == shape and _digest(view) == digest]
    views = [view for view, _ in known]
    panel = similarity_panel(
        [view.label for view in views], [gram for _, gram in known], [v.name for v in views], len(have)
    )
    return panel, views


def _last_gram(file: ResultFile) -> np.ndarray | None:
    """(n, n) of the last layer alone, as the others of a deep judge are megabytes; None without."""

    def last(gram: Any) -> np.ndarray | None:
        points, *rows = gram.get_shape()
        return gram[points - 1] if points and len(rows) == 2 and rows[0] == rows[1] else None

    return cached.tensor(file, "gram", last)


def _digest(view: CheckpointView) -> str:
    try:
        return cached.load(view.results["evolution"]).probe_digest
    except (SchemaError, OSError):
        return ""


def _passing(view: CheckpointView) -> Passing:
    files = [view.results.get(name) for name in ("comparison", "evolution")]
    key = "|".join([view.label, *(f"{file.path}:{file.mtime_ns}" for file in files if file is not None)])
    return _read(key, view)


@st.cache_resource(show_spinner=False, max_entries=8192)
def _read(key: str, _view: CheckpointView) -> Passing:
    compared = _typed(_view, "comparison", ComparisonResult)
    changed = _typed(_view, "evolution", EvolutionResult)
    return Passing(
        _view.name,
        _view.label,
        None if compared is None else tuple(point.auroc.value for point in compared.points),
        None if compared is None else compared.divergence_layer,
        None if changed is None else changed.verdicts,
        () if changed is None else tuple(each.brief for each in changed.alerts if each.severity == "alarm"),
    )


def _typed(view: CheckpointView, name: str, model: type[Typed]) -> Typed | None:
    """None without, or where it cannot be read: the page Training Visualizations says why."""
    file = view.results.get(name)
    if file is None:
        return None
    try:
        return typed_result(cached.parsed(file), model)
    except (SchemaError, OSError):
        return None
