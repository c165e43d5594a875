"""What the analyzer's commands can be told. Each docstring is the option's help."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from analyzer.commands.checkpoint_choice import parse_ranges
from analyzer.commands.many_workers import HARDWARE, ManyWorkers
from analyzer.commands.metrics import parse_address
from analyzer.commands.run_names import checked_file_name, checked_pattern, pattern_of
from analyzer.engines.local import TIMEOUT_S
from analyzer.jobs.messages import WorkerOptions
from analyzer.supervisor.compute_slot import parse_slot
from analyzer.supervisor.listen_address import parse_listen
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import parse_policy
from analyzer.tracking.known import known
from analyzer.tracking.options import PROJECT
from shared.cli import positional
from shared.findings.suites import Suite
from shared.logs import Format
from shared.settings import Settings
from shared.user_yaml import parse_yaml

if TYPE_CHECKING:
    from analyzer.jobs.family import Family

GIB = 2**30
PLAN, WORKER = Plan(), WorkerOptions()
"""Their defaults are those of the options."""


def _ranges(text: str) -> str:
    parse_ranges(text)
    return text


Ranges = Annotated[str, AfterValidator(_ranges)]


def _described(files: list[Path]) -> Mapping[str, Family]:
    """Families by name. Only where such a file is given is what reads it loaded: a supervisor stays small."""
    if not files:
        return {}
    from analyzer.commands.family_file import read_families

    return read_families(files)


_WHAT = {"What is computed": ("suite", "only", "set", "probes", "unsafe_label", "safe_label", "family")}
_REST = {
    "Where": ("out", "pattern", "ready_marker", "pin_budget"),
    "On which hardware": HARDWARE,
}
"""Headings of the options that `watch` and `analyze` share, before and after those of their own."""


class JudgeSettings(Settings):
    """What every command that loads a judge shares: how it is read, where things are, and on which hardware."""

    out: Path | None = None
    """Directory for everything Midwatch writes, instead of the run; needed for a read-only run."""
    safe_label: str | None = None
    """Name or index of the class that means safe, several separated by commas, for a run without run.json."""
    unsafe_label: str | None = None
    """Name or index of the class that means unsafe, several separated by commas, for a run without run.json."""
    family: list[Path] = Field([])
    """YAML file that says where the parts of a model family are that Midwatch does not know, see docs/families.md;
    repeatable."""
    device: str = Field(WORKER.device, pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where to compute: `auto` (the last GPU, else the CPU), `cpu`, `cuda` or `cuda:N`."""
    cores: int | None = Field(WORKER.cores, ge=1)
    """CPU threads of a worker, on the machine's last cores, to leave the others to the training; all when not
    given, shared out among several workers."""
    nice: int = Field(WORKER.nice, ge=0, le=19)
    """How far the worker steps back for other processes (POSIX niceness); 0 not at all."""
    batch_tokens: int = Field(WORKER.batch_tokens, ge=256)
    """Tokens of one batch (prompts x padded length); halved by itself when memory runs out."""
    timeout: float = Field(TIMEOUT_S, gt=0)
    """Seconds without a sign of life after which the worker is killed and started again."""
    pattern: Annotated[str, AfterValidator(checked_pattern)] | None = None
    """Names of the run's checkpoint directories, where they are none of docs/checkpoints.md: a glob such as
    'model-*', or a regular expression that begins with ^ and may have the groups `step` and `epoch`."""
    ready_marker: Annotated[str, AfterValidator(checked_file_name)] = PLAN.ready_marker
    """Name of a file that the training writes into each checkpoint when that is complete: then that is what counts.
    One that is older than the weights is not believed."""
    log_format: Format = WORKER.log_format
    """What stderr gets: `text` for people, or `json`, one object a line with its fields (docs/logs.md)."""

    def worker_options(self) -> WorkerOptions:
        """What the worker needs to know."""
        return WorkerOptions(
            device=self.device,
            cores=self.cores,
            nice=self.nice,
            batch_tokens=self.batch_tokens,
            log_format=self.log_format,
            place=Path.cwd(),
        )

    def plan(self, **more: Any) -> Plan:
        """What the supervisor needs to know; `more` comes from the command's own settings.

        Raises UsageError for a family file that is not usable.
        """
        return Plan(
            safe_label=self.safe_label,
            unsafe_label=self.unsafe_label,
            families=_described(self.family),
            pattern=pattern_of(self.pattern),
            ready_marker=self.ready_marker,
            **more,
        )


