"""Figures in a narrow window: plots that stand side by side go below each other, and long lines of words wrap.

A figure is taken as its dictionary, as the kit (`shared.figures.kit.sheet`) makes it: every plot has an x and a y
axis of one number, which anchor each other, and a legend of that number above it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from dashboard.widgets.untitled import LEAST_TOP
from shared.figures.kit.text_layout import text_width, wrapped
from shared.figures.units.rows import WORDS

WIDTH = 350
"""Pixels of a figure in a window of 390."""
LEFT, MOST_LEFT, RIGHT = 64, 140, 14
"""Pixels beside the plots: left at least and at most, right at least."""
LEGEND_LINE, LEGEND_ROOM, LEGEND_SIGN = 19, 8, 42
"""Pixels: height of a line of a legend, air around several, and an entry's width beside its words."""
FOOT, MOST_FOOT = 56, 84
"""Pixels below a plot for its ticks and its axis' title, where the next one did not stand below it before."""
BAR = 72
"""Pixels right of the plots for a colour bar that stands there."""
_Layout = dict[str, Any]


@dataclass(frozen=True)
class _Plot:
    """One plot, its place as shares of the drawing area."""

    suffix: str
    """ "" of the first, else its number."""
    across: tuple[float, float]
    up: tuple[float, float]


def narrowed(figure: go.Figure) -> go.Figure:
    """A copy for a narrow window, higher where plots stood side by side."""
    parts = copy.deepcopy(figure.to_dict())
    layout, traces = parts["layout"], parts["data"]
    if "margin" not in layout or "height" not in layout:  # not of the kit
        return go.Figure(parts, _validate=False)
    plots = _plots(layout)
    lift = 0.0
    if _columns(plots) > 1:
        parts["data"] = traces = _without_words(layout, traces)
        plots = _plots(layout)
        lift = _stack(layout, traces, plots)
    elif plots:
        lift = _lift_heading(layout, traces, plots[0])
        layout["margin"]["t"] += lift
        layout["height"] += lift
    _wrap_notes(layout, lift)
    return go.Figure(parts, _validate=False)


def _plots(layout: _Layout) -> list[_Plot]:
    """Row by row from the top, each from the left; column by column where rows are divided alike and share axes."""
    found = [
        _Plot(name[5:], *(_domain(layout, f"{axis}axis{name[5:]}") for axis in "xy"))
        for name in layout
        if name.startswith("xaxis")
    ]
    rows = sorted(found, key=lambda plot: (-round(plot.up[1], 2), plot.across[0]))
    by_row = [
        {round(p.across[0], 2) for p in rows if round(p.up[1], 2) == top}
        for top in {round(p.up[1], 2) for p in rows}
    ]
    if len(by_row) > 1 and all(starts == by_row[0] for starts in by_row):
        return sorted(rows, key=lambda plot: (round(plot.across[0], 2), -plot.up[1]))
    return rows


def _domain(layout: _Layout, axis: str) -> tuple[float, float]:
    low, high = layout[axis].get("domain") or (0, 1)
    return low, high


def _columns(plots: Sequence[_Plot]) -> int:
    return len({round(plot.across[0], 2) for plot in plots})


