"""What is known about a run beside its checkpoints: how a verdict is read, and its probe set."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import PydanticSerializationError

from analyzer.checkpoints.base_model import bases_of, model_type
from analyzer.checkpoints.fingerprint import FileStat
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.head_config import head_config, kind_said
from analyzer.checkpoints.pins import PinStore
from analyzer.checkpoints.trainer_state import planned, trainer_state
from analyzer.supervisor.assumed_probes import assumed_probes
from analyzer.supervisor.plan import Plan
from shared.checkpoint_names import step_of
from shared.errors import CheckpointRejected, NotDescribed, SchemaError, UsageError
from shared.files import read_record
from shared.judge_labels import Word, class_names, read_classifier
from shared.logs import entry
from shared.notices import PROBES_ASSUMED
from shared.prompts.probes import read_probes
from shared.records import RunRecord
from shared.run import Run, command

if TYPE_CHECKING:
    from analyzer.jobs.family import Family

logger = logging.getLogger(__name__)


@dataclass
class Description:
    """One run's record and probe set, or the sentence that says what to do about their absence."""

    run: Run
    plan: Plan
    record: RunRecord | None = None
    probe_digest: str = ""
    warnings: list[str] = field(default_factory=list)
    """What every result should say."""
    family: Family | None = None
    """What the user's file says of the run's model family; None leaves it to ours."""
    problem: str = ""
    """What stands in the way of every checkpoint; empty when nothing does."""
    remedy: str = ""
    """The one command that solves it."""
    assumed: list[str] = field(default_factory=list)
    """What nobody said, and was only assumed; part of `warnings`."""
    _assumed_probes: Path | None = None
    """Where the shipped probes were written, once they were needed."""
    _probes_stat: FileStat | None = None
    _told: bool = False
    """Whether it was said that the user's family is not this run's."""

    @property
    def probes(self) -> Path:
        """The probe set's file: the user's, the run's, or the shipped one where there is neither."""
        own = self.plan.probes or self.run.probes
        return own if self._assumed_probes is None else self._assumed_probes

    def refresh(self, candidates: list[Candidate], pins: PinStore) -> None:
        """Read anew what changed. Nothing is missing as long as there is no complete checkpoint.

        What nobody said is assumed where it can be. Raises OSError when our own disk refuses.
        """
        self.problem, self.remedy, self.warnings, self.assumed = "", "", [], []
        if not candidates:
            return
        try:
            self.learn(candidates, pins)
            self._choose_probes()
            self._read_probes()
        except (SchemaError, UsageError) as error:
            self.problem = str(error)
            self.remedy = error.command if isinstance(error, NotDescribed) else ""
        self.warnings = list(self.assumed)

    def learn(self, candidates: list[Candidate], pins: PinStore) -> RunRecord:
        """How the run's verdict is read, its probes aside.

        Raises SchemaError, or UsageError that says what to do.
        """
        if self.plan.families:
            self._choose_family(candidates, pins)
        self.record = _speakable(run_record(self.run) or self._describe(candidates, pins), self.run)
        self.assumed = list(self.record.judge.assumed)
        return self.record

    def _describe(self, candidates: list[Candidate], pins: PinStore) -> RunRecord:
        """A foreign run's record, from its newest complete checkpoint. Raises UsageError."""
        place, safe, unsafe = _newest(candidates, pins), self.plan.safe_label, self.plan.unsafe_label
        try:
            return describe(place, self.run, safe, unsafe)[0]
        except NotDescribed:
            raise
        except UsageError as error:
            if safe is not None or unsafe is not None:
                raise  # what was given does not fit, and the sentence says why
            told = command("init", self.run, "--unsafe-label", "NAME")
            raise NotDescribed(f"{error} Say it once with `{told}`.", told) from error

    def _choose_family(self, candidates: list[Candidate], pins: PinStore) -> None:
        """The user's description of this run's family, by its newest complete checkpoint; said once if none is."""
        found = model_type(_newest(candidates, pins), bases_of(self.run, self.record))
        self.family = self.plan.families.get(found)
        if self.family is None and not self._told:
            self._told = True
            given = ", ".join(self.plan.families)
            reason = f"its model is a {found}" if found else "its checkpoints do not say what their model is"
            extra = entry("family_unused", run=self.run.name, cause=reason)
            logger.warning("%s: --family %s is not used, as %s", self.run.name, given, reason, extra=extra)

    def _choose_probes(self) -> None:
        """Without any probe set the shipped one stands in; one that comes later wins."""
        if self.plan.probes is not None or self.run.probes.exists():
            self._assumed_probes = None
            return
        if self._assumed_probes is None or not self._assumed_probes.exists():
            self._assumed_probes = assumed_probes(self.run)
        self.assumed.append(PROBES_ASSUMED)

    def _read_probes(self) -> None:
        """The probe set's digest, computed again only when the file changed. Raises UsageError."""
        try:
            info = self.probes.stat()
        except OSError:
            raise UsageError(
                f"The probe set {self.probes} cannot be read; give --probes FILE (JSONL with text and label)."
            ) from None
        stat = FileStat(str(self.probes), info.st_ino, info.st_size, info.st_mtime_ns)
        if stat != self._probes_stat:
            self.probe_digest = read_probes(self.probes).digest
            self._probes_stat = stat