class ComputeSettings(ManyWorkers, JudgeSettings):
    """What `watch` and `analyze` share: what is computed, on what, and on which hardware."""

    suite: Suite = PLAN.suite
    """Suite of analyses; advanced includes basic."""
    only: list[str] = Field([])
    """Analyses to run instead of a whole suite, e.g. --only tokens --only layers; repeatable."""
    set: list[str] = Field([])
    """Another value for an analysis's setting, as ANALYSIS.SETTING=VALUE; repeatable."""
    probes: Path | None = None
    """Probe set to analyse on, a JSONL file with text and label, instead of the run's probes.jsonl."""
    backoff: float = Field(PLAN.backoff_s, ge=0)
    """Seconds before a failed checkpoint is tried again; four times as long each further time."""
    pin_budget: float | None = Field(PLAN.pin_budget, ge=0)
    """GiB of deleted checkpoints that may be kept on disk until they are analysed; half of what would be free there
    without them when not given."""

    @property
    def overrides(self) -> dict[str, dict[str, Any]]:
        """`set` as analysis -> setting -> value; values are read as YAML. Raises UsageError for what is none."""
        found: dict[str, dict[str, Any]] = {}
        for text in self.set:
            place, _, value = text.partition("=")
            analysis, _, name = place.strip().partition(".")
            found.setdefault(analysis, {})[name.strip().replace("-", "_")] = parse_yaml(value, f"--set {text!r}")
        return found

    @model_validator(mode="after")
    def _check_set(self) -> ComputeSettings:
        for text in self.set:
            place, equals, _ = text.partition("=")
            if not equals or place.strip().count(".") != 1:
                raise ValueError(f"--set {text!r}: write ANALYSIS.SETTING=VALUE, e.g. tokens.gap_bound=0.02")
        _ = self.overrides
        return self

    def worker_options(self) -> WorkerOptions:
        return super().worker_options().model_copy(update={"overrides": self.overrides})

    def plan(self, **more: Any) -> Plan:
        return super().plan(
            suite=self.suite,
            only=tuple(self.only),
            probes=self.probes.expanduser().resolve() if self.probes else None,
            backoff_s=self.backoff,
            pin_budget=None if self.pin_budget is None else int(self.pin_budget * GIB),
            **more,
        )


class TaskSettings(JudgeSettings):
    """What every command shares that does something with one checkpoint."""

    run: Path = positional()
    """A run: the output directory of a training, or the directory of one model."""
    checkpoint: str | None = None
    """Which one: `best` (on validation, by what the training logged), `last`, an epoch, a step, or a checkpoint's
    name. Best where the log says it, else last, when not given."""


