"""What is known about a run beside its checkpoints: how a verdict is read, and its probe set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from analyzer.checkpoints.fingerprint import FileStat
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.pins import PinStore
from analyzer.supervisor import foreign
from analyzer.supervisor.plan import Plan
from shared.errors import SchemaError, UsageError
from shared.prompts.digest import probe_set_digest
from shared.prompts.probes import read_probes
from shared.records import RunRecord
from shared.run import Run


@dataclass
class Description:
    """One run's record and probe set, or the sentence that says what to do about their absence."""

    run: Run
    plan: Plan
    record: RunRecord | None = None
    probe_digest: str = ""
    warnings: list[str] = field(default_factory=list)
    """What every result should say."""
    problem: str = ""
    """What stands in the way of every checkpoint; empty when nothing does."""
    _probes_stat: FileStat | None = None

    @property
    def probes(self) -> Path:
        """The probe set's file."""
        return self.plan.probes or self.run.probes

    def refresh(self, candidates: list[Candidate], pins: PinStore) -> None:
        """Read anew what changed. Nothing is missing as long as there is no complete checkpoint."""
        self.problem, self.warnings = "", []
        if not candidates:
            return
        try:
            self.record = foreign.run_record(self.run) or self._describe(candidates, pins)
            self._read_probes()
        except (SchemaError, UsageError) as error:
            self.problem = str(error)

    def _describe(self, candidates: list[Candidate], pins: PinStore) -> RunRecord:
        """A foreign run's record, from its newest complete checkpoint. Raises UsageError."""
        newest = max(candidates, key=lambda candidate: candidate.step)
        pin = pins.get(newest.name)
        place = newest.source if newest.source.is_dir() or pin is None else pin.directory
        record, self.warnings = foreign.describe(place, self.run, self.plan.safe_label, self.plan.unsafe_label)
        return record

    def _read_probes(self) -> None:
        """The probe set's digest, computed again only when the file changed. Raises UsageError."""
        try:
            info = self.probes.stat()
        except OSError:
            self._probes_stat = None
            raise UsageError(foreign.needs_probes(self.run, self.plan.probes)) from None
        stat = FileStat(str(self.probes), info.st_ino, info.st_size, info.st_mtime_ns)
        if stat != self._probes_stat:
            self.probe_digest = probe_set_digest(read_probes(self.probes).probes)
            self._probes_stat = stat
