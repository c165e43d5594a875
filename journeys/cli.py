"""The journeys' commands."""

from __future__ import annotations

import typer

from journeys.settings import DemoSettings, PipelineSettings
from shared.cli import settings_command


def add_commands(app: typer.Typer) -> None:
    """Add `midwatch demo` and `midwatch pipeline`."""

    @settings_command(app, DemoSettings, "demo")
    def demo(settings: DemoSettings) -> None:
        """Train a real judge, analyse every checkpoint beside it, and open the dashboard: no network needed."""
        from journeys.demo import run_demo

        run_demo(settings)

    @settings_command(app, PipelineSettings, "pipeline")
    def pipeline(settings: PipelineSettings) -> None:
        """Prepare, train with the analyzer beside, evaluate, attack, retrain in rounds, and report: one line."""
        from journeys.pipeline import run_pipeline

        run_pipeline(settings)
