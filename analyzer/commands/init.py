"""`midwatch init RUN`: tells Midwatch about a run that plain transformers wrote (run.json and probes.jsonl).

1. Read the newest checkpoint's config: two classes, and which of them is unsafe.
2. Load the probe source, leave out what the training is known to have seen, choose the probe set.
3. Write both files into the run, or into `out` beside a read-only one.
"""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import typer
from pydantic import Field

from analyzer.checkpoints.adapter import base_of, is_adapter
from analyzer.checkpoints.base_model import is_model
from analyzer.checkpoints.file_names import CONFIG
from analyzer.checkpoints.trainer_state import planned, trainer_state
from analyzer.commands.prompted import answer_token, read_template
from shared.cli import positional
from shared.errors import RunError, SchemaError, UsageError
from shared.files import read_json, read_record, write_record
from shared.judge_labels import class_names, labels_warning, resolve_labels
from shared.prompts.dedupe import deduplicate
from shared.prompts.groups import held_out
from shared.prompts.leaks import write_train_digests
from shared.prompts.load import load_prompts, require_both_classes
from shared.prompts.probes import PER_CLASS, ProbeSet, choose_probes, further_pairs, write_probes
from shared.prompts.source_settings import SourceSettings
from shared.records import JudgeRecord, Probe, Prompt, RunRecord
from shared.run import PROBES, RECORD, Run
from shared.user_paths import expanded
from shared.version import __version__


class InitSettings(SourceSettings):
    """What `midwatch init` needs to know about a run it has not trained."""

    run: Path = positional()
    """Output directory of a Hugging Face Trainer."""
    probes: str = "shipped"
    """Labelled prompts to choose the probe set from: a .jsonl, .csv or .parquet file, a data set's name, or the
    word shipped for the prompts that come with Midwatch. None of them should have been trained on."""
    train_data: str | None = None
    """Prompts the judge was trained on, in the same format: kept out of the probe set, and checked for leaks."""
    unsafe_label: str | None = None
    """Name or index of the model's class that means unsafe. Read from its config when not given."""
    safe_label: str | None = None
    """Name or index of the model's class that means safe. Read from its config when not given."""
    kind: Literal["classifier", "prompted"] = "classifier"
    """How a verdict is read: from a classifier's two classes, or from a language model's answer to a prompt."""
    template: str | None = None
    """Prompted judges: the text around the prompt, with the word {prompt} in its place; \\n is a line break."""
    template_file: Path | None = None
    """Prompted judges: a file that holds the template."""
    unsafe_answer: str = "True"
    """Prompted judges: the answer that means unsafe, one token, with its leading space where it has one."""
    safe_answer: str = "False"
    """Prompted judges: the answer that means safe."""
    base: Path | None = None
    """Runs of adapters: directory of their base model, where it is not where adapter_config.json says."""
    max_length: int = Field(128, ge=4, le=131_072)
    """Tokens a prompt is cut to, as in the training."""
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
    """Class index -> name in the model's config."""
    probes: list[Probe]
    warnings: list[str]


def init_run(settings: InitSettings) -> InitReport:
    """Write run.json and probes.jsonl for a foreign run.

    Raises RunError for a directory without checkpoints or one that cannot be written, and UsageError for files that
    are there already, for labels that cannot be told apart, and for an unusable probe source.
    """
    run = Run.at(settings.run, settings.out)
    _refuse_overwriting(run, settings.force)
    checkpoint = _newest_checkpoint(run)
    config = _config(checkpoint, settings.kind)
    judge, classes = _judge(settings, checkpoint, config)
    train = load_prompts(settings.train_data, settings) if settings.train_data else None
    found = _choose(settings, train)
    probes, warnings = found.probes, found.warnings
    if settings.base is not None:
        judge = judge.model_copy(update={"base": str(_base(settings.base))})
    record = RunRecord(
        judge=judge,
        model=str(config.get("_name_or_path") or ""),
        data={
            "probes": {
                "source": settings.probes,
                "size": len(probes),
                "pairs": len(found.pairs) // 2,
                "digest": found.digest,
            }
        },
        settings=settings.model_dump(mode="json"),
        versions={"midwatch": __version__},
        created_at=time.time(),
        writer="init",
        **planned(trainer_state(checkpoint))._asdict(),
    )
    _write(run, record, found.everything, train)
    assumed = labels_warning(config, settings.safe_label, settings.unsafe_label)
    if assumed and settings.kind == "classifier":
        warnings = [assumed, *warnings]
    return InitReport(run, record, classes, probes, warnings)