def _without_words(layout: _Layout, traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the plot that is lines of text only, which are longer than the window: the unit's panel has them."""
    gone = {trace["xaxis"][1:] for trace in traces if trace.get("meta") == WORDS}
    for suffix in gone:
        for name in ("xaxis", "yaxis", "legend"):
            layout.pop(f"{name}{suffix}", None)
    refs = {f"{axis}{suffix}{end}" for suffix in gone for axis in "xy" for end in ("", " domain")}
    for kind in ("annotations", "shapes"):
        layout[kind] = [each for each in layout.get(kind, []) if not refs & {each.get("xref"), each.get("yref")}]
    return [trace for trace in traces if trace.get("xaxis", "x")[1:] not in gone]


def _stack(layout: _Layout, traces: list[dict[str, Any]], plots: Sequence[_Plot]) -> float:
    """Give every plot the whole width, one below the other, each as high as it was; pixels more above them all."""
    margin = layout["margin"]
    area = layout["height"] - margin["t"] - margin["b"]
    bar = BAR if any("colorbar" in trace and not _below(trace) for trace in traces) else 0
    margin |= {"l": max(_name_width(layout, traces, plot) for plot in plots), "r": max(bar, _beside(layout))}
    wide = WIDTH - margin["l"] - margin["r"]
    bars = {trace["xaxis"][1:]: trace["colorbar"] for trace in traces if _below(trace)}
    beside = {
        trace["xaxis"][1:]: trace["colorbar"] for trace in traces if "colorbar" in trace and not _below(trace)
    }
    lifts = [_lift_heading(layout, traces, plot) for plot in plots]
    sinks = [_wrap_title(layout[f"xaxis{plot.suffix}"].get("title"), wide) for plot in plots]
    gaps = [_gap(plots, place, area, margin) for place in range(len(plots) - 1)]
    for place, plot in enumerate(plots):
        if bar := bars.get(plot.suffix):
            bar |= {"ypad": bar.get("ypad", 10) + sinks[place], "len": 1}
            sinks[place] += _wrap_title(bar["title"], wide)
    gaps = [gap + sinks[place] + lifts[place + 1] for place, gap in enumerate(gaps)]
    heights = [area * (plot.up[1] - plot.up[0]) for plot in plots]
    roof = total = sum(heights) + sum(gaps)
    for plot, height, gap in zip(plots, heights, [*gaps, 0], strict=True):
        up = [max(0.0, (roof - height) / total), roof / total]
        _move(layout, plot, up)
        if plot.suffix in bars:
            bars[plot.suffix]["y"] = up[0]
        if plot.suffix in beside:
            beside[plot.suffix] |= {"x": 1, "xanchor": "left", "y": sum(up) / 2, "len": up[1] - up[0]}
        roof -= height + gap
    margin |= {"t": margin["t"] + lifts[0], "b": margin["b"] + sinks[-1]}
    layout["height"] = round(total + margin["t"] + margin["b"])
    return lifts[0]


def _name_width(layout: _Layout, traces: Sequence[dict[str, Any]], plot: _Plot) -> int:
    """Pixels left of a plot for the names at its axis; longer ones wrap."""
    axis = layout[f"yaxis{plot.suffix}"]
    if "ticktext" not in axis:
        parts = (trace["y"] for trace in traces if trace.get("yaxis", "y")[1:] == plot.suffix and "y" in trace)
        rows = list(dict.fromkeys(row for part in parts for row in part if isinstance(row, str)))
        axis |= {"tickmode": "array", "tickvals": rows, "ticktext": rows} if rows else {}
    names = [wrapped(str(name), 12, MOST_LEFT - 10) for name in axis.get("ticktext") or ()]
    if names:
        axis["ticktext"] = ["<br>".join(lines) for lines in names]
    return round(max([LEFT, *(text_width(line, 12) + 10 for lines in names for line in lines)]))


def _beside(layout: _Layout) -> int:
    """Pixels right of the plots, for what is said there beside an axis."""
    notes = [n for n in layout.get("annotations", []) if n.get("x") == 1 and n.get("xanchor") == "left"]
    return round(max([RIGHT, *(text_width(note["text"], note["font"]["size"]) + 4 for note in notes)]))


def _lift_heading(layout: _Layout, traces: Sequence[dict[str, Any]], plot: _Plot) -> float:
    """Lift what is said above a plot over its legend; pixels that both need more than a legend of one line."""
    lines = _legend_lines(traces, plot.suffix, WIDTH - layout["margin"]["l"] - layout["margin"]["r"])
    refs = (f"x{plot.suffix} domain", f"y{plot.suffix} domain")
    for note in layout.get("annotations", []):
        above = note.get("y") == 1 and note.get("yanchor") == "bottom"
        if lines and above and (note.get("xref"), note.get("yref")) == refs:
            note["yshift"] = max(note.get("yshift", 0), LEGEND_LINE * lines + LEGEND_ROOM)
    return float(LEGEND_LINE * (lines - 1) + LEGEND_ROOM) if lines > 1 else 0.0


def _gap(plots: Sequence[_Plot], place: int, area: float, margin: dict[str, Any]) -> float:
    """Pixels between a plot and the next: as many as there were, or a foot and a legend where they stood apart."""
    one, other = plots[place], plots[place + 1]
    below = [one.up[0] - each.up[1] for each in plots if each.up[1] < one.up[0] + 0.01]
    if one.across[0] == other.across[0] and other.up[1] < one.up[0]:
        return (one.up[0] - other.up[1]) * area
    foot = min(below) * area if below else max(FOOT, min(margin["b"], MOST_FOOT))
    return max(foot, FOOT + LEAST_TOP) if below else foot + LEAST_TOP + LEGEND_LINE


def _move(layout: _Layout, plot: _Plot, up: list[float]) -> None:
    """Put one plot at its new place, with its names at its own axis."""
    x, y = layout[f"xaxis{plot.suffix}"], layout[f"yaxis{plot.suffix}"]
    x["domain"], y["domain"] = [0, 1], up
    like = layout.get("yaxis" + y.get("matches", "y-")[1:])
    if like is not None and y.get("showticklabels") is False:
        y |= {name: like[name] for name in ("tickvals", "ticktext", "tickmode") if name in like}
        y["showticklabels"] = True
    layout[f"legend{plot.suffix}"] |= {"x": 0, "xanchor": "left", "y": up[1], "yanchor": "bottom", "yref": "paper"}


def _below(trace: dict[str, Any]) -> bool:
    return trace.get("colorbar", {}).get("orientation") == "h"


def _legend_lines(traces: Sequence[dict[str, Any]], suffix: str, room: float) -> int:
    """Lines of the legend above a plot `room` pixels wide. Where one line is too short, Plotly gives every entry as
    much as the widest one takes."""
    wide = [
        text_width(str(trace.get("name", "")), 12) + LEGEND_SIGN
        for trace in traces
        if trace.get("showlegend", "name" in trace) and trace.get("legend", "legend") == f"legend{suffix}"
    ]
    if sum(wide) <= room:
        return min(1, len(wide))
    return -(-len(wide) // max(1, int(room // max(wide))))


def _wrap_title(title: dict[str, Any] | None, width: float) -> float:
    """Break a title at `width` pixels; pixels that its further lines take."""
    if not title or not title.get("text"):
        return 0.0
    size = title.get("font", {}).get("size", 13)
    lines = wrapped(title["text"], size, width)
    title["text"] = "<br>".join(lines)
    return 1.3 * size * (len(lines) - 1)


def _wrap_notes(layout: _Layout, lift: float) -> None:
    """Break notes that are longer than the window; those above and below all plots push the figure's ends out.

    Those above them go up by `lift` pixels.
    """
    margin, pushed = layout["margin"], 0.0
    for note in layout.get("annotations", []):
        size, before = note.get("font", {}).get("size", 12), note["text"].count("<br>")
        broken = wrapped(note["text"], size, WIDTH - 30)
        more = (len(broken) - 1 - before) * 1.4 * size
        note |= {"text": "<br>".join(broken)} | ({"align": "left"} if note.get("xanchor") == "left" else {})
        if note.get("xref") != "paper" or note.get("yref") != "paper":
            continue
        note |= {"xshift": 14 - margin["l"]} if note.get("x") == 0 else {}
        if note.get("y") == 1:
            note["yshift"] = note.get("yshift", 0) + lift
            margin["t"] += more
            layout["height"] += more
        elif note.get("yanchor") == "top":
            note["yshift"] = note.get("yshift", 0) - pushed
            pushed += more
    margin["b"] += pushed
    layout["height"] += pushed
