"""Draws what is committed into `training_visualizations/`: a page a figure, JSON, progress over the run, an index.

Everything here follows from the results and can be drawn again at any time (`midwatch render`); files are replaced
in one step, so that a reader meets the old or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.errors import SchemaError
from shared.evaluations import all_evaluations
from shared.files import read_record, write_bytes_atomic, write_json_atomic
from shared.metrics import read_metrics
from shared.notices import newest_notices, settled, standing
from shared.pages.attack import draw_attacks
from shared.pages.evaluation import write_evaluation_page
from shared.pages.html import write_page
from shared.pages.index import INDEX, write_index
from shared.pages.metrics_json import checkpoint_metrics
from shared.pages.run_history import history
from shared.records import KEEPS_THE_NEXT, GoneRecord
from shared.results import ResultRecord, ResultStore, file_prefix
from shared.run import Run
from shared.views import Panel, View, all_views

NOTHING: Mapping[str, Any] = MappingProxyType({})
LOST_NAMED = 5
"""Lost checkpoints that a page names."""


def render_checkpoint(
    run: Run,
    checkpoint: str,
    names: Collection[str] | None = None,
    cannot: Mapping[str, str] = NOTHING,
) -> list[Path]:
    """Draw every committed result of one checkpoint, the progress over the run, and the index.

    `names` are the analyses that are new: where they are given, only what shows these is drawn. `cannot` is what
    was just found not to be computable (analysis -> why) and may not be noted on disk yet. Returns the files
    written. A result that cannot be read does not stop the others: SchemaError names all such results at the end.
    Raises OSError when the folder cannot be written.
    """
    faults: list[str] = []
    written = _draw_checkpoint(run, checkpoint, faults, names)
    return _finish(run, written, faults, names, {checkpoint: cannot})


def render_run(run: Run) -> list[Path]:
    """Draw all committed results and evaluations of a run; returns and raises as `render_checkpoint` does."""
    faults: list[str] = []
    written = [
        path
        for checkpoint in ResultStore(run.results).checkpoints()
        for path in _draw_checkpoint(run, checkpoint, faults)
    ]
    try:
        written += draw_attacks(run)
    except SchemaError as error:
        faults.append(str(error))
    written += _draw_evaluations(run, faults)
    return _finish(run, written, faults)


def _draw_evaluations(run: Run, faults: list[str]) -> list[Path]:
    written = []
    for place in all_evaluations(run):
        try:
            write_evaluation_page(place, place.read())
            written.append(place.page)
        except SchemaError as error:
            faults.append(str(error))
    return written


def _finish(
    run: Run,
    written: list[Path],
    faults: list[str],
    names: Collection[str] | None = None,
    cannot: Mapping[str, Mapping[str, str]] = NOTHING,
) -> list[Path]:
    """What spans the run, then the report of what could not be drawn."""
    written += _draw_progress(run, names)
    if written:
        write_index(run, newest_notices(run), cannot)
        written.append(run.visualizations / INDEX)
    if faults:
        raise SchemaError(f"Everything else is drawn, but: {' '.join(faults)}")
    return written


def _draw_checkpoint(
    run: Run, checkpoint: str, faults: list[str], names: Collection[str] | None = None
) -> list[Path]:
    """The pages and metrics.json of one checkpoint; unreadable results go to `faults`."""
    written: list[Path] = []
    records: dict[str, ResultRecord] = {}
    for view in all_views():
        new = names is None or view.name in names
        try:
            record = ResultStore(run.results).newest(checkpoint, view.name)
            if record is not None:
                written += _draw_view(run, view, record) if new else []
                records[view.name] = record
        except SchemaError as error:
            faults += [str(error)] if new else []
    if records:
        written.append(_write_metrics(run, records))
    return written


def _draw_view(run: Run, view: View, record: ResultRecord) -> list[Path]:
    prefix, notices = _prefix(record), standing(run, record.notices)
    written = []
    for panel in view.panels(record):
        path = run.visualizations / f"{prefix}_{panel.stem}.html"
        write_page(path, panel, notices, settled(run, record.notices))
        written.append(path)
    return written + _write_exports(run, view, record)


def _prefix(record: ResultRecord) -> str:
    return file_prefix(record.step, record.epoch, record.checkpoint)


def _write_exports(run: Run, view: View, record: ResultRecord) -> list[Path]:
    """The view's JSON documents, on one line each: an indented one of half a million numbers takes seconds."""
    if view.exports is None:
        return []
    written = []
    for stem, document in view.exports(record, ResultStore(run.results).tensors(record)).items():
        path = run.visualizations / f"{_prefix(record)}_{stem}.json"
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        write_bytes_atomic(path, text.encode("utf-8", "surrogatepass"), durable=False)
        written.append(path)
    return written


def _write_metrics(run: Run, records: dict[str, ResultRecord]) -> Path:
    record = next(iter(records.values()))
    path = run.visualizations / f"{_prefix(record)}_metrics.json"
    newest = max(records.values(), key=lambda each: each.created_at)
    write_json_atomic(path, checkpoint_metrics(records, standing(run, newest.notices)), durable=False)
    return path


def panels_over_run(run: Run, names: Collection[str] | None = None) -> Iterator[tuple[Panel, set[str]]]:
    """The figures over the whole run, from whatever can be read; with each, warnings that hold no more.

    `names` are the analyses that are new: where they are given, only what reads these.
    """
    if not ResultStore(run.results).checkpoints():
        return
    lines, lost = read_metrics(run), lost_words(run)
    for view in all_views():
        if names is not None and view.run_reads.isdisjoint(names):
            continue
        if view.run_panels is None:
            continue
        records = history(run, view.run_reads)
        over = settled(run, (notice for record in records for notice in record.notices))
        for panel in view.run_panels(records, lines):
            yield replace(panel, badge=f"{panel.badge} · WARNING: {lost}") if lost else panel, over


def _draw_progress(run: Run, names: Collection[str] | None = None) -> list[Path]:
    written = []
    notices = newest_notices(run)
    for panel, over in panels_over_run(run, names):
        path = run.visualizations / f"{panel.stem}.html"
        write_page(path, panel, notices, over)
        written.append(path)
    return written


def lost_words(run: Run) -> str:
    """A sentence about the checkpoints that are missing from every figure over the run; empty where none are."""
    try:
        lost = [each.checkpoint for each in read_record(run.gone, GoneRecord).checkpoints]
    except (OSError, SchemaError):
        return ""
    if not lost:
        return ""
    named = ", ".join(lost[:LOST_NAMED]) + (", ..." if len(lost) > LOST_NAMED else "")
    were, are = ("1 checkpoint was", "is") if len(lost) == 1 else (f"{len(lost)} checkpoints were", "are")
    return f"{were} deleted before being analysed, and {are} missing here: {named}. {KEEPS_THE_NEXT}"
