"""Small plots of a run as numbers for an inline SVG: no script, so the page can be sent as one file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shared.figures.run.grid import STYLES, Line, Plot
from shared.findings.parts import Interval
from shared.findings.rates import PERCENT, rate, share
from shared.findings.text import number
from shared.views.overview.curves import SmallPlots, in_words

WIDTH, HEIGHT = 240, 128
"""Of the whole picture, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 38, 10, 14, 26
"""Margins in the same units."""
MOST_LEVELS, MOST_TICKS = 4, 6
"""Ticks of the y and of the x axis."""
DASHES = {"solid": "", "dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3"}


@dataclass(frozen=True)
class Drawn:
    """One curve."""

    name: str
    colour: str
    dash: str
    points: tuple[str, ...]
    """A polyline's points for each stretch without a gap."""
    dots: tuple[tuple[str, str], ...]
    """Places of its values."""
    bands: tuple[str, ...]
    """A polygon's points for each stretch with an interval."""


@dataclass(frozen=True)
class Picture:
    """One small plot, ready to be written down; all numbers are text with one decimal."""

    title: str
    alt: str
    missing: str
    """What to say instead; empty where there is something to draw."""
    curves: tuple[Drawn, ...]
    levels: tuple[tuple[str, str], ...]
    """Ticks of the y axis: the place, and what to write there."""
    ticks: tuple[tuple[str, str], ...]
    """Likewise of the x axis."""
    x_title: str
    best: str
    """Where the best checkpoint stands; empty without one."""
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Stop:
    """Where the pointer is at one entry, over the whole height."""

    entry: int
    start: float
    width: float
    """Both in the picture's units."""
    words: str
    """Which checkpoint, then each curve's value with its interval, a line each."""


def pictures(small: SmallPlots) -> list[Picture]:
    """One for each plot."""
    return [_picture(plot, small) for plot in small.plots]


def stops(plot: Plot, small: SmallPlots) -> list[Stop]:
    """One for each entry at which the plot has a value."""
    lines = [line for line in plot.lines if line.curve]
    if not lines or not len(small.x):
        return []
    known = np.flatnonzero(np.any([np.isfinite(line.curve.y) for line in lines], axis=0))
    places = _across(small)(small.x[known])
    between = (places[1:] + places[:-1]) / 2
    starts, ends = np.append(float(LEFT - RIGHT), between), np.append(between, float(WIDTH))
    rates = plot.axis.get("tickformat") == PERCENT
    return [
        Stop(
            int(entry), round(float(start), 1), round(float(end - start), 1), _told(lines, small, int(entry), rates)
        )
        for entry, start, end in zip(known, starts, ends, strict=True)
    ]


def _told(lines: list[Line], small: SmallPlots, entry: int, rates: bool) -> str:
    """ "epoch 3", then a line a curve: "FNR 22 % [12, 33]" where they are rates, else "AUC 0.92 [0.85, 0.95]"."""
    said = [small.labels[entry]]
    for line in lines:
        value, low, high = (
            float(part[entry]) if part is not None else float("nan")
            for part in (line.curve.y, line.curve.low, line.curve.high)
        )
        if np.isfinite(value) and rates:
            told = rate(Interval(value=value, low=low, high=high)) if np.isfinite(low + high) else share(value)
            said.append(f"{line.name} {told}")
        elif np.isfinite(value):
            range_ = f" [{number(low)}, {number(high)}]" if np.isfinite(low) and np.isfinite(high) else ""
            said.append(f"{line.name} {_short(value)}{range_}")
    return "\n".join(said)


def _across(small: SmallPlots):
    first, last = (float(small.x[0]), float(small.x[-1])) if len(small.x) else (0.0, 1.0)
    return _scale(first, last, LEFT, WIDTH - RIGHT)


