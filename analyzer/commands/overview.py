"""What `midwatch overview` prints: which checkpoint is the best, which one to ship, and the table of all; of
a folder, a line a run. The sentences and numbers are those of the dashboard's first page (docs/overview.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analyzer.commands.run_settings import OverviewSettings
from shared.errors import MidwatchError, RunError
from shared.findings.text import clean, counted
from shared.json_answer import print_json
from shared.pages.report.choice import no_results
from shared.run import Run, find_runs
from shared.views.overview.gather import facts_of_run, groups_of
from shared.views.overview.standing import MOST_FPR, Standing, standing
from shared.views.overview.table import numbers, table
from shared.views.overview.verdict import verdict

SHOWN = (
    "checkpoint",
    "mark",
    "FNR (probe set)",
    "FPR (probe set)",
    "AUC (probe set)",
    "both twins right (contrast pairs)",
    "loss (validation)",
    "against the best (probe set)",
)
"""Columns that fit a terminal; --json has all of them."""
MOST_ROWS = 30


def overview(settings: OverviewSettings) -> None:
    """Raises RunError where no run has results."""
    limit = MOST_FPR if settings.max_fpr is None else settings.max_fpr
    root = settings.opened()
    paths = [root.path] if settings.out is not None else find_runs(root.path) or [root.path]
    found, unseen = _found(paths, settings.out, limit)
    if not found and unseen:
        raise RunError(" ".join(unseen.values()))
    if not found:
        raise RunError(no_results(root) if len(paths) == 1 else f"None of the runs in {root.path} has results yet.")
    for path, why in unseen.items():
        typer.echo(f"{clean(path.name)}: {why}", err=True)
    if settings.as_json:
        return print_json("overview", root.path, {"runs": [_told(run, known) for run, known in found]})
    for run, known in found:
        typer.echo(f"{clean(run.name)}: {' '.join(verdict(known).sentences)}")
    if len(found) == 1:
        _show_table(known=found[0][1])
    return None


def _found(paths: list[Path], out: Path | None, limit: float) -> tuple[list[tuple[Run, Standing]], dict[Path, str]]:
    """The runs with results, and why others cannot be read: what is wrong with one does not hide the others."""
    found, unseen = [], {}
    for path in paths:
        try:
            run = Run.at(path, out)
            known = _known(run, limit)
        except (MidwatchError, OSError) as error:
            unseen[path] = str(error)
            continue
        if known is not None:
            found.append((run, known))
    return found, unseen


def _known(run: Run, limit: float) -> Standing | None:
    """None of a run without results."""
    facts = facts_of_run(run)
    return standing(facts, groups_of(run, facts), limit) if facts else None


def _told(run: Run, known: Standing) -> dict[str, Any]:
    said = verdict(known)
    return {
        "path": str(run.path),
        "name": run.name,
        "best": known.best.name if known.best else None,
        "ship": known.ship.name if known.ship else None,
        "max_fpr": known.limit,
        "sentences": said.sentences,
        "checkpoints": numbers(known),
    }


def _show_table(known: Standing) -> None:
    rows = table(known)
    if not rows:
        return
    shown = Table(*(Column(name, overflow="fold") for name in SHOWN), box=None, pad_edge=False)
    for row in rows[:MOST_ROWS]:
        shown.add_row(*(Text(clean(row.cells[name])) for name in SHOWN))
    console = Console()
    console.print(shown)
    more = len(rows) - MOST_ROWS
    if more > 0:
        typer.echo(f"{counted(more, 'older checkpoint')}; --json has all.")
