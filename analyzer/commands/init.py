"""`midwatch init RUN`: tells Midwatch about a run that plain transformers wrote (run.json and probes.jsonl).

1. Read the newest checkpoint's config: its classes, and which of them are unsafe.
2. Load the probe source, leave out what the training is known to have seen, choose the probe set.
3. Write both files into the run, or into `out` beside a read-only one.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import typer
from pydantic import AfterValidator, Field

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.base_model import is_model
from analyzer.checkpoints.config_fields import check_fields
from analyzer.checkpoints.file_names import CONFIG
from analyzer.checkpoints.head_config import head_config
from analyzer.checkpoints.not_found import nothing_in
from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.checkpoints.shards import unmerged
from analyzer.checkpoints.soundness import refuse_ambiguous
from analyzer.checkpoints.trainer_state import planned, trainer_state
from analyzer.commands.classifier import (
    ClassifierSettings,
    check_flags_fit,
    check_head,
    check_task,
    described_classifier,
)
from analyzer.commands.judge_kind import kind_of, unsafe_classes
from analyzer.commands.prompted.settings import PromptedSettings, check_none_given
from analyzer.commands.run_names import checked_pattern, pattern_of
from shared.cli import positional
from shared.errors import CheckpointRejected, RunError, SchemaError, UsageError
from shared.files import read_json, read_record, write_record
from shared.judge_labels import sides_sentence
from shared.prompts.choice import SHIPPED, probe_set_from
from shared.prompts.conversation import response_warnings, takes_response
from shared.prompts.leaks import write_train_digests
from shared.prompts.load import load_prompts
from shared.prompts.probes import PER_CLASS, ProbeSet, write_probes
from shared.prompts.source_settings import SourceSettings
from shared.records import JudgeRecord, Probe, Prompt, RunRecord
from shared.run import PROBES, RECORD, Run, command
from shared.user_paths import expanded
from shared.version import __version__


class InitSettings(ClassifierSettings, PromptedSettings):
    """What `midwatch init` needs to know about a run it has not trained."""

    example = "midwatch init runs/theirs --probes prompts.jsonl --unsafe-label LABEL_1"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "On which prompts": ("probes", "train_data", "per_class", "seed"),
        "A classifier or a reward head": ("unsafe_label", "safe_label", "higher_is", "threshold"),
        "A judge that answers in words": (
            *("like", "chat", "template", "template_file", "unsafe_answer", "safe_answer", "judged", "line"),
            *("strict", "lenient", "system", "chat_template", "spellings", "category", "category_prefix"),
        ),
        "The run": ("out", "force", "base", "pattern", "kind", "max_length"),
        "How the files of --probes and --train-data are read": tuple(SourceSettings.model_fields),
    }
    run: Path = positional()
    """Output directory of a training, or the directory of one model."""
    pattern: Annotated[str, AfterValidator(checked_pattern)] | None = None
    """Names of its checkpoint directories, as `watch` takes them."""
    probes: str = SHIPPED
    """Labelled prompts to choose the probe set from: a .jsonl, .csv or .parquet file, a data set's name, or the
    word shipped for the prompts that come with Midwatch. None of them should have been trained on."""
    train_data: str | None = None
    """Prompts the judge was trained on, in the same format: kept out of the probe set, and checked for leaks."""
    kind: Literal["classifier", "prompted"] | None = None
    """How a verdict is read: from a classifier's classes, or from a language model's answer to a prompt. Read from
    the model's config when not given."""
    base: Path | None = None
    """Runs of adapters: directory of their base model, where it is not where adapter_config.json says."""
    max_length: int = Field(128, ge=4, le=131_072)
    """Tokens a prompt is cut to, as in the training; of a prompted judge with its template, and when not given as
    many more as a long template needs."""
    per_class: int = Field(PER_CLASS, ge=2, le=10_000)
    """Safe probes, and as many unsafe ones."""
    seed: int = 0
    """Seed of the choice of probes."""
    out: Path | None = None
    """Directory to write to instead of the run, for a read-only run."""
    force: bool = False
    """Replace the files of an earlier init; what it analysed stays, under its own probe set."""


class InitReport(NamedTuple):
    """What was written, and what should be known about it."""

    run: Run
    record: RunRecord
    classes: dict[int, str]
    """Class index -> name in the model's config; of a prompted judge token -> answer."""
    probes: list[Probe]
    warnings: list[str]


def init_run(settings: InitSettings) -> InitReport:
    """Write run.json and probes.jsonl for a foreign run.

    Raises RunError for a directory without checkpoints or one that cannot be written, and UsageError for files that
    are there already, for labels that cannot be told apart, and for an unusable probe source.
    """
    run = Run.at(settings.run, settings.out, pattern_of(settings.pattern))
    refuse_to_write_in(run)
    _refuse_overwriting(run, settings.force)
    checkpoint = _newest_checkpoint(run)
    check_task(checkpoint, settings.kind)
    if settings.kind != "prompted":
        check_head(checkpoint)
    base = _base(settings.base) if settings.base is not None else None
    config = _config(checkpoint, base)
    kind = kind_of(checkpoint, config, settings.kind, settings.like)
    judge, classes = _judge(settings, kind, checkpoint, config, base)
    if base is not None:
        judge = judge.model_copy(update={"base": str(base)})
    responses = takes_response(judge.template)
    train = load_prompts(settings.train_data, settings, responses=responses) if settings.train_data else None
    found = _choose(settings, train, responses)
    warnings = [*judge.assumed, *found.warnings, *response_warnings(found.probes, judge.template)]
    record = _record(settings, checkpoint, judge, str(config.get("_name_or_path") or ""), found)
    _write(run, record, found.everything, train)
    return InitReport(run, record, classes, found.probes, warnings)


