"""What `retry` and `render` do: failed attempts forgotten, figures drawn again."""

from __future__ import annotations

import typer

from analyzer.commands.run_settings import RenderSettings, RetrySettings
from analyzer.supervisor.retrying import forget_failures
from shared.errors import RunError, SchemaError
from shared.json_answer import files_told, print_json
from shared.records import CheckpointState
from shared.run import Run, find_runs
from shared.status_file import read_status


def retry(settings: RetrySettings) -> None:
    """Forget failed attempts, so that a running or later analyzer tries again. Raises UsageError for a bad name."""
    run = settings.opened()
    asked = [name if not name.isdigit() else f"checkpoint-{name}" for name in settings.checkpoints]
    names = forget_failures(run, asked)
    if not names:
        typer.echo(_nothing_to_retry(run, asked))
        return
    typer.echo(f"To be tried again: {', '.join(names)}. `midwatch watch {run.path} --once` does it now.")


def _nothing_to_retry(run: Run, asked: list[str]) -> str:
    """That no attempt failed; and of what was refused without one, that it is looked at again by itself."""
    try:
        rows = read_status(run.status).checkpoints
    except (OSError, SchemaError):
        rows = []
    rejected = [row for row in rows if row.state == CheckpointState.REJECTED]
    refused = [row for row in rejected if not asked or row.checkpoint in asked]
    if not refused:
        return f"Nothing has failed in {run.name}."
    causes = " ".join(f"{row.checkpoint}: {row.cause}" for row in refused)
    return (
        f"No attempt failed in {run.name}, but refused without one: {causes} It is looked at again by itself once "
        "that is mended."
    )


def render(settings: RenderSettings) -> None:
    """Draw all figures again from committed results. Raises MidwatchError when a result cannot be read."""
    from shared.pages.render import render_run

    run = settings.opened()
    written = render_run(run)
    if not written:
        runs = [path for path in find_runs(run.path) if path != run.path]
        advice = f"render one of its runs, e.g. {runs[0]}" if runs else f"run `midwatch analyze {run.path}`"
        raise RunError(f"{run.path} has no results {'of its own' if runs else 'yet'}; {advice}.")
    if settings.as_json:
        return print_json("render", run.path, {"files": files_told(written)})
    typer.echo(f"{len(written)} files in {run.visualizations}")
    return None