def _judge(settings: InitSettings, checkpoint: Path, config: dict[str, Any]) -> tuple[JudgeRecord, dict[int, str]]:
    """How a verdict is read, and what the two classes or answers are called."""
    if settings.kind == "classifier":
        safe_id, unsafe_id = resolve_labels(config, settings.safe_label, settings.unsafe_label)
        record = JudgeRecord(safe_id=safe_id, unsafe_id=unsafe_id, max_length=settings.max_length)
        return record, class_names(config)
    template = read_template(settings.template, settings.template_file)
    ids = [answer_token(checkpoint, answer) for answer in (settings.safe_answer, settings.unsafe_answer)]
    if ids[0] == ids[1]:
        raise UsageError("--safe-answer and --unsafe-answer are the same token; give two different ones.")
    record = JudgeRecord(
        kind="prompted", safe_id=ids[0], unsafe_id=ids[1], template=template, max_length=settings.max_length
    )
    return record, dict(zip(ids, (settings.safe_answer, settings.unsafe_answer), strict=True))


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
        raise RunError(
            f"{run.path} has no checkpoint-<step> directory yet; "
            "give the output directory of a Trainer that has saved one."
        )
    return run.path / names[-1]


def _config(checkpoint: Path, kind: str) -> dict[str, Any]:
    """The model's config, an adapter's without classes of its own.

    Raises RunError when it cannot be read, UsageError for another kind of model than asked for.
    """
    if is_adapter(checkpoint):
        return {"_name_or_path": base_of(checkpoint)}
    try:
        config = read_json(checkpoint / CONFIG)
    except (OSError, SchemaError) as error:
        raise RunError(
            f"{checkpoint.name} has no readable config.json ({error}); try again once it is saved whole."
        ) from error
    if not isinstance(config, dict):
        raise RunError(f"{checkpoint / 'config.json'} is not a model's config; save the checkpoint again.")
    architectures = [str(name) for name in config.get("architectures") or []]
    wanted = {"classifier": "ForSequenceClassification", "prompted": "ForCausalLM"}[kind]
    if architectures and not any(name.endswith(wanted) for name in architectures):
        other = " with --kind prompted, if it answers with a word" if kind == "classifier" else ""
        raise UsageError(
            f"{checkpoint.name} is a {architectures[0]}, and a {kind} judge is an AutoModel{wanted}; "
            f"give a run of one{other}."
        )
    return config


def _choose(settings: InitSettings, train: Sequence[Prompt] | None) -> ProbeSet:
    """The probe set, and what should be known about it."""
    # the flags about columns describe the user's own files, not the set that ships with Midwatch
    source = None if settings.probes == "shipped" else settings
    cleaned = deduplicate(load_prompts(settings.probes, source))
    prompts = held_out(cleaned.kept, train) if train is not None else cleaned.kept
    require_both_classes(prompts, f"The probe source {settings.probes}")
    probes = choose_probes(prompts, settings.per_class, settings.seed, max_share=1.0)
    warnings = [f"{settings.probes}: {cleaned.summary}"] if cleaned.removed else []
    sizes = Counter(probe.label for probe in probes)
    if min(sizes.values()) < settings.per_class:
        warnings.append(
            f"{settings.probes} gives {sizes['safe']} safe and {sizes['unsafe']} unsafe probes, "
            f"fewer than the {settings.per_class} each that were asked for."
        )
    if train is None:
        warnings.append(
            "Whether the training saw these probes cannot be checked; pass --train-data with its prompts to do so."
        )
    return ProbeSet(probes, warnings, further_pairs(prompts, probes, settings.seed))


def _summary(source: str, found: ProbeSet) -> dict[str, Any]:
    """For run.json."""
    return {
        "source": source,
        "size": len(found.probes),
        "further_pairs": len(found.pairs) // 2,
        "digest": found.digest,
    }


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
    judge = report.record.judge
    what = "answer" if judge.kind == "prompted" else "class"
    typer.echo(
        f"{report.run.name}: {what} {judge.unsafe_id} ({report.classes.get(judge.unsafe_id)}) is unsafe, "
        f"{what} {judge.safe_id} ({report.classes.get(judge.safe_id)}) is safe; {len(report.probes)} probes."
    )
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    where: Path = report.run.out
    out = f" --out {where}" if where != report.run.path else ""
    typer.echo(f"Written to {where}. Next: `midwatch analyze {report.run.path}{out}`")
