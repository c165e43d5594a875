"""`midwatch analyze` on a run that an analyzer has: the same analyses, asked of that one."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from analyzer.commands import answering
from analyzer.commands.settings import AnalyzeSettings
from shared.errors import UsageError
from shared.requests.folder import keep_probes
from shared.requests.record import Analyze, checked
from shared.run import Run

ITS_OWN = ("safe_label", "unsafe_label", "family", "pattern", "ready_marker")
"""Options that say how a run is read: who analyses it already was told."""


def ask_for(settings: AnalyzeSettings, run: Run, checkpoints: Sequence[str]) -> None:
    """File the request and wait for its end.

    Raises UsageError for what the running analyzer cannot be told, MidwatchError for what failed.
    """
    if told := [name for name in ITS_OWN if getattr(settings, name)]:
        raise UsageError(
            f"{run.name} is being analysed by another analyzer, which cannot be told --{told[0].replace('_', '-')} "
            "any more; stop it first, or leave that out."
        )
    what = checked(
        Analyze,
        checkpoints=tuple(checkpoints),
        suite=settings.suite,
        only=tuple(settings.only),
        settings=settings.overrides,
        probes=keep_probes(run, settings.probes) if settings.probes else "",
        force=settings.force,
    )
    state = answering.answered(run, what, settings)
    answering.raise_for(state)
    typer.echo(f"{run.name}: figures in {run.visualizations}")
    if state.sentence:
        typer.echo(f"Note: {state.sentence}")
