"""What `midwatch demo` and `midwatch pipeline` can be told. Each docstring is the option's help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from shared.cli import also, in_config
from shared.settings import Settings


class DemoSettings(Settings):
    """Settings of the demo."""

    example = "midwatch demo --no-serve --output-dir runs/demo"
    output_dir: Path = Path("runs/demo")
    """Directory of the demo's run; one that is there already is continued, or just shown when it is complete."""
    epochs: int = Field(3, ge=1)
    """Passes over the training prompts; a checkpoint is saved and analysed after each."""
    serve: bool = True
    """End with the dashboard; --no-serve prints a summary of what was found, and ends."""
    port: int = Field(8501, ge=1, le=65535)
    """Port of the dashboard on 127.0.0.1."""
    advanced: bool = False
    """Analyse neurons, attention heads and circuits too; about twice the time."""
    train_config: Path | None = None
    """YAML or TOML file of options for `midwatch train`, to try the demo on another model or other data."""
    watch_config: Path | None = None
    """YAML or TOML file of options for `midwatch watch`."""


class PipelineSettings(Settings):
    """Settings of the pipeline. The sections of the config file are options of the commands that they name."""

    example = "midwatch pipeline --data prompts.jsonl --rounds 1"
    output_dir: Path = Path("runs/pipeline")
    """Directory of everything: prepared/ (data), judge/ (the run), round-1/ and so on, logs/ and the report. Where
    a pipeline was stopped, the same command goes on."""
    data: list[str] = Field(default_factory=list)
    """Prompts, as `midwatch prepare` reads them; the shipped ones by default. Repeatable."""
    model: str | None = None
    """Model to fine-tune, as `midwatch train` takes it."""
    epochs: float | None = Field(None, gt=0)
    """Passes over the training prompts."""
    seed: int = Field(0, ge=0)
    """Seed of the splits, the trainings and the search for attacks."""
    budget: int | None = Field(None, ge=20)
    """Texts that the open-ended testing scores."""
    rounds: int = Field(0, ge=0, le=9)
    """Rounds of retraining: failures join the training prompts, a judge and a control without them are trained,
    both are measured on fresh attacks, and the new judge is attacked again."""

    visualize_training: bool = also("visualize_during_training", default=True)
    """Run the analyzer beside the training."""
    visualization_interval: int = Field(1, ge=1)
    """Epochs between analysed checkpoints; the first and the last always are."""
    run_advanced_mi: bool = False
    """Analyse neurons, attention heads and circuits too."""

    skip_data_prep: bool = False
    """Leave the data stage out; prepared data that is there is used, else training splits --data by itself."""
    skip_training: bool = False
    """Leave training and analysis out; a judge that is there is used."""
    skip_evaluation: bool = False
    """Leave the evaluation out."""
    skip_open_ended: bool = False
    """Leave the open-ended testing out, and the rounds that need it."""
    skip_report: bool = False
    """Leave the report out."""
    eval_only: bool = False
    """Only evaluate the judge that is there."""

    prepare: dict[str, Any] = in_config()
    """Options of `midwatch prepare`."""
    train: dict[str, Any] = in_config()
    """Options of `midwatch train`."""
    watch: dict[str, Any] = in_config()
    """Options of `midwatch watch`."""
    evaluate: dict[str, Any] = in_config()
    """Options of `midwatch evaluate`."""
    attack: dict[str, Any] = in_config()
    """Options of `midwatch attack`."""
    report: dict[str, Any] = in_config()
    """Options of `midwatch report`."""
