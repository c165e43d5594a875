"""What `midwatch cancel` does: a request taken back."""

from __future__ import annotations

import time

import typer

from analyzer.commands.run_settings import CancelSettings
from analyzer.supervisor.lease import holder
from shared.errors import UsageError
from shared.requests.folder import file_request, state_of, withdraw
from shared.requests.record import Cancel, checked


def cancel(settings: CancelSettings) -> None:
    """Raises UsageError where there is no such request, or it is answered already."""
    run = settings.opened()
    what = checked(Cancel, request=settings.request)
    state = state_of(run, settings.request)
    if state is None:
        raise UsageError(f"There is no request {settings.request} in {run.name}; `midwatch status` lists them.")
    if state.final:
        raise UsageError(f"The request {settings.request} is {state.state} already.")
    if holder(run.lease, time.time()) is None:
        withdraw(run, settings.request, time.time())
        typer.echo("Cancelled: no analyzer had it.")
        return
    file_request(run, what, session="cli")
    typer.echo("Asked the analyzer to stop it.")
