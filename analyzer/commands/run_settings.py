"""What the commands can be told that show, repair, send on and hand on what was found: each docstring is a help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator

from analyzer.commands.picture_formats import Picture, formats_of
from analyzer.commands.run_names import checked_pattern
from analyzer.commands.settings import WORKER
from analyzer.tracking.known import known
from analyzer.tracking.options import PROJECT, RESCAN_S
from shared.cli import positional
from shared.errors import NoSuchRun
from shared.json_answer import JsonSettings
from shared.logs import Format
from shared.run import Run
from shared.settings import Settings
from shared.user_paths import expanded


def _pictures(text: str) -> str:
    formats_of(text)
    return text


class RunSettings(Settings):
    """A command about one run."""

    run: Path = positional()
    """A run, or a directory that --out made."""
    out: Path | None = None
    """Directory that was given as --out when the run was analysed."""

    def opened(self) -> Run:
        """The run. Raises NoSuchRun where there is no such directory, or nothing was written to `out`."""
        if self.out is not None and not expanded(self.out).is_dir():
            raise NoSuchRun(f"{self.out} is not a directory; give what was --out when the run was analysed.")
        return Run.at(self.run, self.out)


class StatusSettings(RunSettings, JsonSettings):
    """Settings of `midwatch status`."""

    example = "midwatch status runs/judge"
    show_all: bool = Field(False, json_schema_extra={"flag": "all"})
    """List every checkpoint, not only those that need a word and the newest."""


class OverviewSettings(RunSettings, JsonSettings):
    """Settings of `midwatch overview`."""

    example = "midwatch overview runs/judge --max-fpr 0.05"
    max_fpr: float | None = Field(None, ge=0, le=1)
    """FPR that the checkpoint to ship may have at most, 0 to 1; 0.2 when not given."""


class RetrySettings(RunSettings):
    """Settings of `midwatch retry`."""

    example = "midwatch retry runs/judge checkpoint-120"
    checkpoints: list[str] = positional([])
    """Checkpoints to try again, as checkpoint-120 or 120; all that failed when not given."""


class CancelSettings(RunSettings):
    """Settings of `midwatch cancel`."""

    example = "midwatch cancel runs/judge ask-0123456789abcdef0123"
    request: str = positional()
    """Id of the request, as `midwatch ask` and `midwatch status` tell it."""


class TrackSettings(Settings):
    """Settings of `midwatch track`."""

    example = "midwatch track runs/judge --to tensorboard --follow"
    runs: list[Path] = positional(min_length=1)
    """Runs with results, directories that --out made, or folders of runs."""
    to: list[str] = Field([])
    """Tracker that gets the numbers of every checkpoint: tensorboard, wandb, trackio or mlflow; repeatable."""
    project: str = PROJECT
    """Project (MLflow: experiment) under which trackers file the runs."""
    notify: SecretStr | None = None
    """Address that is told of every alarm, once: a webhook or any other that apprise knows. It holds a key, so a
    file given with --config is the better place for it."""
    notify_notes: bool = False
    """Tell notes to it, too (docs/alerts.md says how often they come by chance)."""
    follow: bool = False
    """Go on with what is analysed later, until stopped."""
    rescan: float = Field(RESCAN_S, gt=0, le=600)
    """With --follow: seconds between two looks at the results."""
    out: Path | None = None
    """Directory that was given as --out when the runs were analysed."""
    log_format: Format = WORKER.log_format
    """What stderr gets: `text` for people, or `json`, one object a line with its fields (docs/logs.md)."""

    @field_validator("to")
    @classmethod
    def _check_trackers(cls, names: list[str]) -> list[str]:
        return [known(name) for name in names]


class RenderSettings(RunSettings, JsonSettings):
    """Settings of `midwatch render`."""

    example = "midwatch render runs/judge"


class DoctorSettings(JsonSettings):
    """Settings of `midwatch doctor`."""

    example = "midwatch doctor runs/judge"
    run: Path | None = positional(None)
    """A run to look at, too."""
    out: Path | None = None
    """Directory that Midwatch writes to instead of the run."""
    pattern: Annotated[str, AfterValidator(checked_pattern)] | None = None
    """Names of its checkpoint directories, as `watch` takes them."""
    device: str = Field(WORKER.device, pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Device the analyzer is to use: `auto` (the last GPU, else the CPU), `cpu`, `cuda` or `cuda:N`."""


class ReportSettings(RunSettings, JsonSettings):
    """Settings of `midwatch report`."""

    example = "midwatch report runs/judge --to report.html --model-card"
    to: Path | None = None
    """Where the report goes: a file that ends in .html, which holds everything, or else a folder; by default
    training_visualizations/report.html of the run. A report that is there is replaced, and nothing else."""
    model_card: bool = False
    """Write the Markdown and YAML for a Hugging Face README, too, beside the report."""


class ExportSettings(RunSettings, JsonSettings):
    """Settings of `midwatch export`."""

    example = "midwatch export runs/judge --to tables --format csv"
    to: Path | None = None
    """Folder to write, which must not be there yet."""
    format: Literal["parquet", "csv"] = "parquet"
    """Files of the tables."""
    pictures: Annotated[str, AfterValidator(_pictures)] = "png,svg"
    """Formats of the pictures, of png, svg and pdf, separated by commas; none for no pictures."""

    @property
    def formats(self) -> tuple[Picture, ...]:
        return formats_of(self.pictures)
