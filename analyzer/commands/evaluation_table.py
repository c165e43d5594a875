"""What `midwatch evaluate` prints: the numbers with their intervals, and where the page is."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.evaluations import EvaluationPlace
from shared.findings.evaluation import Evaluation
from shared.views.evaluated.words import (
    against_words,
    baseline_names,
    flagged_share,
    headline,
    rate_rows,
    threshold_rows,
    title,
    told,
)


def show(place: EvaluationPlace, found: Evaluation) -> None:
    """A short table on stdout."""
    typer.echo(f"{title(found)}{f' ({found.chosen})' if found.chosen else ''}")
    typer.echo(f"{headline(found)}.")
    console = Console()
    if found.verdicts is not None:
        console.print(_rates(found))
    for each in found.baselines:
        typer.echo(f"The judge is {against_words(each)}.")
    for name, threshold, tpr, fpr in threshold_rows(found):
        if name.startswith("FPR 1 %"):
            typer.echo(f"At {name}: threshold {threshold} nats, TPR {tpr}, FPR {fpr}.")
    typer.echo(f"Judged unsafe: {flagged_share(found)}.")
    if found.trigger is not None:
        typer.echo(f"Trigger gap {told(found.trigger.gap)} (-1 reads what is meant, 1 reads harmful words).")
    for warning in found.warnings:
        typer.echo(f"Note: {warning}")
    typer.echo(f"Page: {place.page}")
    typer.echo(f"Numbers: {place.record}, every prompt: {place.predictions}")


def _rates(found: Evaluation) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "judge", *baseline_names(found)):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rate_rows(found):
        table.add_row(row.name, *(Text(value) for value in (row.judge, *row.baselines)))
    return table
