"""What `retry` and `render` do: failed attempts forgotten, figures drawn again."""

from __future__ import annotations

import typer

from analyzer.commands.settings import RenderSettings, RetrySettings
from analyzer.supervisor.attempts import Ledger
from shared.errors import RunError, UsageError
from shared.run import Run, find_runs, step_of


def retry(settings: RetrySettings) -> None:
    """Forget failed attempts, so that a running or later analyzer tries again. Raises UsageError for a bad name."""
    run = Run.at(settings.run, settings.out)
    ledger = Ledger(run.attempts)
    asked = [name if not name.isdigit() else f"checkpoint-{name}" for name in settings.checkpoints]
    if wrong := [name for name in asked if step_of(name) is None]:
        raise UsageError(f"{wrong[0]!r} is not a checkpoint; write checkpoint-120 or 120.")
    names = [name for name in asked or ledger.checkpoints() if ledger.reset(name)]
    if not names:
        typer.echo(f"Nothing has failed in {run.name}.")
        return
    typer.echo(f"To be tried again: {', '.join(names)}. `midwatch watch {run.path} --once` does it now.")


def render(settings: RenderSettings) -> None:
    """Draw all figures again from committed results. Raises MidwatchError when a result cannot be read."""
    from shared.pages.render import render_run

    run = Run.at(settings.run, settings.out)
    written = render_run(run)
    if not written:
        runs = [path for path in find_runs(run.path) if path != run.path]
        advice = f"render one of its runs, e.g. {runs[0]}" if runs else f"run `midwatch analyze {run.path}`"
        raise RunError(f"{run.path} has no results {'of its own' if runs else 'yet'}; {advice}.")
    typer.echo(f"{len(written)} files in {run.visualizations}")
