"""What scores mean: how they lie by class, what a threshold catches, whether probabilities hold, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import BLUE, CLASS_COLOUR, GREEN, GREY, INK, ORANGE, VERMILLION
from shared.findings.text import escape, percent, quoted, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings.calibration import AnswerReading, CalibrationResult, Cell, OperatingPoint
    from shared.findings.parts import Interval

FEWEST_SHOWN = 8
"""Prompts of a class that a part's rate rests on, at least (`analyzer/analyses/calibration.py`)."""
KINDS = ("length", "language", "source", "style", "category")
"""Parts in the order in which they are drawn."""
MAX_ROWS = 14
"""Parts of the prompts that are drawn; the table has all."""
ROW, PLOT, GAP = 20, 230, 84
LEFT, RIGHT, WIDER = (0.0, 0.42), (0.6, 1.0), (0.53, 1.0)
SHOWN = {"fpr": ("diamond", ORANGE), "balanced": ("star", GREEN), "own": ("x", INK)}
"""Kind of operating point -> symbol, colour."""
_INTERVAL = "%{fullData.name}<br>%{text}: %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>"


def calibration_figure(result: CalibrationResult, title: str, subtitle: str) -> go.Figure:
    """Scores and ROC; reliability and parts; below them, where there are any, a judge's answers in words."""
    cells = shown_cells(result.cells)
    heights = [PLOT, max(PLOT, 40 + ROW * len(cells))]
    if result.answers is not None:
        heights.append(30 + 2 * ROW * max(len(result.answers.top), 1))
    total, spans = stacked(heights, [GAP] * (len(heights) - 1))
    sheet = Sheet(112 + total + 56, title, subtitle, top=112)
    _draw_scores(sheet, spans[0], result)
    _draw_roc(sheet, spans[0], result)
    _draw_reliability(sheet, spans[1], result)
    _draw_cells(sheet, spans[1], cells)
    if result.answers is not None:
        _draw_answers(sheet, spans[2], result.answers)
    return sheet.figure()


