"""What is kept of a run while it waits: pinned the moment it looks complete, let go when nothing is left to do."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from analyzer.checkpoints.fingerprint import Fingerprint, fingerprint, newest_mtime
from analyzer.checkpoints.gate import Candidate, Gate, Verdict, settling
from analyzer.checkpoints.pins import Pin, PinStore
from analyzer.supervisor.checkpoint_row import UNDECIDED, Row
from analyzer.supervisor.plan import Plan
from shared.errors import CheckpointChanged
from shared.logs import entry
from shared.records import CheckpointState

logger = logging.getLogger(__name__)

FEW = 10
"""Checkpoints on disk up to which each is kept: such a training may rotate. Of more, only what is new."""


@dataclass
class Keeper:
    """Pins of one run, and when they are made and let go."""

    plan: Plan
    pins: PinStore
    gate: Gate
    _kept: dict[str, Fingerprint] = field(default_factory=dict)
    """What was pinned once; it is not pinned again when it is done."""
    _set_by: float = 0.0
    """Seconds by which the clock was set since the last look at the pins."""

    def keep(self, verdicts: Mapping[str, Verdict], begun: Collection[str], now: float) -> None:
        """Pin what is complete, or will be once it has settled; what has results is pinned when it needs more.

        Raises OSError when our own disk refuses.
        """
        if self.plan.once:
            return  # it is analysed at once, one after the other, and pinned when its turn comes
        for name, verdict in verdicts.items():
            found = verdict.candidate or verdict.promising
            if found is None or self._kept.get(name) == found.files or not self._may_rotate(found, verdicts, now):
                continue
            if name not in begun and (self.plan.selected is None or name in self.plan.selected):
                self._pin(found, None if verdict.candidate else now)

    def clock_was_set(self, by: float) -> None:
        """Pins settle in the seconds they take, whatever the clock says."""
        self._set_by += by

    def only_kept(self, verdicts: Mapping[str, Verdict], now: float) -> dict[str, Verdict]:
        """The word on each checkpoint that is deleted, or just being deleted, and kept by its pin."""
        found = {}
        held, by, self._set_by = self.pins.held(), self._set_by, 0.0
        if by:
            held = [
                pin if pin.unsettled_since is None else self.pins.unsettle(pin, pin.unsettled_since + by)
                for pin in held
            ]
        for pin in held:
            verdict = verdicts.get(pin.candidate.name)
            if verdict is None or (verdict.candidate is None and _is_being_deleted(pin)):
                word = self._word(pin, now)
                found |= {pin.candidate.name: word} if word is not None else {}
        return found

    def collect(self, rows: Iterable[Row]) -> None:
        """Let go of what is done, refused, or has changed since."""
        self.pins.collect_aside()
        by_name = {row.point.name: row for row in rows}
        released = False
        for pin in self.pins.held():
            row = by_name.get(pin.candidate.name)
            if row is None or not _still_needs(row, pin):
                self.pins.release(pin.candidate.name)
                released = True
        if released:  # there is room again
            self._kept = {name: files for name, files in self._kept.items() if name not in self.pins.why_not}

    def _pin(self, candidate: Candidate, unsettled_since: float | None) -> None:
        held = self.pins.get(candidate.name)
        if held is not None and _is_being_deleted(held):
            return  # what is held is more than what is left
        try:
            self.pins.pin(candidate, unsettled_since)
        except CheckpointChanged as error:
            extra = entry("changed", checkpoint=candidate.name, cause=str(error))
            logger.info("%s", error, extra=extra)
            return
        self._kept[candidate.name] = candidate.files

    def _may_rotate(self, candidate: Candidate, verdicts: Mapping[str, Verdict], now: float) -> bool:
        return len(verdicts) <= FEW or now - newest_mtime(candidate.files) < self.gate.quiet_s

    def _word(self, pin: Pin, now: float) -> Verdict | None:
        """What is only kept has passed the gate, or has to settle in its pin; None when it was overwritten."""
        candidate = pin.candidate
        if not pin.intact:  # what is believed, too: its training may have saved it again before it deleted it
            self.pins.release(candidate.name)
            self.pins.why_not[candidate.name] = "it was overwritten meanwhile"
            return None
        if pin.unsettled_since is None:
            return Verdict(candidate)
        if pin.unsettled_since > now:  # the clock was set back: it has to settle from now on
            pin = self.pins.unsettle(pin, now)
        ready_at = (pin.unsettled_since or now) + self.gate.settle_s
        if now < ready_at:
            cause = settling(candidate.name, self.gate.settle_s)
            return Verdict(promising=candidate, cause=cause, settles_at=ready_at)
        return Verdict(self.pins.settle(pin).candidate)


def _is_being_deleted(pin: Pin) -> bool:
    """Whether some of the pinned files are gone from their source, and nothing else is there."""
    try:
        return set(fingerprint(pin.candidate.source)) < set(pin.candidate.files)
    except OSError:
        return True


def _still_needs(row: Row, pin: Pin) -> bool:
    """Whether a checkpoint has something left to do with its pin, and its files are still those."""
    found = row.candidate or row.promising
    if found is None or found.files != pin.candidate.files:
        return False
    return row.promising is not None or row.state in (*UNDECIDED, CheckpointState.QUARANTINED)
