"""What is known about a run beside its checkpoints: how a verdict is read, and its probe set."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.checkpoints.base_model import bases_of, model_type
from analyzer.checkpoints.file_names import CONFIG
from analyzer.checkpoints.fingerprint import FileStat
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.pins import PinStore
from analyzer.checkpoints.trainer_state import planned, trainer_state
from analyzer.supervisor.plan import Plan
from shared.errors import SchemaError, UsageError
from shared.files import read_json, read_record
from shared.judge_labels import labels_warning, resolve_labels
from shared.logs import entry
from shared.prompts.probes import read_probes
from shared.records import JudgeRecord, RunRecord
from shared.run import Run, step_of

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
    _probes_stat: FileStat | None = None
    _told: bool = False
    """Whether it was said that the user's family is not this run's."""

    @property
    def probes(self) -> Path:
        """The probe set's file."""
        return self.plan.probes or self.run.probes

    def refresh(self, candidates: list[Candidate], pins: PinStore) -> None:
        """Read anew what changed. Nothing is missing as long as there is no complete checkpoint."""
        self.problem, self.warnings = "", []
        if not candidates:
            return
        if self.plan.families:
            self._choose_family(candidates, pins)
        try:
            self.record = run_record(self.run) or self._describe(candidates, pins)
            self._read_probes()
        except (SchemaError, UsageError) as error:
            self.problem = str(error)

    def _describe(self, candidates: list[Candidate], pins: PinStore) -> RunRecord:
        """A foreign run's record, from its newest complete checkpoint. Raises UsageError."""
        place = _newest(candidates, pins)
        record, self.warnings = describe(place, self.run, self.plan.safe_label, self.plan.unsafe_label)
        return record

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

    def _read_probes(self) -> None:
        """The probe set's digest, computed again only when the file changed. Raises UsageError."""
        try:
            info = self.probes.stat()
        except OSError:
            raise UsageError(needs_probes(self.run, self.plan.probes)) from None
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
    """run.json; None for a run nobody described. Raises SchemaError when it is damaged."""
    try:
        return read_record(run.record, RunRecord)
    except FileNotFoundError:
        return None


def describe(
    checkpoint: Path, run: Run, safe: str | None = None, unsafe: str | None = None
) -> tuple[RunRecord, list[str]]:
    """A record for a run without run.json, from a checkpoint's own config and the user's word about labels.

    Also returns what has to be said about it. Raises UsageError when the classes are not two, or which of them is
    unsafe cannot be told.
    """
    try:
        config = read_json(checkpoint / CONFIG)
    except (OSError, SchemaError) as error:
        raise UsageError(
            f"{run.name} does not say what its classes are; describe it with `midwatch init {run.path}`."
        ) from error
    config = config if isinstance(config, dict) else {}
    if any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or []):
        raise UsageError(
            f"{run.name} is a causal language model: say how it answers with `midwatch init {run.path} "
            "--kind prompted --template ... --unsafe-answer ... --safe-answer ...`."
        )
    safe_id, unsafe_id = resolve_labels(config, safe, unsafe)
    assumed = labels_warning(config, safe, unsafe)
    plan = planned(trainer_state(checkpoint))
    record = RunRecord(
        judge=JudgeRecord(safe_id=safe_id, unsafe_id=unsafe_id),
        model=str(config.get("_name_or_path") or ""),
        epochs=plan.epochs,
        steps=plan.steps,
    )
    return record, [assumed] if assumed else []


def training_over(
    record: RunRecord | None, checkpoints: Iterable[str], newest_change: float, now: float, quiet_s: float
) -> bool:
    """Whether the training has ended: its last planned step is saved, or nothing changed for `quiet_s` seconds."""
    last = max((step_of(name) or 0 for name in checkpoints), default=0)
    if last == 0:
        return False
    planned = record.steps if record is not None else None
    return (planned is not None and last >= planned) or now - newest_change >= quiet_s


def needs_probes(run: Run, given: Path | None) -> str:
    """What to do about a run without a probe set."""
    if given is not None:
        return f"The probe set {given} cannot be read; give --probes FILE (JSONL with text and label)."
    return f"{run.name} has no probe set to be analysed on: run `midwatch init {run.path}`, or give --probes FILE."
