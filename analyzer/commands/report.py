"""What `report` does: one page about a run, and on wish the block for a model card."""

from __future__ import annotations

import errno

import typer

from analyzer.commands.best_checkpoint import best_checkpoint
from analyzer.commands.run_settings import ReportSettings
from analyzer.supervisor.schedule import Point
from shared.checkpoint_places import step_at
from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.json_answer import files_told, print_json
from shared.pages.index import write_index
from shared.pages.report.choice import Best
from shared.pages.report.gather import gather
from shared.pages.report.model_card import CARD_MARK, model_card
from shared.pages.report.page import ENDINGS, refuse_others, write_report
from shared.results import ResultStore
from shared.run import Run
from shared.user_paths import expanded, make_output


def report(settings: ReportSettings) -> None:
    """Write the report. Raises RunError for a run without results, UsageError for a place that holds something."""
    run = settings.opened()
    own = run.visualizations / "report.html"
    target = own if settings.to is None else expanded(settings.to).absolute()
    material = gather(run, best_of(run))
    make_output(target.parent)
    try:
        written = write_report(material, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UsageError(f"{target} cannot be written ({error.strerror}); give --to another place.") from error
    if settings.model_card:
        card = (
            target.with_name(f"{target.stem}_model_card.md")
            if target.suffix.lower() in ENDINGS
            else target / "README.md"
        )
        refuse_others(card, CARD_MARK)
        write_bytes_atomic(card, model_card(material).encode("utf-8", "replace"), durable=False)
        written.append(card)
    if target == own:
        write_index(run, material.notices)
    if settings.as_json:
        return print_json("report", run.path, {"files": files_told(written)})
    for path in written:
        typer.echo(f"{path} ({_size(path.stat().st_size)})")
    return None


def _size(count: int) -> str:
    """ "5.3 MB", "4 kB" """
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{max(1, round(count / 1e3))} kB"


def best_of(run: Run) -> Best | None:
    """Of the checkpoints with results the one that was best on validation; None where nothing logged says so."""
    places = run.places()
    known = [Point(name, step_at(name, places), None) for name in ResultStore(run.results).checkpoints()]
    best = best_checkpoint(run, known)
    return None if best is None else Best(best.point.name, best.by)
