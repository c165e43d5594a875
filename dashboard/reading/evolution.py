"""What the page *Evolution* reads of every checkpoint, each result once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView, Snapshot
from dashboard.reading.unit_values import Place, values_of
from shared.errors import SchemaError
from shared.findings.comparison import ComparisonResult
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import Typed, typed_result
from shared.results_index import ResultFile
from shared.views import Panel
from shared.views.over_run.play import MOST_FRAMES, Scene, play_panel
from shared.views.over_run.unit_drift import UnitCourse, drift_panel
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


def units_drift(snapshot: Snapshot) -> list[Panel]:
    """Heads and neurons that carry the verdict, by checkpoint; empty where none was removed anywhere."""
    run = snapshot.run
    labels = hash(tuple((view.name, view.label) for view in snapshot.checkpoints))
    panel = _units_drift(str(run.path), str(run.out), snapshot.version, labels, snapshot)
    return [panel] if panel is not None else []


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=4)
def _units_drift(path: str, out: str, version: int, labels: int, _snapshot: Snapshot) -> Panel | None:
    have = [view for view in _snapshot.checkpoints if view.results.keys() & UNITS.keys()]
    shown = [have[place] for place in drawn(len(have), MOST_ALIKE)]
    courses = [course for analysis in UNITS for course in _courses(shown, analysis)]
    return drift_panel(courses, [view.label for view in shown], [view.name for view in shown])


def film(snapshot: Snapshot) -> list[Panel]:
    """The run checkpoint by checkpoint; empty where less than two are compared."""
    run = snapshot.run
    labels = hash(tuple((view.name, view.label) for view in snapshot.checkpoints))
    panel = _film(str(run.path), str(run.out), snapshot.version, labels, snapshot)
    return [panel] if panel is not None else []


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=4)
def _film(path: str, out: str, version: int, labels: int, _snapshot: Snapshot) -> Panel | None:
    have = [view for view in _snapshot.checkpoints if "comparison" in view.results]
    scenes = []
    for view in (have[place] for place in drawn(len(have), MOST_FRAMES)):
        auroc, heads = _passing(view).auroc, view.results.get("heads")
        if auroc is not None:
            effect = cached.whole_tensor(heads, "effect") if heads is not None else None
            scenes.append(
                Scene(view.name, view.label, auroc, effect if effect is not None and effect.ndim == 2 else None)
            )
    return play_panel(scenes, len(have))


def _courses(shown: Sequence[CheckpointView], analysis: str) -> list[UnitCourse]:
    """The units of one analysis that were removed alone, over the checkpoints of `shown`.

    Where another checkpoint's result does not name one that carries, its tensors have its effect.
    """
    letter, field = UNITS[analysis]
    rows: dict[Place, dict[int, Any]] = {}
    for number, view in enumerate(shown):
        result = cached.typed(view.results.get(analysis), analysis)
        for row in result.top if result is not None else []:
            rows.setdefault((row.layer, getattr(row, field)), {})[number] = row
    found = []
    for place, known in rows.items():
        removed = tuple(known[at].ablation.carries if at in known else None for at in range(len(shown)))
        elsewhere = shown if any(removed) else []
        effects = {
            at: values_of(view.results.get(analysis), place).get("effect") for at, view in enumerate(elsewhere)
        }
        effects |= {at: row.effect.value for at, row in known.items()}
        course = tuple(effects.get(at) for at in range(len(shown)))
        found.append(UnitCourse(f"L{place[0]}.{letter}{place[1]}", course, removed))
    return found


UNITS = {"heads": ("H", "head"), "neurons": ("N", "neuron")}
"""Analysis -> the letter before a unit's number, and the field of a row that holds it."""


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
