"""Units (neurons, heads) as rows: what attribution says of each, what its removal does, and words beside it.

Tuned and frozen layers are told apart by colour, symbol and hatching. Every row has two lines: above a marker, the
effect by attribution; below a bar, the true ablation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, INK, ORANGE, PALE
from shared.figures.units.words import nats
from shared.findings.text import counted
from shared.findings.unit_sentences import share_words

if TYPE_CHECKING:
    from shared.findings.parts import Interval
    from shared.findings.units import JointAblation, UnitAblation

ROW_HEIGHT = 42
"""Pixels a row takes."""
TUNED, FROZEN = (BLUE, "circle", ""), (ORANGE, "diamond", "/")
"""Colour, symbol and hatching of a unit in a layer that trains, and in a frozen one."""
JOINT_HEIGHT = 150
"""Pixels for the joint ablation."""
HEADING = 14
"""Font size of a pane's heading."""
CONTROL = "#d8dee4"
WORDS = "words"
"""Marks the traces of a pane that is lines of text only."""
_UPPER, _LOWER, _THICK = -0.2, 0.2, 0.3
"""Where marker and bar stand in a row, and how thick the bar is, in rows."""


@dataclass(frozen=True)
class UnitRow:
    """One unit as drawn."""

    name: str
    frozen: bool
    effect: Interval
    integrated: float
    """The effect by the integrated gradient, nats."""
    disputed: bool
    ablation: UnitAblation
    lines: tuple[str, str]
    """Two lines of text beside it, escaped."""
    hover: str
    """What pointing at it says below its name, escaped."""
    place: float
    """Rows from the top."""


def head(sheet: Sheet, pane: Pane, words: str, lift: int = 4) -> None:
    """A bold heading, `lift` pixels above a pane."""
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "yshift": lift}
    sheet.note(f"<b>{words}</b>", pane, size=HEADING, colour=INK, **place)