def _record(settings: InitSettings, checkpoint: Path, judge: JudgeRecord, model: str, found: ProbeSet) -> RunRecord:
    """What run.json says, and where it has it from."""
    told = {
        "source": settings.probes,
        "size": len(found.probes),
        "pairs": len(found.pairs) // 2,
        "digest": found.digest,
    }
    return RunRecord(
        judge=judge,
        model=model,
        data={"probes": told},
        settings=settings.model_dump(mode="json"),
        versions={"midwatch": __version__},
        created_at=time.time(),
        writer="init",
        **planned(trainer_state(checkpoint))._asdict(),
    )


def _judge(
    settings: InitSettings, kind: str, checkpoint: Path, config: dict[str, Any], base: Path | None
) -> tuple[JudgeRecord, dict[int, str]]:
    """How a verdict is read, and what its classes or answers are called."""
    check_flags_fit(settings, kind)
    if kind == "classifier":
        check_none_given(settings, checkpoint.name)
        own_data = settings.probes != SHIPPED or settings.train_data is not None
        told = settings
        if settings.like is not None and settings.unsafe_label is None and settings.safe_label is None:
            told = settings.model_copy(update={"unsafe_label": unsafe_classes(settings.like, config)})
        return described_classifier(told, config, settings.max_length, own_data=own_data)
    from analyzer.commands.prompted.describe import describe_prompted  # jinja2, which no other command needs

    given = "max_length" in settings.model_fields_set
    record = describe_prompted(settings, checkpoint, settings.max_length if given else None, base)
    sides = {record.safe_id: "safe", record.unsafe_id: "unsafe"}
    names = {
        token: next(text for text, label in record.answers.items() if label == side)
        for token, side in sides.items()
    }
    return record, names


def _base(given: Path) -> Path:
    """The base model's directory, wherever one stands later. Raises UsageError where it holds no model."""
    place = expanded(given).resolve()
    if not is_model(place):
        raise UsageError(
            f"--base {given} holds no model: config.json and safetensors weights are looked for there."
        )
    return place


def _refuse_overwriting(run: Run, force: bool) -> None:
    path = run.out / RECORD
    if path.exists() and _written_by_trainer(path):
        raise UsageError(
            f"{run.out} was trained by Midwatch and has its labels and probes already; "
            "to analyse it with others, pass --out DIR."
        )
    existing = [name for name in (RECORD, PROBES) if (run.out / name).exists()]
    if existing and not force:
        raise UsageError(f"{run.out} already has {' and '.join(existing)}; pass --force to replace them.")


def _written_by_trainer(path: Path) -> bool:
    try:
        return read_record(path, RunRecord).writer == "trainer"
    except SchemaError:
        return False  # damaged or somebody else's: --force may replace it


def _newest_checkpoint(run: Run) -> Path:
    names = run.checkpoints()
    if not names:
        raise RunError(nothing_in(run))
    newest = run.directory_of(names[-1])
    if refusal := unmerged(newest):
        raise refusal
    refuse_ambiguous({path.name for path in newest.iterdir()}, newest.name)
    return newest


def _config(checkpoint: Path, base: Path | None) -> dict[str, Any]:
    """The model's config, of an adapter what is known of its classes. Raises RunError when it cannot be read."""
    if is_adapter(checkpoint):
        return head_config(checkpoint, base)
    try:
        config = read_json(checkpoint / CONFIG)
    except (OSError, SchemaError) as error:
        raise RunError(
            f"{checkpoint.name} has no readable config.json ({error}); try again once it is saved whole."
        ) from error
    if not isinstance(config, dict):
        raise UsageError(f"{checkpoint / CONFIG} is not a model's config; save the checkpoint again.")
    try:
        check_fields(config, checkpoint.name)
    except CheckpointRejected as error:
        raise UsageError(str(error)) from error
    return config


def _choose(settings: InitSettings, train: Sequence[Prompt] | None, responses: bool = False) -> ProbeSet:
    """The probe set, and what should be known about it."""
    return probe_set_from(settings.probes, settings, train, settings.per_class, settings.seed, responses=responses)


def _write(run: Run, record: RunRecord, probes: list[Probe], train: Sequence[Prompt] | None) -> None:
    """Probes first: run.json is what says that a run is initialised."""
    try:
        run.out.mkdir(parents=True, exist_ok=True)
        run.remember_source()
        if train is not None:
            write_train_digests(run.out, train)
        write_probes(run.out / PROBES, probes)
        write_record(run.out / RECORD, record)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise RunError(
            f"{run.out} cannot be written ({error.strerror}); pass --out DIR to write elsewhere."
        ) from error


def show_init(settings: InitSettings) -> None:
    """Describe a foreign run, and print what was written and what to do next."""
    report = init_run(settings)
    sides = sides_sentence(report.record.judge, report.classes)
    typer.echo(f"{report.run.name}: {sides}; {len(report.probes)} probes.")
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    pattern = ["--pattern", settings.pattern] if settings.pattern else []
    typer.echo(f"Written to {report.run.out}. Next: `{command('analyze', report.run, *pattern)}`")