def _picture(plot: Plot, small: SmallPlots) -> Picture:
    lines = [line for line in plot.lines if line.curve]
    ends = _ends(lines, plot) if lines else (0.0, 1.0)
    across, up = _across(small), _scale(*ends, HEIGHT - BOTTOM, TOP)
    if plot.axis.get("tickformat") == PERCENT:
        levels = [(at / 100, f"{text} %") for at, text in _ticks(100 * ends[0], 100 * ends[1], MOST_LEVELS, False)]
    else:
        levels = _ticks(*ends, MOST_LEVELS, plot.axis.get("tickformat") == "d")
    return Picture(
        title=plot.title,
        alt=in_words(plot, small),
        missing="" if lines else plot.missing,
        curves=tuple(_drawn(line, across(small.x), ends) for line in lines),
        levels=tuple((_text(up(tick)), text) for tick, text in levels),
        ticks=tuple((_text(across(tick)), text) for tick, text in _x_ticks(small.x)),
        x_title=small.x_title,
        best=_text(across(small.x)[small.best]) if small.best is not None else "",
        alarms=tuple(_text(across(small.x)[place]) for place in small.alarms),
    )


def _ends(lines: list[Line], plot: Plot) -> tuple[float, float]:
    """Of the y axis: over values, intervals and the plot's own limits."""
    parts = [part for line in lines for part in (line.curve.y, line.curve.low, line.curve.high) if part is not None]
    values = np.concatenate([part[np.isfinite(part)] for part in parts])
    low, high = float(values.min()), float(values.max())
    floor, roof = plot.limits
    low = low if floor is None else min(low, floor)
    high = high if roof is None else max(high, roof)
    return (low - 1, high + 1) if low == high else (low, high)


def _drawn(line: Line, x: np.ndarray, ends: tuple[float, float]) -> Drawn:
    colour, dash, _ = STYLES[line.style]
    curve, up = line.curve, _scale(*ends, HEIGHT - BOTTOM, TOP)
    known = np.isfinite(curve.y)
    bands: list[str] = []
    if curve.low is not None and curve.high is not None:
        for part in _stretches(np.isfinite(curve.low) & np.isfinite(curve.high)):
            there = _points(x[part], up(curve.high[part]))
            back = _points(x[part][::-1], up(curve.low[part])[::-1])
            bands.append(f"{there} {back}")
    y = up(curve.y)
    return Drawn(
        line.name,
        colour,
        DASHES[dash],
        tuple(_points(x[part], y[part]) for part in _stretches(known)),
        tuple((_text(a), _text(b)) for a, b in zip(x[known], y[known], strict=True)) if known.sum() <= 50 else (),
        tuple(bands),
    )


def _scale(low: float, high: float, start: float, end: float):
    """A function from [low, high] to [start, end]; to the middle where the two are one."""
    if high == low:
        return lambda value: np.full_like(np.asarray(value, dtype=float), (start + end) / 2)
    return lambda value: start + (np.asarray(value, dtype=float) - low) / (high - low) * (end - start)


def _stretches(known: np.ndarray) -> list[np.ndarray]:
    places = np.flatnonzero(known)
    return [part for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(part)]


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{_text(a)},{_text(b)}" for a, b in zip(x, y, strict=True))


def _x_ticks(x: np.ndarray) -> list[tuple[float, str]]:
    """At whole epochs or steps; of an axis without a whole number inside, its ends."""
    if not len(x):
        return []
    first, last = float(x[0]), float(x[-1])
    return _ticks(first, last, MOST_TICKS, True) or [(end, f"{end:g}") for end in dict.fromkeys((first, last))]


def _ticks(low: float, high: float, most: int, whole: bool) -> list[tuple[float, str]]:
    """Round numbers in [low, high], at most `most`, each with as many digits as tell it from the next; `whole`
    ones only if that is said."""
    size = 10.0 ** math.floor(math.log10(max(high - low, 1e-9) / most))
    steps = (step * size for step in (1, 2, 5, 10, 20, 50))
    step = next(step for step in steps if math.floor(high / step) - math.ceil(low / step) < most)
    step = max(step, 1.0) if whole else step
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(place * step, f"{place * step:.{digits}f}") for place in range(first, last + 1)]


def _short(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else number(value)


def _text(value: np.ndarray | float) -> str:
    return f"{float(value):.1f}"