class WatchSettings(ComputeSettings):
    """Settings of `midwatch watch`."""

    example = "midwatch watch runs/judge --suite advanced"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        **_WHAT,
        "When": ("once", "policy", "interval", "slot", "quiet_after", "rescan", "listen"),
        **_REST,
        "Where else it is told": ("track_to", "track_project", "notify", "notify_notes", "metrics"),
    }
    runs: list[Path] = positional(min_length=1)
    """Runs (output directories of trainings), or folders of runs in which new ones appear."""
    once: bool = False
    """Analyse what is there, then end."""
    policy: Annotated[str, AfterValidator(parse_policy)] = PLAN.policy
    """Which checkpoint comes next: `newest` (older ones as time permits), `all` (in order), or `every:N` (every Nth
    only; the first and the last always)."""
    interval: int = Field(PLAN.interval, ge=1)
    """Epochs between analysed checkpoints; the first and the last always are (the last once training is over)."""
    slot: Annotated[str, AfterValidator(parse_slot)] = PLAN.slot
    """When it may compute: `always`, `idle` (its device is otherwise unused), `after-training`, or a daily window
    of local time such as 22:00-06:00."""
    quiet_after: float = Field(PLAN.quiet_s / 60, gt=0)
    """Minutes without a new checkpoint after which a training counts as over, where its plan does not tell."""
    rescan: float = Field(PLAN.rescan_s, gt=0, le=60)
    """Seconds between two looks at the disk when no event announces a change."""
    listen: str | None = None
    """HOST:PORT at which a trainer may tell by HTTP that it has saved (docs/remote.md), for example 127.0.0.1:8765.
    An address that other machines reach needs MIDWATCH_LISTEN_TOKEN in the environment."""
    track_to: list[str] = Field([])
    """Tracker that gets the numbers of every checkpoint, from a process of its own, as `midwatch track` sends them:
    tensorboard, wandb, trackio or mlflow; repeatable."""
    track_project: str = PROJECT
    """Project (MLflow: experiment) under which trackers file the runs."""
    notify: SecretStr | None = None
    """Address that is told of every alarm, once: a webhook or any other that apprise knows. It holds a key, so a
    file given with --config is the better place for it."""
    notify_notes: bool = False
    """Tell notes to it, too (docs/alerts.md says how often they come by chance)."""
    metrics: Annotated[str, AfterValidator(parse_address)] | None = None
    """HOST:PORT, or a PORT of 127.0.0.1, at which Prometheus may scrape /metrics (docs/operations.md); needs
    midwatch[metrics]."""

    @field_validator("track_to")
    @classmethod
    def _check_trackers(cls, names: list[str]) -> list[str]:
        return [known(name) for name in names]

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, text: str | None) -> str | None:
        if text is not None:
            parse_listen(text)
        return text

    @model_validator(mode="after")
    def _check_goes_on(self) -> WatchSettings:
        if self.listen is not None and self.once:
            raise ValueError("--listen is for a watch that goes on; leave out --once")
        return self


class AnalyzeSettings(ComputeSettings):
    """Settings of `midwatch analyze`."""

    example = "midwatch analyze runs/judge --epochs 1,5-10 --suite advanced"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "Which checkpoints": ("epochs", "steps", "last", "every", "force"),
        **_WHAT,
        **_REST,
        "What the pages would say of an untrained judge": ("null", "null_seed"),
    }
    run: Path = positional()
    """A run: the output directory of a training, or the directory of one model."""
    epochs: Ranges | None = None
    """Epochs to analyse, e.g. 1,5-10; all checkpoints when nothing is selected."""
    steps: Ranges | None = None
    """Steps to analyse, e.g. 100,200-400; adds to --epochs."""
    every: int = Field(1, ge=1)
    """Take every Nth of the selected checkpoints."""
    last: int | None = Field(None, ge=1)
    """Take only the last N of the selected checkpoints."""
    force: bool = False
    """Compute again what is there already, and replace it."""
    null: bool = False
    """Analyse an untrained copy of the last selected judge instead (its config and tokenizer, fresh weights; of an
    adapter, fresh weights in its base, too) and list what each analysis would claim of it. It ends with exit code 1
    when any does: then such claims about the real judge are no better. The run's own results are left alone."""
    null_seed: int = Field(0, ge=0)
    """Seed of the untrained copy's weights."""


ONE_CHECKPOINT = {"Which judge": ("checkpoint", "unsafe_label", "safe_label", "family")}
PLACES_AND_HARDWARE = {
    "Where": ("out", "pattern", "ready_marker"),
    "On which hardware": ("device", "cores", "nice", "batch_tokens", "timeout"),
}
"""Headings of the options of such a command, before and after those of its own."""
