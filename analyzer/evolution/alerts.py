"""The numbers whose sudden change raises a flag, as series over the run, and the sentence of each flag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.evolution.series import Series
from analyzer.statistics.change_point import ChangePoint, change_point
from shared.findings.evolution import Alert

FEWEST_NEURONS = 5
"""A smaller change in the number of neurons with an effect is never flagged."""


@dataclass(frozen=True)
class Signal:
    """One series that is watched."""

    name: str
    title: str
    """How a sentence begins."""
    minimum: float
    """Smallest change that is worth a look."""
    show: Callable[[float], str]
    """A value for people."""


def watched_signals(layers: int, series: dict[str, Series]) -> list[Signal]:
    """All signals. That edges or neurons are others is none: it need not mean another mechanism."""
    counts = [value for value in series.get("neurons_with_effect", [])[:-1] if value is not None]
    fewest = max(FEWEST_NEURONS, 0.1 * counts[-1]) if counts else FEWEST_NEURONS
    return [
        Signal("divergence_layer", "The divergence layer", 2.0, lambda value: _layer(value, layers)),
        Signal("drift", "Attribution drift from checkpoint to checkpoint (1 - Spearman)", 0.1, _number),
        Signal("cka_last", "CKA of the last layer with the checkpoint before", 0.05, _number),
        Signal("probe_fnr", "The share of unsafe probe prompts passed as safe", 0.05, _percent),
        Signal("probe_fpr", "The share of safe probe prompts refused", 0.05, _percent),
        Signal(
            "neurons_with_effect", "The number of significant neurons with an effect", fewest, lambda n: f"{n:.0f}"
        ),
        Signal("transfer", "What the previous checkpoint's circuit keeps here", 0.2, _percent),
    ]


def alerts(layers: int, series: dict[str, Series], previous: str, now: str) -> list[Alert]:
    """A flag for each signal whose newest change is unusual. `previous` and `now` name the checkpoints."""
    found = []
    for signal in watched_signals(layers, series):
        change = change_point(series.get(signal.name, ()), signal.minimum)
        if change is not None:
            sentence = _sentence(signal, change, previous, now)
            found.append(
                Alert(
                    signal=signal.name,
                    change=change.change,
                    z=change.z,
                    minimum=signal.minimum,
                    sentence=sentence,
                )
            )
    return found


def _sentence(signal: Signal, change: ChangePoint, previous: str, now: str) -> str:
    return (
        f"{signal.title} went from {signal.show(change.before)} at {previous} to {signal.show(change.now)}: "
        f"different since {now}, by {abs(change.z):.1f} robust standard deviations of the {change.known} steps "
        "before. This is a flag, not a diagnosis."
    )


def _layer(value: float, layers: int) -> str:
    if value >= layers:
        return f"none (counted as {layers})"
    return "the embeddings" if value < 0 else f"layer {value:.0f}"


def _number(value: float) -> str:
    return f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
