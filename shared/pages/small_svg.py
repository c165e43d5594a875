"""Small plots of a run as numbers for an inline SVG: no script, so the page can be sent as one file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.figures.run.grid import STYLES, Line, Plot
from shared.findings.text import number
from shared.views.overview.curves import SmallPlots, in_words

WIDTH, HEIGHT = 240, 120
"""Of the whole picture, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 38, 10, 14, 18
"""Margins in the same units."""
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
    top: str
    """The y axis' ends, for people."""
    bottom: str
    first: str
    """The x axis' ends."""
    last: str
    x_title: str
    best: str
    """Where the best checkpoint stands; empty without one."""
    alarms: tuple[str, ...]


def pictures(small: SmallPlots) -> list[Picture]:
    """One for each plot."""
    return [_picture(plot, small) for plot in small.plots]


def _picture(plot: Plot, small: SmallPlots) -> Picture:
    lines = [line for line in plot.lines if line.curve]
    ends = _ends(lines, plot) if lines else (0.0, 1.0)
    first, last = (float(small.x[0]), float(small.x[-1])) if len(small.x) else (0.0, 1.0)
    across = _scale(first, last, LEFT, WIDTH - RIGHT)
    return Picture(
        title=plot.title,
        alt=in_words(plot, small),
        missing="" if lines else plot.missing,
        curves=tuple(_drawn(line, across(small.x), ends) for line in lines),
        top=_end(ends[1]),
        bottom=_end(ends[0]),
        first=f"{first:g}",
        last=f"{last:g}",
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


def _end(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else number(value)


def _text(value: float) -> str:
    return f"{float(value):.1f}"
