"""The alerts of a run's comparisons, and how a message tells them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.errors import SchemaError
from shared.files import read_record
from shared.findings.alerts import Alert
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import typed_result
from shared.findings.text import clean, counted
from shared.results import ResultRecord

COMPARISON = "evolution"
"""The analysis that raises alerts."""
TOLD_AT_ONCE = 20
"""Alerts that one message spells out."""


class Raised(NamedTuple):
    """One alert of one checkpoint."""

    checkpoint: str
    step: int
    alert: Alert

    @property
    def identity(self) -> str:
        """The same when the comparison is computed anew: an alert is told once."""
        return f"{self.alert.test}/{self.alert.signal}/{self.alert.severity}"


class Message(NamedTuple):
    """Plain text."""

    title: str
    body: str


def alerts_of(path: Path) -> list[Raised]:
    """The alerts of one comparison. Raises OSError, or SchemaError where it is damaged."""
    record = read_record(path, ResultRecord)
    if record.analysis != COMPARISON:
        raise SchemaError(f"{path} is no result of {COMPARISON}.")
    alerts = typed_result(record, EvolutionResult).alerts
    return [Raised(record.checkpoint, record.step, alert) for alert in alerts]


def message(run: str, raised: Sequence[Raised]) -> Message:
    """One message about these alerts (at least one) of the run called `run`, by step."""
    alarms = sum(each.alert.severity == "alarm" for each in raised)
    kinds = [counted(alarms, "alarm")] if alarms else []
    kinds += [counted(len(raised) - alarms, "note")] if alarms < len(raised) else []
    in_order = sorted(raised, key=lambda each: each.step)
    parts = [_told(each) for each in in_order[:TOLD_AT_ONCE]]
    if len(in_order) > TOLD_AT_ONCE:
        parts.append(f"And {len(in_order) - TOLD_AT_ONCE} more: the page evolution.html has all of them.")
    return Message(clean(f"Midwatch: {' and '.join(kinds)} in {run}"), "\n\n".join(parts))


def _told(each: Raised) -> str:
    """The sentence, and the numbers behind it."""
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in numbers_of(each.alert).items())
    return clean(f"{each.checkpoint} (step {each.step}): {each.alert.sentence}") + f"\n{numbers}"


def numbers_of(alert: Alert) -> dict[str, float]:
    """Every number of an alert by its name, those of its flipped verdicts among them."""
    told = alert.model_dump(mode="json")
    flat = told | told.pop("flips", {})
    return {name: value for name, value in flat.items() if isinstance(value, int | float)}