def _newest(candidates: list[Candidate], pins: PinStore) -> Path:
    """Where the newest complete checkpoint can be read: in its place, or in its pin where it is deleted."""
    newest = max(candidates, key=lambda candidate: candidate.step)
    pin = pins.get(newest.name)
    return newest.source if newest.source.is_dir() or pin is None else pin.directory


def run_record(run: Run) -> RunRecord | None:
    """run.json; None for a run nobody described.

    Raises SchemaError when it is damaged, UsageError where it cannot be read.
    """
    try:
        return read_record(run.record, RunRecord)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{run.record} cannot be read ({error.strerror}); make it readable.") from error


def _speakable(record: RunRecord, run: Run) -> RunRecord:
    """The record, which can be told to a worker. Raises SchemaError where a name in it is no Unicode text."""
    try:
        record.model_dump_json()
    except PydanticSerializationError as error:
        raise SchemaError(
            f"What {run.name} says of its judge (run.json, or the config) holds half a character, which is no "
            "text; write it again."
        ) from error
    return record


def describe(
    checkpoint: Path, run: Run, safe: str | None = None, unsafe: str | None = None
) -> tuple[RunRecord, list[str]]:
    """A record for a run without run.json, from a checkpoint's own config and the user's word about labels.

    Also returns what has to be said about it, which the judge's record keeps as `assumed`. Raises UsageError when
    which of the classes are unsafe cannot be told.
    """
    try:
        config = head_config(checkpoint)
    except (OSError, SchemaError, CheckpointRejected) as error:
        told = command("init", run)
        raise NotDescribed(
            f"{run.name} does not say what its classes are; describe it with `{told}`.", told
        ) from error
    try:
        kind = kind_said(checkpoint, config)
    except CheckpointRejected as error:
        raise NotDescribed(str(error), "") from error  # no word of the user's makes a judge of it
    if kind == "prompted":
        told = command("init", run, "--chat")
        raise NotDescribed(
            f"{run.name} is a causal language model, and how it answers cannot be guessed: describe it with "
            f"`{told}` (asked by its own chat template), or with --like NAME (as a known guard is), or "
            "--template TEXT.",
            told,
        )
    try:
        class_names(config)
    except UsageError as error:
        raise NotDescribed(str(error), "") from error  # nor does one mend the config
    judge = read_classifier(config, Word(safe, unsafe)).record
    plan = planned(trainer_state(checkpoint))
    record = RunRecord(
        judge=judge,
        model=str(config.get("_name_or_path") or ""),
        epochs=plan.epochs,
        steps=plan.steps,
    )
    return record, list(judge.assumed)


def training_over(
    record: RunRecord | None, checkpoints: Iterable[str], newest_change: float, now: float, quiet_s: float
) -> bool:
    """Whether the training has ended: its last planned step is saved, or nothing changed for `quiet_s` seconds."""
    steps = [step_of(name) for name in checkpoints]
    last = max((step for step in steps if step is not None), default=0)
    if last == 0 and None not in steps:  # none yet, or what was saved before the first step
        return False
    planned = record.steps if record is not None else None
    return (planned is not None and last >= planned) or now - newest_change >= quiet_s
