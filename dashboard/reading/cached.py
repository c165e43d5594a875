"""Cached reads: a result is parsed once for each (path, mtime), a figure drawn once for each result it shows.

Caches are bounded, because a session may visit hundreds of epochs. What they hold is shared and never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from dashboard.reading.snapshot import RunReader
from dashboard.reading.word_pictures import WordPicture, changes, pictures
from shared import views
from shared.attacks import AttackPlace
from shared.checkpoint_places import in_order
from shared.errors import SchemaError
from shared.evaluations import EvaluationPlace
from shared.files import read_record, require_regular
from shared.findings.attack import AttackArchive
from shared.findings.evaluation import Evaluation
from shared.metrics import read_metrics
from shared.records import MetricsLine, RunRecord
from shared.results import TENSORS_FILE, ResultRecord
from shared.results_index import ResultFile
from shared.run import Run
from shared.views import Panel
from shared.views.attacked.panels import attack_panels as panels_of_attack
from shared.views.circuits import panels_of
from shared.views.evaluated.panels import evaluation_panels as panels_of_evaluation
from shared.views.layers import together
from shared.views.over_run.circuit_change import circuit_changes
from shared.views.over_run.run_results import without_samples
from shared.views.tokens import change_panels

Read = TypeVar("Read")


@st.cache_resource(show_spinner=False, max_entries=64)
def reader(path: str, out: str) -> RunReader:
    """The reader of a run, one for all sessions."""
    return RunReader(Run(Path(path), Path(out)))


@st.cache_resource(show_spinner=False, max_entries=32)
def _record(path: str, mtime_ns: int) -> ResultRecord:
    return read_record(Path(path), ResultRecord)


def load(file: ResultFile) -> ResultRecord:
    """One result. Raises SchemaError (damaged, or from a newer Midwatch) or OSError (deleted)."""
    return _record(file.path, file.mtime_ns)


def parsed(file: ResultFile) -> ResultRecord:
    """The same, kept nowhere: for who keeps what it makes of many. Raises as `load` does."""
    return read_record(Path(file.path), ResultRecord)


def beside(file: ResultFile, name: str) -> Path:
    """Another file of the same result."""
    return Path(file.path).with_name(name)


def tensor(file: ResultFile | None, name: str, read: Callable[[Any], Read]) -> Read | None:
    """What `read` takes of the slice of one array that was published with a result; None without it, or where it
    cannot be read: damaged, gone, no regular file, or reached through a link. Nothing else of the file is read."""
    if file is None:
        return None
    path = beside(file, TENSORS_FILE)
    try:
        require_regular(path)
        with safe_open(path, framework="numpy") as opened:
            return read(opened.get_slice(name)) if name in opened.keys() else None  # noqa: SIM118 - not a mapping
    except (SafetensorError, SchemaError, OSError):
        return None


def whole_tensor(file: ResultFile | None, name: str) -> np.ndarray | None:
    """All of it."""
    return tensor(file, name, lambda part: part[:])


def typed(file: ResultFile | None, name: str) -> Any:
    """The typed payload of a result, or None when it is missing or unreadable (its own tab says why)."""
    if file is None:
        return None
    try:
        return _typed(file.path, file.mtime_ns, name)
    except (SchemaError, OSError, ValidationError):
        return None


@st.cache_resource(show_spinner=False, max_entries=32)
def _typed(path: str, mtime_ns: int, name: str) -> BaseModel:
    return views.get(name).result.model_validate(_record(path, mtime_ns).payload)


def _token_changes(record: ResultRecord, baseline: ResultRecord, shown: int) -> list[Panel]:
    return change_panels(record, baseline)


CHANGES: dict[str, Callable[[ResultRecord, ResultRecord, int], list[Panel]]] = {
    "tokens": _token_changes,
    "circuits": circuit_changes,
}
"""The analyses that can draw their change since an earlier result."""
SIZED: dict[str, Callable[[ResultRecord, int, float, str], list[Panel]]] = {"circuits": panels_of}
"""The analyses whose reader chooses how much is drawn."""


TOGETHER: dict[str, Callable[[ResultRecord], list[Panel]]] = {"layers": together}
"""The analyses whose display prompts share one figure here, while each has a page of its own on disk."""


def panels(
    file: ResultFile,
    name: str,
    baseline: ResultFile | None = None,
    shown: int = 0,
    least: float = 0.0,
    node: str = "",
) -> list[Panel]:
    """The figures of one result, or of its change since `baseline`; those of unsafe samples first.

    `shown`, `least` and `node` are what to draw, for those in SIZED. Raises SchemaError, OSError, or what drawing a
    damaged payload raises.
    """
    return _panels(file, name, baseline, shown, least, node)


@st.cache_resource(
    show_spinner=False, max_entries=12, hash_funcs={ResultFile: lambda file: (file.path, file.mtime_ns)}
)
def _panels(
    file: ResultFile, name: str, baseline: ResultFile | None, shown: int, least: float, node: str
) -> list[Panel]:
    record = load(file)
    if baseline is not None:
        found = CHANGES[name](record, load(baseline), shown)
    elif name in TOGETHER:
        found = TOGETHER[name](record)
    else:
        found = SIZED[name](record, shown, least, node) if name in SIZED else views.get(name).panels(record)
    return sorted(found, key=lambda panel: "_unsafe_" not in panel.stem)


def word_pictures(file: ResultFile, baseline: ResultFile | None = None) -> dict[str, WordPicture]:
    """The words of each display prompt by its panel's stem, or of their change since `baseline`. Raises as `panels`
    does."""
    return _word_pictures(file, baseline)


@st.cache_resource(
    show_spinner=False, max_entries=12, hash_funcs={ResultFile: lambda file: (file.path, file.mtime_ns)}
)
def _word_pictures(file: ResultFile, baseline: ResultFile | None) -> dict[str, WordPicture]:
    record = load(file)
    return pictures(record) if baseline is None else changes(record, load(baseline))


def word_shares(file: ResultFile | None, probe_id: str) -> tuple[tuple[str, float], ...]:
    """The words of one display prompt and their shares of its shift; empty where it cannot be read, or has none."""
    return () if file is None else _word_shares(file.path, file.mtime_ns, probe_id)


@st.cache_resource(show_spinner=False, max_entries=4096)
def _word_shares(path: str, mtime_ns: int, probe_id: str) -> tuple[tuple[str, float], ...]:
    try:
        payload = read_record(Path(path), ResultRecord).payload
        samples = views.get("tokens").result.model_validate(payload).samples  # type: ignore[attr-defined]
    except (SchemaError, OSError, ValidationError):
        return ()
    sample = next((each for each in samples if each.probe_id == probe_id), None)
    return tuple((word.text, word.value / sample.shift) for word in sample.words) if sample is not None else ()


@st.cache_resource(show_spinner=False, max_entries=4)
def _run_record(path: str, mtime_ns: int) -> RunRecord | None:
    try:
        return read_record(Path(path), RunRecord)
    except (SchemaError, OSError):
        return None


def run_record(run: Run) -> RunRecord | None:
    """run.json, or None when there is none to read."""
    return _run_record(str(run.record), stamp(run.record))


def stamp(path: Path) -> int:
    """mtime of a file in nanoseconds; 0 when there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_resource(show_spinner=False, max_entries=2)
