"""The trainer's command. Imports light modules only: `midwatch --help` must not wait for torch."""

from __future__ import annotations

import typer

from shared.cli import settings_command
from shared.errors import UsageError
from trainer.settings import PrepareSettings, TrainSettings

HEAVY = ("torch", "transformers", "accelerate", "sklearn", "safetensors")
"""What the extra `trainer` installs and `midwatch train` cannot do without."""


def add_commands(app: typer.Typer) -> None:
    """Add `midwatch train` and `midwatch prepare`."""

    @settings_command(app, PrepareSettings, "prepare")
    def prepare(settings: PrepareSettings) -> None:
        """Read, clean and split labelled prompts as `midwatch train` does, and write them with a data card."""
        from trainer.prepare import run_prepare

        run_prepare(settings)

    @settings_command(app, TrainSettings, "train")
    def train(settings: TrainSettings) -> None:
        """Fine-tune a safety judge; each checkpoint is saved, announced, and never touched again."""
        try:
            from trainer.train import run_training
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in HEAVY:
                raise
            raise UsageError(
                f"Training needs {error.name}, which is not installed; run `pip install 'midwatch[trainer]'`."
            ) from error
        run_training(settings)
