"""The numbers whose newest step is held against their own steps before, and what is raised of them and verdicts."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.evolution.series import Series
from analyzer.evolution.verdicts import Verdicts
from analyzer.statistics.unusual_step import ENOUGH, unusual_step
from shared.findings.alerts import Alert, AnswerAlert, StepAlert
from shared.findings.calibration import LITTLE_MASS

FEWEST_NEURONS = 5
"""A smaller change in the number of neurons with an effect is never flagged."""
LEAST_FALL = 0.2
"""Of the answer mass, from a checkpoint to the next."""
CHECKPOINTS = 30
"""Of the run over which chances are spread; a longer one has that many more by chance."""


@dataclass(frozen=True)
class Signal:
    """One series that is watched."""

    name: str
    minimum: float
    """Smallest change that is worth a note."""


def watched_signals(series: dict[str, Series]) -> list[Signal]:
    """All signals. That edges or neurons are others is none: it need not mean another mechanism."""
    counts = [value for value in series.get("neurons_with_effect", [])[:-1] if value is not None]
    fewest = max(FEWEST_NEURONS, 0.1 * counts[-1]) if counts else FEWEST_NEURONS
    return [
        Signal("divergence_layer", 2.0),
        Signal("drift", 0.1),
        Signal("cka_last", 0.05),
        Signal("neurons_with_effect", fewest),
        Signal("transfer", 0.2),
    ]


def step_alerts(
    layers: int, series: dict[str, Series], errors: dict[str, float | None], previous: str, label: str
) -> list[StepAlert]:
    """One for each signal whose newest step is unusual, between checkpoints so labelled.

    `series` may hold learning rates, "learning_rate"; `errors` are standard errors of newest steps.
    """
    signals = watched_signals(series)
    tests = len(signals) * (CHECKPOINTS - 1 - ENOUGH)
    found = []
    for signal in signals:
        values, rates = series.get(signal.name, []), series.get("learning_rate", [])
        step = unusual_step(values, signal.minimum, tests, rates, errors.get(signal.name))
        if step is not None:
            found.append(
                StepAlert(
                    signal=signal.name,  # type: ignore[arg-type]
                    severity=step.severity,
                    previous=previous,
                    label=label,
                    before=step.before,
                    now=step.now,
                    usual=step.usual,
                    n=step.n,
                    ratio=step.ratio,
                    bar=step.bar,
                    layers=layers,
                )
            )
    return found


def answer_alerts(before: float | None, now: float | None, previous: str, label: str) -> list[AnswerAlert]:
    """Where the answer mass (None of a judge that does not answer in words) fell below what scores need.

    Nothing here is a sample of labels, so there is no chance to allow for: only a fall that hovers at the bar.
    """
    if before is None or now is None or now >= LITTLE_MASS or before - now < LEAST_FALL or before < LITTLE_MASS:
        return []
    return [AnswerAlert(previous=previous, label=label, before=before, now=now)]


def all_alerts(
    verdicts: Verdicts | None, steps: int, found: list[StepAlert], previous: str, label: str
) -> list[Alert]:
    """Alarms before notes, verdicts first; `steps` of the run are known with this one."""
    told: list[Alert] = list(verdicts.alerts(steps, previous, label)) if verdicts is not None else []
    return sorted([*told, *found], key=lambda alert: alert.severity != "alarm")
