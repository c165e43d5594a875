"""The analyzer's commands. Imports light modules only: `midwatch --help` must not wait for torch."""

from __future__ import annotations

import typer

from analyzer.commands.ask import AskSettings
from analyzer.commands.attack import AttackSettings
from analyzer.commands.compare import CompareSettings
from analyzer.commands.evaluate import EvaluateSettings
from analyzer.commands.failures import FailuresSettings
from analyzer.commands.init import InitSettings
from analyzer.commands.mirror_settings import MirrorSettings
from analyzer.commands.run_settings import (
    CancelSettings,
    DoctorSettings,
    ExportSettings,
    OverviewSettings,
    RenderSettings,
    ReportSettings,
    RetrySettings,
    StatusSettings,
    TrackSettings,
)
from analyzer.commands.settings import AnalyzeSettings, WatchSettings
from shared.cli import settings_command


def add_commands(app: typer.Typer) -> None:
    """Add the commands that analyse, test and repair runs, and those that show what was found."""

    @settings_command(app, WatchSettings, "watch")
    def watch(settings: WatchSettings) -> None:
        """Analyse every new checkpoint of a training as it appears, in a process of its own."""
        from analyzer.commands import analyse

        analyse.watch(settings)

    @settings_command(app, AnalyzeSettings, "analyze")
    def analyze(settings: AnalyzeSettings) -> None:
        """Analyse checkpoints of a finished or running training, then end."""
        from analyzer.commands import analyse

        analyse.analyze(settings)

    @settings_command(app, EvaluateSettings, "evaluate")
    def evaluate(settings: EvaluateSettings) -> None:
        """Measure a judge on held-out or other labelled prompts: rates, thresholds, calibration, its mistakes."""
        from analyzer.commands import evaluate

        evaluate.evaluate(settings)

    @settings_command(app, AttackSettings, "attack")
    def attack(settings: AttackSettings) -> None:
        """Put prompts whose label is known in other ways until the judge errs: an archive by risk and technique."""
        from analyzer.commands import attack

        attack.attack(settings)

    @settings_command(app, AskSettings, "ask")
    def ask(settings: AskSettings) -> None:
        """Ask checkpoints about a prompt of your own: verdict, words, layers, what flips it, its nearest probes."""
        from analyzer.commands import ask

        ask.ask(settings)

    @settings_command(app, CompareSettings, "compare")
    def compare(settings: CompareSettings) -> None:
        """Compare two checkpoints, of one run or of two: which verdicts differ, the exact test, where they part."""
        from analyzer.commands.compare import compare

        compare(settings)

    @settings_command(app, CancelSettings, "cancel")
    def cancel(settings: CancelSettings) -> None:
        """Take back what was asked of an analyzer, whether it waits or runs."""
        from analyzer.commands.cancel import cancel

        cancel(settings)

    @settings_command(app, StatusSettings, "status")
    def status(settings: StatusSettings) -> None:
        """Say what runs, what waits, what failed and why."""
        from analyzer.commands.status import show_status

        show_status(settings)

    @settings_command(app, OverviewSettings, "overview")
    def overview(settings: OverviewSettings) -> None:
        """Say which checkpoint is the best and which one to ship, with the table of all; of a folder, each run."""
        from analyzer.commands.overview import overview

        overview(settings)

    @settings_command(app, MirrorSettings, "mirror")
    def mirror(settings: MirrorSettings) -> None:
        """Copy a run that lies in a bucket or on the Hub into a directory here, checkpoint by whole checkpoint.

        What it writes is a run like any other, which `midwatch watch` takes beside it. Weights come before what
        completes them, all is listed again before it is shown, and what a kill cut short goes on from there.
        """
        from analyzer.commands.mirror import mirror as copy

        copy(settings)

    @settings_command(app, RetrySettings, "retry")
    def retry(settings: RetrySettings) -> None:
        """Try failed checkpoints again."""
        from analyzer.commands import repair

        repair.retry(settings)

    @settings_command(app, RenderSettings, "render")
    def render(settings: RenderSettings) -> None:
        """Draw all figures again from the results there are."""
        from analyzer.commands import repair

        repair.render(settings)

    @settings_command(app, TrackSettings, "track")
    def track(settings: TrackSettings) -> None:
        """Send numbers of checkpoints to TensorBoard, W&B, Trackio or MLflow, and alarms to a webhook."""
        from analyzer.commands.track import track as send

        send(settings)

    @settings_command(app, FailuresSettings, "failures")
    def failures(settings: FailuresSettings) -> None:
        """List the probes that a checkpoint judges wrongly, since when, and in which groups; reads results only."""
        from analyzer.commands.failures import failures

        failures(settings)

    @settings_command(app, ReportSettings, "report")
    def report(settings: ReportSettings) -> None:
        """Write one self-contained page about a run, to hand on or to attach to a paper."""
        from analyzer.commands.report import report

        report(settings)

    @settings_command(app, ExportSettings, "export")
    def export(settings: ExportSettings) -> None:
        """Write a run's results as tidy tables, and its figures as pictures."""
        from analyzer.commands.export import export

        export(settings)

    @settings_command(app, DoctorSettings, "doctor")
    def doctor(settings: DoctorSettings) -> None:
        """Check what the analyzer needs on this machine, and say what to do."""
        from analyzer.commands.doctor import examine

        examine(settings)

    @settings_command(app, InitSettings, "init")
    def init(settings: InitSettings) -> None:
        """Tell Midwatch about a training it did not run: how its verdict is read, and on which prompts.

        A classifier whose class names say which one is unsafe needs no more than --probes; else add --unsafe-label.
        Of a reward model, say --higher-is. A judge that answers in words needs --like, or --chat or --template with
        --unsafe-answer and --safe-answer. It prints how each class or answer is read, and what it assumed.
        """
        from analyzer.commands.init import show_init

        show_init(settings)