def shown_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Parts with a rate to show: by length, then languages where there are two, then the largest categories."""
    told = [cell for cell in cells if cell.fnr is not None or cell.fpr is not None]
    by_kind = {kind: [cell for cell in told if cell.kind == kind] for kind in KINDS}
    if len(by_kind["language"]) < 2:
        by_kind["language"] = []
    return [cell for kind in KINDS for cell in by_kind[kind]][:MAX_ROWS]


def _draw_scores(sheet: Sheet, up: tuple[float, float], result: CalibrationResult) -> None:
    found = result.histogram
    edges = np.array(found.edges)
    x = {"title": "score (nats; above 0 is judged unsafe)", "range": [edges[0], edges[-1]]}
    pane = sheet.pane(LEFT, up, x, {"title": "prompts", "rangemode": "tozero"})
    for name, counts, pattern in (("safe", found.safe, ""), ("unsafe", found.unsafe, "/")):
        sheet.draw(
            pane,
            "bar",
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.array(counts),
            width=float(edges[1] - edges[0]),
            name=f"{name} (n = {sum(counts)})",
            showlegend=True,
            opacity=0.6,
            marker={"color": CLASS_COLOUR[name], "pattern": {"shape": pattern, "size": 5}},  # type: ignore[index]
            hovertemplate="%{fullData.name}<br>score %{x:.2f}: %{y}<extra></extra>",
        )
    sheet.layout["barmode"] = "overlay"
    sheet.vertical(pane, 0.0, color=INK, width=1.4)
    wanted = result.of("wanted")
    if wanted is not None and wanted.rate is not None and edges[0] <= wanted.threshold.value <= edges[-1]:
        sheet.vertical(pane, wanted.threshold.value, color=ORANGE, width=1.6, dash="dash")
        text = f"FPR {percent_of(wanted.rate)}"
        place = {"x": wanted.threshold.value, "xref": pane.x, "y": 0.99, "yanchor": "top", "xanchor": "left"}
        place["xshift"] = 4  # or the line's first dash reads as a letter
        sheet.note(text, pane, colour="#9a6200", bgcolor="rgba(255,255,255,0.8)", **place)


def _draw_roc(sheet: Sheet, up: tuple[float, float], result: CalibrationResult) -> None:
    least = 0.5 / max(result.safe, 1)
    low = np.log10(min(least, 0.01))
    ticks = [0.001, 0.01, 0.1, 1]
    x = {
        "title": "false-positive rate (log; left edge: none)", "type": "log", "range": [low, 0.02],
        "tickvals": ticks, "ticktext": [percent_of(tick) for tick in ticks],
    }  # fmt: skip
    pane = sheet.pane(WIDER, up, x, {"title": "true-positive rate", "range": [-0.02, 1.04]})
    if not result.roc:
        sheet.say_missing(pane, "one class only")
        return
    floor = 10**low
    fpr, tpr, at = (np.array([getattr(p, name) for p in result.roc]) for name in ("fpr", "tpr", "threshold"))
    sheet.draw(
        pane,
        x=np.maximum(fpr, floor),
        y=tpr,
        mode="lines",
        name=f"AUC {result.auc.value:.2f}" if result.auc else "ROC",
        showlegend=True,
        line={"color": INK, "width": 2.2, "shape": "hv"},
        customdata=np.stack([fpr, at], axis=1),
        hovertemplate="TPR %{y:.3f} at FPR %{customdata[0]:.4f}<br>threshold %{customdata[1]:.2f}<extra></extra>",
    )
    guess = np.geomspace(floor, 1, 30)
    line = {"color": GREY, "dash": "dot", "width": 1.4}
    sheet.draw(pane, x=guess, y=guess, mode="lines", showlegend=False, hoverinfo="skip", line=line)
    for kind, (symbol, colour) in SHOWN.items():
        chosen = [each for each in result.points if each.kind == kind]
        if chosen:
            _draw_points(sheet, pane, chosen, POINT_NAMES[kind], symbol, colour, floor)


POINT_NAMES = {"fpr": "FPR 0.1, 1, 20 %", "balanced": "best", "own": "own (0)"}


def _draw_points(
    sheet: Sheet,
    pane: Pane,
    points: Sequence[OperatingPoint],
    name: str,
    symbol: str,
    colour: str,
    floor: float,
) -> None:
    tpr = np.array([each.tpr.value for each in points])
    low, high = np.array([each.tpr.low for each in points]), np.array([each.tpr.high for each in points])
    sheet.draw(
        pane,
        x=np.maximum(np.array([each.fpr.value for each in points]), floor),
        y=tpr,
        mode="markers",
        name=name,
        showlegend=True,
        cliponaxis=False,  # the point at which nothing is refused lies on the axis
        marker={"symbol": symbol, "color": colour, "size": 10},
        error_y={"array": high - tpr, "arrayminus": tpr - low, "color": colour, "thickness": 1.4, "width": 3},
        customdata=np.stack([low, high, np.array([each.threshold.value for each in points])], axis=1),
        hovertemplate=(
            "%{fullData.name}<br>TPR %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
            "<br>threshold %{customdata[2]:.2f} nats<extra></extra>"
        ),
    )


def _draw_reliability(sheet: Sheet, up: tuple[float, float], result: CalibrationResult) -> None:
    share = {"range": [-0.03, 1.03]}
    x = share | {"title": "probability of unsafe, as stated"}
    pane = sheet.pane(LEFT, up, x, share | {"title": "share unsafe, as it is"})
    if result.reliability is None:
        sheet.say_missing(pane, "its head states no probability")
        return
    ends = np.array([0.0, 1.0])
    line = {"color": GREY, "dash": "dot", "width": 1.4}
    sheet.draw(pane, x=ends, y=ends, mode="lines", name="calibrated", showlegend=True, hoverinfo="skip", line=line)
    bins = result.reliability.bins
    y = np.array([each.observed.value for each in bins])
    low, high = (np.array([getattr(each.observed, end) for each in bins]) for end in ("low", "high"))
    sheet.draw(
        pane,
        x=np.array([each.predicted for each in bins]),
        y=y,
        mode="lines+markers",
        name=f"judge, ECE {result.reliability.error.value:.2f}",
        showlegend=True,
        line={"color": INK, "width": 2.2},
        marker={"symbol": "square", "size": 8, "color": INK},
        error_y={"array": high - y, "arrayminus": y - low, "color": INK, "thickness": 1.4, "width": 3},
        customdata=np.stack([low, high, np.array([each.count for each in bins])], axis=1),
        hovertemplate=(
            "stated %{x:.3f}, is %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
            "<br>n = %{customdata[2]}<extra></extra>"
        ),
    )


def _draw_cells(sheet: Sheet, up: tuple[float, float], cells: Sequence[Cell]) -> None:
    places = np.arange(len(cells))
    names = {
        "range": [len(cells) - 0.4, -0.6], "ticks": "", "automargin": False, "zeroline": False,
        "tickvals": places, "ticktext": [cell_name(cell) for cell in cells],
    }  # fmt: skip
    pane = sheet.pane(RIGHT, up, {"title": "error rate, by part of the prompts", "range": [-0.02, 1.02]}, names)
    if not cells:
        sheet.say_missing(pane, f"no part has {FEWEST_SHOWN} prompts of a class")
        return
    for name, pick, aside in (("FNR (unsafe passed)", "fnr", -0.14), ("FPR (safe refused)", "fpr", 0.14)):
        told = [(place, getattr(cell, pick)) for place, cell in enumerate(cells)]
        told = [(place, rate) for place, rate in told if rate is not None]
        if told:
            rows = [cell_name(cells[place]) for place, _ in told]
            _draw_rates(sheet, pane, np.array([place for place, _ in told]) + aside, rows, told, name)


def cell_name(cell: Cell) -> str:
    """ "weapons (n = 24)", escaped."""
    return escape(f"{shorten(cell.name, 20)} (n = {cell.unsafe + cell.safe})")


def _draw_rates(
    sheet: Sheet, pane: Pane, y: np.ndarray, rows: list[str], told: list[tuple[int, Interval]], name: str
) -> None:
    unsafe = name.startswith("FNR")
    colour, symbol = (VERMILLION, "square") if unsafe else (BLUE, "circle")
    x, low, high = (np.array([getattr(rate, end) for _, rate in told]) for end in ("value", "low", "high"))
    sheet.draw(
        pane,
        x=x,
        y=y,
        mode="markers",
        name=name,
        showlegend=True,
        text=rows,
        marker={"color": colour, "symbol": symbol, "size": 7},
        error_x={"array": high - x, "arrayminus": x - low, "color": colour, "thickness": 1.4, "width": 3},
        customdata=np.stack([low, high], axis=1),
        hovertemplate=_INTERVAL,
    )


def _draw_answers(sheet: Sheet, up: tuple[float, float], answers: AnswerReading) -> None:
    """The judge's own answers where its verdict is read, on safe and on unsafe prompts."""
    names = {"autorange": "reversed", "ticks": "", "automargin": False}
    x = {"title": "mean probability where the verdict is read", "range": [0, 1.02]}
    pane = sheet.pane((0.16, 1.0), up, x, names)
    shown = [escape(f"{quoted(shorten(each.text, 24))} ({each.side or 'neither'})") for each in answers.top]
    for label, pick, pattern in (("safe", "on_safe", ""), ("unsafe", "on_unsafe", "/")):
        mass = answers.mass.get(label)
        held = f": answers hold {percent(mass.value)}" if mass is not None else ""
        sheet.draw(
            pane,
            "bar",
            x=np.array([getattr(each, pick) for each in answers.top]),
            y=shown,
            orientation="h",
            name=f"on {label} prompts{held}",
            showlegend=True,
            offsetgroup=label,
            marker={"color": CLASS_COLOUR[label], "pattern": {"shape": pattern, "size": 5}},  # type: ignore[index]
            hovertemplate="%{fullData.name}<br>%{y}: %{x:.3f}<extra></extra>",
        )


def percent_of(rate: float) -> str:
    """A rate as it was asked for: "0.1 %", "1 %", "20 %"."""
    return f"{100 * rate:g} %"
