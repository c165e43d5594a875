"""One neuron or head over the checkpoints of a run: its effect by attribution, and how well a neuron tells the
classes apart. Whether it carries the verdict is known where it was removed, and said of nowhere else.

A checkpoint without a result is a gap in the lines; nothing is drawn in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREEN, GREY, INK
from shared.figures.kit.whole_ticks import whole_ticks
from shared.figures.units.words import nats
from shared.findings.text import counted
from shared.views import Panel

MAX_DRAWN = 150
"""Of more checkpoints every k-th is drawn, counted back from the newest; the table has all."""
NORMAL_95 = 1.96
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class Moment:
    """The unit at one checkpoint; None where it is not known."""

    step: int
    epoch: float | None
    label: str
    """ "epoch 3" """
    effect: float | None = None
    """Class-signed effect by attribution, nats."""
    error: float | None = None
    """Its standard error."""
    auroc: float | None = None
    with_effect: bool | None = None
    """Significant, with an effect by attribution beyond 2 standard errors."""
    carries: bool | None = None
    """As removal says (`shared.findings.claims.carries`); None where it was not removed."""


def history_panel(name: str, moments: Sequence[Moment], shown: int, selective: bool) -> Panel:
    """The history of the unit called `name` (ours, e.g. "L4.N7"), with the checkpoint of step `shown` marked.

    `selective`: whether AUROCs belong to it (a neuron), or only effects (a head). `moments` are by step.
    """
    known = [each for each in moments if each.effect is not None]
    verb = "has" if len(known) == 1 else "have"
    return Panel(
        stem=f"history_{name.replace('.', '_')}",
        title=f"{name} over the run",
        figure=_figure(name, moments, shown, selective),
        caption=_caption(selective),
        alt=f"{_headline(name, moments, shown)}. {_counted(moments)}.",
        rows=[_cells(each, selective) for each in moments],
        badge=f"{len(known)} of {counted(len(moments), 'checkpoint')} {verb} a result"
        + (" · 95 % intervals from standard errors over contrast pairs (or prompts)" if selective else ""),
    )


def _figure(name: str, moments: Sequence[Moment], shown: int, selective: bool) -> go.Figure:
    drawn = _drawn(moments, shown)
    by_epoch = bool(moments) and all(each.epoch is not None for each in moments)
    place = {each.step: float(each.epoch if by_epoch and each.epoch is not None else each.step) for each in moments}
    x = np.array([place[each.step] for each in drawn], dtype=np.float32)
    sheet = Sheet(430 if selective else 300, _headline(name, moments, shown), _counted(moments))
    axis = {"title": "epoch" if by_epoch else "optimizer step"} | whole_ticks(list(place.values()))
    effect = sheet.pane(up=(0.45, 1) if selective else (0, 1), x={} if selective else axis, y=_EFFECT)
    _draw_effect(sheet, effect, x, drawn)
    if selective:
        sheet.layout["xaxis"]["showticklabels"] = False
        auroc = sheet.pane(up=(0, 0.36), x=axis | {"matches": "x"}, y=_AUROC)
        _draw_auroc(sheet, auroc, x, drawn)
    for pane in sheet.panes:
        if shown in place:
            sheet.vertical(pane, place[shown], color=INK, width=1.4, dash="dot")
    return sheet.figure()


_EFFECT = {
    "title": "effect by attribution (nats)",
    "zeroline": True,
    "zerolinecolor": GREY,
    "zerolinewidth": 1,
    "nticks": 5,
    "rangemode": "tozero",
}
_AUROC = {"title": "AUROC", "range": [-0.04, 1.04], "tickvals": [0, 0.5, 1], "zeroline": False}


def _drawn(moments: Sequence[Moment], shown: int) -> list[Moment]:
    """At most about MAX_DRAWN moments, the newest and the shown one among them."""
    every = max(1, -(-len(moments) // MAX_DRAWN))
    last = len(moments) - 1
    return [each for place, each in enumerate(moments) if (last - place) % every == 0 or each.step == shown]


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def _draw_effect(sheet: Sheet, pane: Pane, x: np.ndarray, moments: Sequence[Moment]) -> None:
    effect, error = (_numbers([getattr(each, name) for each in moments]) for name in ("effect", "error"))
    if not np.isfinite(effect).any():
        sheet.say_missing(pane, "no result of any checkpoint holds this unit")
        return
    errors = {"array": NORMAL_95 * error, "color": BLUE, "thickness": 1.2, "width": 2}
    sheet.draw(
        pane,
        x=x,
        y=effect,
        mode="lines+markers",
        connectgaps=False,
        showlegend=False,
        line={"color": BLUE, "width": 2},
        marker={"color": BLUE, "size": 8, "symbol": [_symbol(each) for each in moments]},
        error_y=errors if np.isfinite(error).any() else None,
        text=[each.label for each in moments],
        hovertemplate="%{text}: %{y:.3g} nats<extra></extra>",
    )


def _symbol(moment: Moment) -> str:
    """Filled where removal says that it carries the verdict, open where removal denies it, dotted where nobody
    tried."""
    return "circle-open-dot" if moment.carries is None else "circle" if moment.carries else "circle-open"


def _draw_auroc(sheet: Sheet, pane: Pane, x: np.ndarray, moments: Sequence[Moment]) -> None:
    auroc = _numbers([each.auroc for each in moments])
    if not np.isfinite(auroc).any():
        sheet.say_missing(pane, "no AUROC")
        return
    sheet.draw(
        pane,
        x=x,
        y=auroc,
        mode="lines+markers",
        connectgaps=False,
        showlegend=False,
        line={"color": GREEN, "dash": "dash", "width": 2},
        marker={"color": GREEN, "symbol": "square", "size": 6},
        text=[each.label for each in moments],
        hovertemplate="%{text}: AUROC %{y:.3f}<extra></extra>",
    )


def born(moments: Sequence[Moment]) -> Moment | None:
    """The first of two analysed checkpoints in a row at which the unit is significant with an effect."""
    tested = [each for each in moments if each.with_effect is not None]
    return next((a for a, b in pairwise(tested) if a.with_effect and b.with_effect), None)


def _headline(name: str, moments: Sequence[Moment], shown: int) -> str:
    now = next((each for each in moments if each.step == shown), None)
    if now is None or now.effect is None:
        return f"{name}: no result at the checkpoint shown"
    first = born(moments)
    since = f"; first with a significant effect at {first.label}" if first is not None else ""
    if first is None and sum(each.with_effect is not None for each in moments) > 1:
        since = "; without a significant effect at any two checkpoints in a row"
    return f"{name}: {nats(now.effect)} nats by attribution at {now.label}{since}"


def _counted(moments: Sequence[Moment]) -> str:
    missing = sum(each.effect is None for each in moments)
    gaps = f", {missing} without a result (gaps)" if missing else ""
    removed = [each for each in moments if each.carries is not None]
    carries = (
        f"carries the verdict at {sum(bool(each.carries) for each in removed)} of the "
        f"{counted(len(removed), 'checkpoint')} where it was removed"
    )
    return f"{counted(len(moments), 'checkpoint')}{gaps} · {carries if removed else 'removed at none'}"


def _caption(selective: bool) -> str:
    second = " Below, how well its activation tells unsafe from safe (AUROC, 0.5 is chance)." if selective else ""
    return (
        "What it shows: the effect of this one unit at every analysed checkpoint, in nats of separation "
        "(attribution, 95 % interval where there is one). Filled where it was really removed and carries the "
        f"verdict, open where it was removed and does not, dotted where it was not removed.{second}\n"
        "How to read: the dotted line is the checkpoint shown above. A gap is a checkpoint without a result. "
        "An effect that grows with the training was learnt in it; one that is there from the start was not.\n"
        "Worrying: an effect that jumps, or that comes and goes, late in the training."
    )


def _cells(moment: Moment, selective: bool) -> dict[str, Any]:
    cells: dict[str, Any] = {"step": moment.step, "epoch": moment.epoch, "effect": moment.effect}
    if selective:
        cells |= {"effect_error": moment.error, "auroc": moment.auroc, "with_effect": moment.with_effect}
    return cells | {"carries": moment.carries}
