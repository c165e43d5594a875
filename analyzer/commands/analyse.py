"""What `watch` and `analyze` do, once their settings are read."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from analyzer.checkpoints.gate import peek_epoch
from analyzer.commands.checkpoint_choice import select
from analyzer.commands.needed import NEEDED, require
from analyzer.commands.progress_line import Reporter
from analyzer.commands.settings import (
    AnalyzeSettings,
    ComputeSettings,
    WatchSettings,
)
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from shared.errors import MidwatchError, RunError
from shared.logs import as_json, entry, set_up
from shared.own_folders import remove_directory
from shared.records import CheckpointState
from shared.run import Run, find_runs, step_of

if TYPE_CHECKING:
    from analyzer.supervisor.loop import Supervisor

logger = logging.getLogger(__name__)

FAILED = (CheckpointState.QUARANTINED, CheckpointState.REJECTED)
NOT_DONE = (*FAILED, CheckpointState.INCOMPLETE, CheckpointState.GONE)


def watch(settings: WatchSettings) -> None:
    """Run the supervisor until it is stopped, or with --once until nothing is left. Raises MidwatchError."""
    set_up(settings.log_format)
    targets = [_directory(path) for path in settings.runs]
    plan = settings.plan(
        policy=settings.policy,
        interval=settings.interval,
        slot=settings.slot,
        quiet_s=settings.quiet_after * 60,
        rescan_s=settings.rescan,
        once=settings.once,
    )
    _serve(settings, targets, plan, FAILED if settings.once else (), settings.out)


def analyze(settings: AnalyzeSettings) -> None:
    """Analyse selected checkpoints of one run, then end. Raises MidwatchError naming what could not be done."""
    set_up(settings.log_format)
    run = Run.at(settings.run, settings.out)
    names = run.checkpoints()
    if not names:
        hint = "; give one run of the folder" if find_runs(run.path) else ""
        raise RunError(f"{run.path} has no checkpoint-<step> directories to analyse{hint}.")
    known = [Point(name, step_of(name) or 0, peek_epoch(run, name)) for name in names]
    chosen = select(known, settings.epochs, settings.steps, settings.last, settings.every)
    plan = settings.plan(policy="all", selected=frozenset(chosen), force=settings.force, once=True)
    if settings.null:
        return _analyze_null(settings, run, next(point for point in known if point.name == chosen[-1]), plan)
    _serve(settings, [_directory(settings.run)], plan, NOT_DONE, settings.out)
    return None


def _analyze_null(settings: AnalyzeSettings, run: Run, point: Point, plan: Plan) -> None:
    """An untrained copy of one checkpoint through the same suite. Raises MidwatchError when it claims something."""
    require(*NEEDED)
    from analyzer.commands import null
    from shared.views import all_views, suite_views

    copy = null.prepare(run, point, settings.null_seed, settings.safe_label, settings.unsafe_label)
    try:
        if not _serve(settings, [copy.path], replace(plan, selected=frozenset({point.name})), NOT_DONE, None):
            raise MidwatchError(f"Stopped before the untrained copy of {point.name} was analysed.")
    finally:
        remove_directory(copy.path / point.name)  # as large as the judge, and made again from its seed
    views = [view for view in all_views() if view.name in plan.only] or suite_views(plan.suite)
    null.report(
        run, point.name, settings.null_seed, null.what_it_says(copy, point.name, views), copy.visualizations
    )


def _directory(path: Path) -> Path:
    """A run, a folder of runs, or what --out made. Raises RunError when there is nothing."""
    Run.at(path)
    return path.expanduser().resolve()


def _serve(
    settings: ComputeSettings,
    targets: list[Path],
    plan: Plan,
    fail_on: Sequence[CheckpointState],
    out: Path | None,
) -> bool:
    """Put engine and supervisor together, run them, and report; whether they came to their end unstopped."""
    require(*NEEDED)
    from analyzer.engines.local import LocalEngine
    from analyzer.supervisor.loop import Supervisor

    engine = LocalEngine(settings.worker_options(), settings.timeout, wake=lambda: supervisor.woken.set())
    with Reporter(enabled=plan.once and sys.stderr.isatty() and not as_json()) as reporter:
        supervisor = Supervisor(targets, plan, engine, out, reporter)
        with stopping(supervisor.stop):
            supervisor.run()
    if supervisor.stopping:
        return False
    _report(supervisor, plan, fail_on)
    return True


def _report(supervisor: Supervisor, plan: Plan, fail_on: Sequence[CheckpointState]) -> None:
    """Where the figures are. Raises MidwatchError naming what could not be analysed, and why."""
    runs = supervisor.runs.values()
    found = [(watched.run.name, row) for watched in runs for row in watched.rows]
    if plan.selected is not None:
        found = [(run, row) for run, row in found if row.point.name in plan.selected]
    failed = [row for _, row in found if row.state in fail_on]
    for run, row in found:
        name, cause = row.point.name, row.cause
        if row.state == CheckpointState.INCOMPLETE and row not in failed:
            extra = entry("left_out", run=run, checkpoint=name, cause=cause)
            logger.warning("%s is left out: %s", name, cause, extra=extra)
        elif row.state == CheckpointState.DONE and cause and row.candidate is not None:
            extra = entry("without", run=run, checkpoint=name, cause=cause)
            logger.warning("%s: %s", name, cause, extra=extra)
    idle = "nothing to do, " if supervisor.nothing_started and not failed else ""
    for watched in runs:
        typer.echo(f"{watched.run.name}: {idle}figures in {watched.run.visualizations}")
    if failed:
        done = sum(row.state == CheckpointState.DONE for _, row in found)
        causes = " ".join(f"{row.point.name}: {row.cause}" for row in failed)
        raise MidwatchError(f"{done} analysed, {len(failed)} not. {causes}")


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM stop gently; a second one is not waited for."""

    def handle(number: int, frame: object) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