def names_axis(rows: Sequence[UnitRow], count: float) -> dict[str, Any]:
    """The y axis of `count` rows with the units' names; a disputed one is marked."""
    return {
        "range": [count - 0.5, -0.5],
        "tickmode": "array",
        "tickvals": [row.place for row in rows],
        "ticktext": [row.name + (" ⚠" if row.disputed else "") for row in rows],
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def bare_axis(first: Pane) -> dict[str, Any]:
    """The y axis of another pane over the same rows as `first`."""
    look = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    return look | {"matches": first.y}


def effect_axis(rows: Sequence[UnitRow], control: Sequence[float]) -> dict[str, Any]:
    """The x axis in nats, from round number to round number over all intervals and the control."""
    shown = [interval for row in rows for interval in (row.effect, row.ablation.drop)]
    low, high = round_range([*control, *(b for interval in shown for b in (interval.low, interval.high))])
    return {"title": "nats of separation", "range": [low, high], "nticks": 6}


def round_range(values: Sequence[float]) -> tuple[float, float]:
    """A range with round ends that holds `values` and 0; 0 to 1 where there is nothing else to hold."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if high - low < 1e-9:
        return 0.0, 1.0
    quarter = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(quarter))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= quarter)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def draw_effects(sheet: Sheet, pane: Pane, rows: Sequence[UnitRow], random: Sequence[float]) -> None:
    """Markers and bars of all rows, before the band of what `random` single units lose."""
    if random:
        sheet.band(pane, min(random), max(random), CONTROL)
    sheet.vertical(pane, 0, color=GREY, width=1.2)
    for frozen, style in ((False, TUNED), (True, FROZEN)):
        chosen = [row for row in rows if row.frozen == frozen]
        _draw_attribution(sheet, pane, chosen, style)
        _draw_ablation(sheet, pane, chosen, style)
    _draw_legend(sheet, pane, rows, f"{counted(len(random), 'random one')}, each alone" if random else "")


def _draw_attribution(sheet: Sheet, pane: Pane, rows: Sequence[UnitRow], style: tuple[str, str, str]) -> None:
    colour, symbol, _ = style
    if not rows:
        return
    intervals = [row.effect for row in rows]
    sheet.draw(
        pane,
        x=np.array([each.value for each in intervals]),
        y=np.array([row.place + _UPPER for row in rows]),
        mode="markers",
        showlegend=False,
        marker={"color": colour, "symbol": symbol, "size": 9, "line": {"color": INK, "width": 0.8}},
        error_x=_error(intervals, colour),
        customdata=[
            [*_bounds(row.name, row.effect), f"{nats(row.integrated)}{', disputed ⚠' if row.disputed else ''}"]
            for row in rows
        ],
        hovertemplate="<b>%{customdata[0]}</b>: attribution effect %{x:.3g} nats %{customdata[1]}"
        "<br>by the integrated gradient %{customdata[2]}<extra></extra>",
    )


def _draw_ablation(sheet: Sheet, pane: Pane, rows: Sequence[UnitRow], style: tuple[str, str, str]) -> None:
    colour, _, hatch = style
    if not rows:
        return
    intervals = [row.ablation.drop for row in rows]
    sheet.draw(
        pane,
        "bar",
        orientation="h",
        x=np.array([each.value for each in intervals]),
        y=np.array([row.place + _LOWER for row in rows]),
        width=_THICK,
        showlegend=False,
        marker={"color": colour, "pattern": pattern(hatch)},
        error_x=_error(intervals, INK),
        customdata=[
            [*_bounds(row.name, row.ablation.drop), _share(row.ablation), _flips(row.ablation)] for row in rows
        ],
        hovertemplate="<b>%{customdata[0]}</b>: %{x:.3g} nats lost when it is removed %{customdata[1]}"
        "<br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
    )


def _share(ablation: UnitAblation) -> str:
    share = "" if ablation.share is None else f"{share_words(ablation.share)} of the separation, "
    return f"{share}{'carries the verdict' if ablation.carries else 'not clear of random ones'}"


def _flips(ablation: UnitAblation) -> str:
    return f"{ablation.flips} of {counted(ablation.n, 'verdict')} flipped, on prompts that it was not chosen on"


def pattern(hatch: str) -> dict[str, Any]:
    """Plotly's fill pattern of a bar: `hatch` from TUNED or FROZEN."""
    return {"shape": hatch, "solidity": 0.35, "fgcolor": "white", "size": 6, "fillmode": "overlay"}


def _draw_legend(sheet: Sheet, pane: Pane, rows: Sequence[UnitRow], control: str) -> None:
    """What the shapes mean, each said once; `control` names the grey band, empty where there is none."""
    nowhere = {"x": [None], "y": [None], "showlegend": True, "hoverinfo": "skip"}
    outline = {"color": INK, "width": 0.8}
    dot = {"color": TUNED[0], "symbol": TUNED[1], "size": 9, "line": outline}
    sheet.draw(pane, name="attribution effect", mode="markers", marker=dot, **nowhere)
    sheet.draw(pane, "bar", name="lost when removed", marker={"color": TUNED[0]}, **nowhere)
    if any(row.frozen for row in rows):
        look = {"color": FROZEN[0], "pattern": pattern(FROZEN[2])}
        sheet.draw(pane, "bar", name="frozen layer (marker: ◆)", marker=look, **nowhere)
    if control:
        look = {"symbol": "square", "size": 12, "color": CONTROL}
        sheet.draw(pane, name=control, mode="markers", marker=look, **nowhere)


def _bounds(name: str, interval: Interval) -> list[str]:
    return [name, f"[{nats(interval.low)}, {nats(interval.high)}]"]


def _error(intervals: Sequence[Interval], colour: str) -> dict[str, Any]:
    return {
        "array": np.array([each.high - each.value for each in intervals]),
        "arrayminus": np.array([each.value - each.low for each in intervals]),
        "color": colour,
        "thickness": 1.3,
        "width": 3,
    }


def draw_words(sheet: Sheet, pane: Pane, rows: Sequence[UnitRow]) -> None:
    """The two lines of each row, and behind them a box that is not seen, so that pointing at them says more."""
    places = np.array([row.place for row in rows], dtype=float)
    sheet.draw(
        pane,
        "bar",
        orientation="h",
        x=np.ones(len(rows)),
        y=places,
        width=0.92,
        showlegend=False,
        customdata=[[row.name, row.hover] for row in rows],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        hoverlabel={"bgcolor": "white", "bordercolor": PALE, "font": {"color": INK}},
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        meta=WORDS,
    )
    for line, (lift, size, colour) in enumerate(((_UPPER, 12.5, INK), (_LOWER, 11, GREY))):
        sheet.draw(
            pane,
            x=np.zeros(len(rows)),
            y=places + lift,
            mode="text",
            text=[row.lines[line] for row in rows],
            textposition="middle right",
            textfont={"size": size, "color": colour},
            showlegend=False,
            hoverinfo="skip",
            meta=WORDS,
        )


def draw_joint(sheet: Sheet, pane: Pane, joint: JointAblation | None, noun: str, missing: str) -> None:
    """The chosen units, removed at once, above as many random ones."""
    if joint is None:
        sheet.say_missing(pane, missing)
        return
    place = {"xref": f"{pane.x} domain", "x": 0.01, "xanchor": "left", "yref": pane.y, "colour": INK}
    sheet.note(f"<b>{joint.k} chosen</b>: {joint.flips} of {joint.n} flip", y=-0.42, **place)
    sheet.draw(
        pane,
        "bar",
        orientation="h",
        x=np.array([joint.drop.value]),
        y=np.array([0.0]),
        width=0.42,
        showlegend=False,
        marker={"color": INK},
        error_x=_error([joint.drop], GREY),
        hovertemplate=f"{joint.counted(noun)}: %{{x:.3g}} nats lost "
        f"[{nats(joint.drop.low)}, {nats(joint.drop.high)}]<extra></extra>",
    )
    draws = np.array(joint.control_drops)
    if not len(draws):
        return
    most = max(joint.control_flips, default=0)
    flip = f"at most {most} flip" if most else "none flips"
    sheet.note(f"<b>as many random ones</b>, {counted(len(draws), 'draw')}: {flip}", y=0.88, **place)
    sheet.draw(
        pane,
        x=draws,
        y=np.full(len(draws), 1.3),
        mode="markers",
        showlegend=False,
        marker={"color": GREY, "symbol": "line-ns-open", "size": 16, "line": {"width": 1.6}},
        hovertemplate="one random draw: %{x:.3g} nats lost<extra></extra>",
    )


def joint_axes(joint: JointAblation | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The x and y axis for `draw_joint`."""
    values = [] if joint is None else [joint.drop.low, joint.drop.high, *joint.control_drops]
    low, high = round_range(values)
    x = {"title": "nats lost", "range": [low, high], "nticks": 5}
    return x, {"range": [1.75, -0.75], "visible": False, "fixedrange": True}