def _metrics(path: str, out: str, mtime_ns: int) -> list[MetricsLine]:
    return read_metrics(Run(Path(path), Path(out)))


def metrics(run: Run) -> list[MetricsLine]:
    """The logged metrics, in the file's order."""
    return _metrics(str(run.path), str(run.out), stamp(run.metrics))


@st.cache_resource(show_spinner=False, max_entries=4096)
def _slim(path: str, mtime_ns: int) -> ResultRecord | None:
    """A result without its display samples: enough for the curves, small enough to keep for every checkpoint."""
    try:
        return without_samples(read_record(Path(path), ResultRecord))
    except (SchemaError, OSError):
        return None


def history(files: Sequence[ResultFile]) -> list[ResultRecord]:
    """The readable ones of `files`, in the same order, without their display samples."""
    return [record for file in files if (record := _slim(file.path, file.mtime_ns)) is not None]


@st.cache_resource(show_spinner="Reading the results of every checkpoint…", max_entries=3)
def run_panels(path: str, out: str, name: str, version: int, metrics_stamp: int) -> list[Panel]:
    """The figures of an analysis over the whole run, as of a version of its results and of metrics.jsonl."""
    view = views.get(name)
    run_reader = reader(path, out)
    if view.run_panels is None:
        return []
    found = run_reader.index.files()
    files = [
        file
        for checkpoint in in_order(found, run_reader.run.places())
        for analysis, file in found[checkpoint].items()
        if analysis in view.run_reads
    ]
    return view.run_panels(history(files), metrics(run_reader.run))


@st.cache_resource(show_spinner=False, max_entries=32)
def _evaluation(record: str, mtime_ns: int) -> Evaluation:
    return read_record(Path(record), Evaluation)


def evaluation(place: EvaluationPlace) -> Evaluation:
    """One evaluation. Raises SchemaError (damaged, or from a newer Midwatch) or OSError (deleted)."""
    return _evaluation(str(place.record), stamp(place.record))


@st.cache_resource(show_spinner=False, max_entries=16)
def _evaluation_panels(record: str, mtime_ns: int) -> list[Panel]:
    return panels_of_evaluation(_evaluation(record, mtime_ns))


def evaluation_panels(place: EvaluationPlace) -> list[Panel]:
    """Its figures. Raises as `evaluation` does."""
    return _evaluation_panels(str(place.record), stamp(place.record))


@st.cache_resource(show_spinner=False, max_entries=16, hash_funcs={AttackPlace: lambda place: str(place.archive)})
def _attack(place: AttackPlace, mtime_ns: int) -> AttackArchive:
    return place.read_archive()


def attack(place: AttackPlace) -> AttackArchive:
    """One attack. Raises SchemaError (damaged, or of another version) or OSError (deleted)."""
    return _attack(place, stamp(place.archive))


@st.cache_resource(show_spinner=False, max_entries=8, hash_funcs={AttackPlace: lambda place: str(place.archive)})
def _attack_panels(place: AttackPlace, mtime_ns: int) -> list[Panel]:
    return panels_of_attack(_attack(place, mtime_ns))


def attack_panels(place: AttackPlace) -> list[Panel]:
    """Its figures. Raises as `attack` does."""
    return _attack_panels(place, stamp(place.archive))
