"""What `export` does: the results of a run as tidy tables and pictures, in a folder that is there whole or not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import typer

from analyzer.commands.picture_formats import Picture
from analyzer.commands.pictures import Named, NoPictures, write_pictures
from analyzer.commands.report import best_of
from analyzer.commands.run_settings import ExportSettings
from analyzer.commands.table_files import Format, length_of, require_writer, table_file
from shared.errors import RunError, SchemaError, UsageError
from shared.files import write_json_atomic
from shared.findings.text import counted
from shared.json_answer import print_json
from shared.metrics import read_metrics
from shared.pages.report.choice import no_results
from shared.pages.report.gather import gather
from shared.results import ResultStore, file_prefix
from shared.run import Run
from shared.tables import logged
from shared.tables.parts import KEY, CheckpointResults, Columns, Table
from shared.tables.registry import TABLES, checkpoint_results, described
from shared.user_paths import expanded, make_output
from shared.version import __version__
from shared.views import get


def export(settings: ExportSettings) -> None:
    """Write the folder. Raises UsageError for one that holds something, RunError for a run without results."""
    run = settings.opened()
    require_writer(settings.format)
    if not ResultStore(run.results).checkpoints():
        raise RunError(no_results(run))
    notes: list[str] = []
    with new_folder(settings.to) as folder:
        counts = write_tables(run, folder, settings.format, notes)
        pictures = _pictures(run, folder / "pictures", settings.formats, notes)
        contents = _write_contents(run, folder, counts, pictures)
    if settings.as_json:
        told = {"folder": str(expanded(settings.to or "").absolute()), **contents, "notes": notes}
        return print_json("export", run.path, told)
    rows = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    typer.echo(
        f"{counted(len(counts), 'table')} (rows: {rows}) and {counted(pictures, 'picture')} in {settings.to}"
    )
    for note in notes:
        typer.echo(note, err=True)
    return None


@contextmanager
def new_folder(target: Path | None) -> Iterator[Path]:
    """A folder to fill, which becomes `target` once the block has ended well; else nothing is left of it."""
    if target is None:
        raise UsageError("Say where the export goes: --to DIR, a folder that is not there yet.")
    target = expanded(target).absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} is there already; give --to another folder, or remove it.")
    make_output(target.parent)
    aside = _aside(target)
    try:
        yield aside
        aside.chmod(0o755)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    """A new folder beside `target`. Raises UsageError where none can be made."""
    try:
        return Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise UsageError(
            f"{target.parent} cannot be written ({error.strerror}); give --to another place."
        ) from error


def write_tables(run: Run, folder: Path, kind: Format, notes: list[str]) -> dict[str, int]:
    """Every table; returns how many rows each has. What cannot be read is told in `notes`, once."""
    faults: dict[str, None] = {}
    unread: list[str] = []
    with ExitStack() as stack:
        files = {
            table.name: stack.enter_context(
                table_file(folder / f"{table.name}.{kind}", (*KEY, *table.columns), kind)
            )
            for table in TABLES
        }
        for results in checkpoint_results(run, unread):
            for table in TABLES:
                try:
                    files[table.name].add(_with_key(table, results))
                except SchemaError as error:
                    faults[str(error)] = None
    counts = {name: file.rows for name, file in files.items()}
    path = folder / f"{logged.NAME}.{kind}"
    with table_file(path, logged.COLUMNS, kind) as file:
        file.add(logged.logged_columns(read_metrics(run)))
        counts[logged.NAME] = file.rows
    notes += [f"Left out: {fault}" for fault in dict.fromkeys([*unread, *faults])]
    return counts


def _with_key(table: Table, results: CheckpointResults) -> Columns:
    found = table.rows(results)
    count = length_of(found)
    if not count:
        return {}
    key = {"checkpoint": results.name, "step": results.step, "epoch": results.epoch}
    return {**{name: [value] * count for name, value in key.items()}, **found}


def _pictures(run: Run, folder: Path, formats: tuple[Picture, ...], notes: list[str]) -> int:
    if not formats:
        return 0
    try:
        return len(write_pictures(folder, list(_figures(run, notes)), formats))
    except NoPictures as reason:
        shutil.rmtree(folder, ignore_errors=True)
        notes.append(f"No pictures: {reason}.")
        return 0


def _figures(run: Run, notes: list[str]) -> Iterator[Named]:
    """Of the newest, best and first checkpoint every figure, and those over the run."""
    material = gather(run, best_of(run))
    for checkpoint in material.shown:
        for record in checkpoint.records.values():
            try:
                panels = get(record.analysis).panels(record)
            except SchemaError as error:
                notes.append(f"No picture: {error}")
                continue
            prefix = file_prefix(record.step, record.epoch, record.checkpoint)
            yield from (Named(f"{prefix}_{panel.stem}", panel) for panel in panels)
    yield from (Named(panel.stem, panel) for panel in material.over_run)


def _write_contents(run: Run, folder: Path, counts: dict[str, int], pictures: int) -> dict[str, Any]:
    """export.json: what is here, and what each column holds."""
    tables = [
        {
            "name": name,
            "row": row,
            "rows": counts[name],
            "columns": [column._asdict() for column in columns],
        }
        for name, row, columns in described()
    ]
    contents = {"run": run.name, "midwatch": __version__, "pictures": pictures, "tables": tables}
    write_json_atomic(folder / "export.json", contents, durable=False)
    return contents
