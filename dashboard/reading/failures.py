"""A checkpoint's wrong verdicts, told once for each version of the run; no result is read twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from dashboard.reading import cached
from dashboard.reading.overview import probes_of, standing_of
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.errors import SchemaError
from shared.records import Probe
from shared.results_index import ResultFile
from shared.views.failures.groups import GroupRow, group_rows
from shared.views.failures.wrong import Failures, failures_of
from shared.views.overview.facts import CheckpointFacts


class Told(NamedTuple):
    """The wrong verdicts of a checkpoint, and their groups."""

    failures: Failures
    groups: list[GroupRow]


def failures_at(snapshot: Snapshot, view: CheckpointView) -> Told | None:
    """The wrong verdicts of a checkpoint; None where they are not known prompt by prompt, or the probe set is not
    there any more. The verdicts of all checkpoints come from the overview's facts, which are kept by result."""
    facts = standing_of(snapshot).facts
    shown = next((each for each in facts if each.name == view.name), None)
    probes = probes_of(snapshot.run, shown.probe_digest) if shown is not None and shown.judged else []
    if shown is None or not probes:
        return None
    file = view.results.get("tokens")
    place = (str(snapshot.run.path), str(snapshot.run.out), view.name, shown.probe_digest)
    stamps = (snapshot.version, hash(tuple(each.label for each in facts)))
    return _told(place, stamps, facts, probes, file)


def probes_judged(snapshot: Snapshot, view: CheckpointView) -> list[tuple[Probe, bool]]:
    """Every probe of the set that the checkpoint was judged on, with whether it is judged wrongly; empty where that
    is not known. Of `failures_at` the part that costs nothing."""
    shown = next((each for each in standing_of(snapshot).facts if each.name == view.name), None)
    if shown is None or shown.verdicts is None:
        return []
    probes = probes_of(snapshot.run, shown.probe_digest)
    scores, unsafe = shown.verdicts
    if len(probes) != len(scores):
        return []
    wrong = np.isfinite(scores) & ((scores > 0) != unsafe)
    return list(zip(probes, wrong.tolist(), strict=True))


@st.cache_resource(show_spinner=False, max_entries=16)
def _told(
    place: tuple[str, ...],
    stamps: tuple[int, ...],
    _facts: Sequence[CheckpointFacts],
    _probes: Sequence[Probe],
    _file: ResultFile | None,
) -> Told | None:
    tokens = cached.typed(_file, "tokens")
    why = "words not analysed" if _file is None else "words unreadable" if tokens is None else ""
    found = failures_of(_facts, place[2], _probes, tokens, why)
    return None if found is None else Told(found, group_rows(found))


def lens_of(view: CheckpointView) -> np.ndarray | None:
    """(n, layers + 1) the score read early of every probe, nats; None where the results hold none, or of other
    prompts or weights than the verdicts."""
    file, verdicts = view.results.get("layers"), view.results.get("progress")
    if file is None or verdicts is None:
        return None
    try:
        fits = cached.load(file).fits(cached.load(verdicts))
    except (SchemaError, OSError):
        return None
    return _lens(file.path, file.mtime_ns) if fits else None


@st.cache_resource(show_spinner=False, max_entries=16)
def _lens(path: str, mtime_ns: int) -> np.ndarray | None:
    lens = cached.whole_tensor(ResultFile(path, mtime_ns), "lens")
    return None if lens is None else lens.astype(float)
