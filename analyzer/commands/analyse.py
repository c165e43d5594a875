"""What `watch` and `analyze` do, once their settings are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from analyzer.checkpoints.gate import peek_epoch
from analyzer.checkpoints.not_found import nothing_in
from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.commands.checkpoint_choice import select
from analyzer.commands.metrics import exported, exporter_for
from analyzer.commands.needed import NEEDED, require
from analyzer.commands.progress_line import Reporter, on_terminal
from analyzer.commands.run_names import pattern_of
from analyzer.commands.settings import (
    AnalyzeSettings,
    ComputeSettings,
    WatchSettings,
)
from analyzer.commands.stopping import stopping
from analyzer.supervisor.listen_address import parse_listen
from analyzer.supervisor.once import trouble
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from shared.checkpoint_places import step_at
from shared.errors import MidwatchError, RunError, UsageError
from shared.logs import entry, set_up
from shared.notices import newest_notices
from shared.own_folders import remove_directory
from shared.records import CheckpointState
from shared.run import Run, find_runs

if TYPE_CHECKING:
    from analyzer.supervisor.checkpoint_row import Row
    from analyzer.supervisor.loop import Supervisor
    from analyzer.supervisor.watched_run import WatchedRun

logger = logging.getLogger(__name__)

NOT_DONE = (
    CheckpointState.QUARANTINED,
    CheckpointState.REJECTED,
    CheckpointState.INCOMPLETE,
    CheckpointState.GONE,
)


def watch(settings: WatchSettings) -> None:
    """Run the supervisor until it is stopped, or with --once until nothing is left. Raises MidwatchError."""
    set_up(settings.log_format)
    settings.refuse_slot(settings.slot)
    targets = [_directory(path) for path in settings.runs]
    plan = settings.plan(
        policy=settings.policy,
        interval=settings.interval,
        slot=settings.slot,
        quiet_s=settings.quiet_after * 60,
        rescan_s=settings.rescan,
        once=settings.once,
    )
    from analyzer.commands.track import beside  # psutil, of which _serve says that it is missing

    with beside(settings):
        _serve(settings, targets, plan, NOT_DONE if settings.once else (), settings.out, settings.metrics)


def analyze(settings: AnalyzeSettings) -> None:
    """Analyse selected checkpoints of one run, then end. Raises MidwatchError naming what could not be done."""
    set_up(settings.log_format)
    run = Run.at(settings.run, settings.out, pattern_of(settings.pattern))
    names = run.checkpoints()
    if not names:
        hint = " Give one run of the folder." if any(path != run.path for path in find_runs(run.path)) else ""
        raise RunError(nothing_in(run) + hint)
    refuse_to_write_in(run)
    places = run.places()
    known = [Point(name, step_at(name, places), peek_epoch(run, name)) for name in names]
    chosen = select(known, settings.epochs, settings.steps, settings.last, settings.every)
    if not settings.null and is_held(run):
        from analyzer.commands.asked_analyses import ask_for

        return ask_for(settings, run, chosen)
    plan = settings.plan(policy="all", selected=frozenset(chosen), force=settings.force, once=True)
    if settings.null:
        return _analyze_null(settings, run, next(point for point in known if point.name == chosen[-1]), plan)
    _serve(settings, [_directory(settings.run)], plan, NOT_DONE, settings.out)
    return None


def is_held(run: Run) -> bool:
    """Whether a live analyzer has the run. Without psutil nobody can tell, and none can have it."""
    if find_spec("psutil") is None:
        return False
    from analyzer.supervisor.lease import holder

    return holder(run.lease, time.time()) is not None


def _analyze_null(settings: AnalyzeSettings, run: Run, point: Point, plan: Plan) -> None:
    """An untrained copy of one checkpoint through the same suite. Raises MidwatchError when it claims something."""
    require(*NEEDED)
    from analyzer.commands import null
    from shared.views import all_views, suite_views

    copy = null.prepare(run, point, settings.null_seed, settings.safe_label, settings.unsafe_label)
    alone = replace(plan, selected=None, pattern=None, ready_marker="")
    name = null.copy_name(point)
    try:
        if not _serve(settings, [copy.path], alone, NOT_DONE, None):
            raise MidwatchError(f"Stopped before the untrained copy of {point.name} was analysed.")
    finally:
        remove_directory(copy.path / name)  # as large as the judge, and made again from its seed
    views = [view for view in all_views() if view.name in plan.only] or suite_views(plan.suite)
    said = null.what_it_says(copy, name, views)
    null.report(run, point.name, settings.null_seed, said, copy.visualizations)


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
    metrics: str | None = None,
) -> bool:
    """Put engine and supervisor together, run them, and report; whether they came to their end unstopped."""
    require(*NEEDED)
    from analyzer.supervisor.loop import Supervisor

    engine = settings.make_engine(settings.worker_options(), settings.timeout, wake=lambda: supervisor.woken.set())
    with Reporter(enabled=plan.once and on_terminal()) as reporter:
        exporter = exporter_for(metrics, reporter)
        supervisor = Supervisor(targets, plan, engine, out, exporter or reporter)
        with stopping(supervisor.stop), exported(exporter, supervisor, metrics), _hook(settings, supervisor, plan):
            supervisor.run()
    if supervisor.stopping:
        return False
    _report(supervisor, plan, fail_on)
    return True


@contextmanager
def _hook(settings: ComputeSettings, supervisor: Supervisor, plan: Plan) -> Iterator[None]:
    """The HTTP hook, where `watch` was asked for it. Raises UsageError where nobody can listen there."""
    if not isinstance(settings, WatchSettings) or settings.listen is None:
        yield
        return
    from analyzer.supervisor.save_hook import Hook, listening

    def wake(paths: list[Path]) -> None:
        supervisor.tell(paths or supervisor.targets)

    hook = Hook(lambda: [watched.run for watched in list(supervisor.runs.values())], wake, plan.suite, plan.only)
    with listening(parse_listen(settings.listen), hook):
        yield


def _report(supervisor: Supervisor, plan: Plan, fail_on: Sequence[CheckpointState]) -> None:
    """Where the figures are. Raises MidwatchError (UsageError if nothing could be tried) that says what failed."""
    runs = list(supervisor.runs.values())
    found = [(watched, row) for watched in runs for row in watched.rows]
    if plan.selected is not None:
        found = [(watched, row) for watched, row in found if row.point.name in plan.selected]
    troubles = {watched.run.path: sentence for watched in runs if (sentence := trouble(watched))}
    failed = [(w, row) for w, row in found if row.state in fail_on and w.run.path not in troubles]
    _warn([(watched.run.name, row) for watched, row in found], [row for _, row in failed])
    several = len(runs) + len(supervisor.unusable) > 1
    causes = [f"{f'{w.run.name}/' if several else ''}{row.point.name}: {row.cause}" for w, row in failed]
    causes += [troubles[w.run.path] for w in runs if w.run.path in troubles and not _has_none_yet(w, plan)]
    causes += supervisor.unusable.values()
    idle = "nothing to do, " if supervisor.nothing_started and not failed else ""
    for watched in runs:
        if _has_none_yet(watched, plan):
            typer.echo(f"{watched.run.name}: no checkpoint yet")
        elif watched.run.path not in troubles and watched.run.visualizations.is_dir():
            typer.echo(f"{watched.run.name}: {idle}figures in {watched.run.visualizations}")
            _notice(watched.run)
    if causes:
        done = sum(row.state == CheckpointState.DONE for _, row in found)
        # what was refused by its files, before anything was tried, is the user's choice of run
        refused = not done and all(row.state == CheckpointState.REJECTED and not row.attempts for _, row in failed)
        kind = UsageError if refused and len(causes) == len(failed) else MidwatchError
        raise kind(f"{done} analysed, {len(causes)} not. {' '.join(causes)}")


def _notice(run: Run) -> None:
    """What a reader must know before any number."""
    for notice in newest_notices(run):
        logger.warning(
            "%s: %s", run.name, notice.sentence, extra=entry("noticed", run=run.name, cause=notice.sentence)
        )


def _has_none_yet(watched: WatchedRun, plan: Plan) -> bool:
    """Whether a run has no checkpoint yet, which is no failure beside others."""
    return not watched.rows and not watched.fault and plan.pattern is None


def _warn(found: Sequence[tuple[str, Row]], failed: Sequence[Row]) -> None:
    """What is left out, and what is done but for what cannot be had."""
    for run, row in found:
        name, cause = row.point.name, row.cause
        if row.state == CheckpointState.INCOMPLETE and row not in failed:
            extra = entry("left_out", run=run, checkpoint=name, cause=cause)
            logger.warning("%s is left out: %s", name, cause, extra=extra)
        elif row.state == CheckpointState.DONE and cause and row.candidate is not None:
            extra = entry("without", run=run, checkpoint=name, cause=cause)
            logger.warning("%s: %s", name, cause, extra=extra)
