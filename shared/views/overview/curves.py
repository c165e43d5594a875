"""Four small plots over the checkpoints: error rates, AUC, validation loss, divergence layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shared.figures.run.grid import Curve, Line, Plot
from shared.findings.parts import Interval
from shared.findings.rates import PERCENT, share
from shared.findings.text import number
from shared.views.overview.facts import CheckpointFacts
from shared.views.overview.standing import Standing

Value = Callable[[CheckpointFacts], Interval | float | None]


@dataclass(frozen=True)
class SmallPlots:
    """Plots over one x axis, an entry a checkpoint."""

    x: np.ndarray
    """(n,) epochs or steps."""
    x_title: str
    """ "epoch" or "optimizer step" """
    names: tuple[str, ...]
    labels: tuple[str, ...]
    best: int | None
    """Which entry is the best checkpoint."""
    alarms: tuple[int, ...]
    """Entries with an alarm."""
    plots: tuple[Plot, ...]


def small_plots(found: Standing) -> SmallPlots:
    """The plots, over the checkpoints of which anything is known; empty ones say what is missing."""
    facts = [each for each in found.facts if each.known]
    by_epoch = bool(facts) and all(each.epoch is not None for each in facts)
    x = np.array([each.epoch if by_epoch else each.step for each in facts], dtype=float)
    names = tuple(each.name for each in facts)
    return SmallPlots(
        x,
        "epoch" if by_epoch else "optimizer step",
        names,
        tuple(each.label for each in facts),
        names.index(found.best.name) if found.best is not None else None,
        tuple(place for place, each in enumerate(facts) if each.alarms),
        _plots(facts, x),
    )


def _plots(facts: Sequence[CheckpointFacts], x: np.ndarray) -> tuple[Plot, ...]:
    def line(name: str, style: str, value: Value) -> Line:
        return Line(name, _curve(x, [value(each) for each in facts]), style)

    layers = [each for each in facts if each.compared]
    return (
        Plot(
            "error rate, probe set",
            [line("FNR", "fnr", lambda each: each.fnr), line("FPR", "fpr", lambda each: each.fpr)],
            "not analysed yet",
            limits=(0, None),
            axis={"tickformat": PERCENT},
        ),
        Plot("AUC, probe set", [line("AUC", "auc", lambda each: each.auc)], "not analysed yet", limits=(None, 1)),
        Plot("validation loss (nats)", [line("loss", "val", lambda each: each.val_loss)], "not logged"),
        Plot(
            "divergence layer",
            [line("layer", "inside", lambda each: each.divergence_layer)],
            "none at any checkpoint" if layers else "not analysed yet",
            axis={"tickformat": "d"},
        ),
    )


def _curve(x: np.ndarray, values: Sequence[Interval | float | None]) -> Curve:
    rows = np.array([_three(value) for value in values], dtype=float).reshape(len(values), 3)
    if np.isfinite(rows[:, 1]).any():
        return Curve(x, rows[:, 0], rows[:, 1], rows[:, 2])
    return Curve(x, rows[:, 0])


def _three(value: Interval | float | None) -> tuple[float, float, float]:
    if isinstance(value, Interval):
        return value.value, value.low, value.high
    return (float("nan") if value is None else float(value)), float("nan"), float("nan")


def in_words(plot: Plot, small: SmallPlots) -> str:
    """What one plot shows, for those who cannot see it: first, last, best."""
    told = []
    for line in plot.lines:
        known = np.flatnonzero(np.isfinite(line.curve.y))
        if not len(known):
            continue
        ends = dict.fromkeys((int(known[0]), int(known[-1])))
        places = [*ends, *([small.best] if small.best in known and small.best not in ends else [])]
        said = share if plot.axis.get("tickformat") == PERCENT else number
        values = [f"{said(float(line.curve.y[place]))} at {small.labels[place]}" for place in places]
        told.append(f"{line.name} {', '.join(values)}")
    return f"{plot.title}: {'; '.join(told) or plot.missing}"
