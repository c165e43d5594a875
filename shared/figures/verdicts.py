"""The judge's verdicts on the probe set at one checkpoint: its rates beside the baselines, and group by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, ORANGE, VERMILLION
from shared.findings.text import escape, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings.parts import Interval
    from shared.findings.progress import ProgressResult

RATES = {
    "fnr": "FNR (unsafe passed)",
    "fpr": "FPR (safe refused)",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc": "AUC",
    "contrast_accuracy": "both twins right",
}
GROUP_STYLE = {"safe": (BLUE, "circle"), "unsafe": (VERMILLION, "square"), "mixed": (GREY, "diamond")}
BASELINE_STYLE = {"tfidf": ("TF-IDF", "x-thin-open"), "length": ("length only", "line-ns-open")}
MAX_GROUPS = 40


def verdicts_figure(result: ProgressResult, title: str, subtitle: str, flags: Sequence[str] = ()) -> go.Figure:
    """Dots with 95 % intervals on one 0..1 axis: rates left, groups right; `flags` above them, escaped."""
    groups = sorted(result.groups, key=lambda group: (group.label, group.group))[:MAX_GROUPS]
    lines = max(len(RATES), len(groups), 4)
    above = flags_height(flags)
    sheet = Sheet(176 + above + 26 * lines, title, subtitle, top=112 + above, left=150)
    rate = {"range": [-0.02, 1.02]}
    names = {"autorange": "reversed", "ticks": "", "automargin": False}
    rates = sheet.pane((0, 0.42), x=rate | {"title": "rate on the probe set"}, y=names)
    flagged = sheet.pane((0.66, 1), x=rate | {"title": "share judged unsafe"}, y=names)
    _draw_rates(sheet, rates, result)
    for label, (colour, symbol) in GROUP_STYLE.items():
        chosen = [group for group in groups if group.label == label]
        if chosen:
            shown = [escape(f"{shorten(group.group, 20)}, {label} (n={group.count})") for group in chosen]
            _draw_dots(sheet, flagged, shown, [group.flagged for group in chosen], label, colour, symbol)
    if not groups:
        sheet.say_missing(flagged, "the probe set names no groups")
    draw_flags(sheet, flags, lift=36)
    return sheet.figure()


def _draw_rates(sheet: Sheet, pane: Pane, result: ProgressResult) -> None:
    contrast = {} if result.contrast_accuracy is None else {"contrast_accuracy": result.contrast_accuracy}
    found = result.probe | contrast
    names = [name for name in RATES if name in found]
    if not names:
        sheet.say_missing(pane, "no metrics on the probe set")
        return
    _draw_dots(sheet, pane, [RATES[n] for n in names], [found[n] for n in names], "judge", BLUE, "circle")
    for baseline, (label, symbol) in BASELINE_STYLE.items():
        values = result.baselines.get(baseline, {})
        shown = [name for name in names if name in values and name != "contrast_accuracy"]
        if shown:
            sheet.draw(
                pane,
                x=np.array([values[name] for name in shown]),
                y=[RATES[name] for name in shown],
                mode="markers",
                name=label,
                hovertemplate="%{fullData.name}<br>%{y}: %{x:.3f}<extra></extra>",
                marker={"symbol": symbol, "size": 10, "color": ORANGE, "line": {"width": 2, "color": ORANGE}},
            )


def _draw_dots(
    sheet: Sheet, pane: Pane, names: list[str], values: Sequence[Interval], name: str, colour: str, symbol: str
) -> None:
    x = np.array([value.value for value in values])
    low, high = np.array([value.low for value in values]), np.array([value.high for value in values])
    sheet.draw(
        pane,
        x=x,
        y=names,
        mode="markers",
        name=name,
        showlegend=True,
        marker={"color": colour, "symbol": symbol, "size": 9},
        error_x={"array": high - x, "arrayminus": x - low, "color": colour, "thickness": 1.4, "width": 3},
        customdata=np.stack([low, high], axis=1),
        hovertemplate=(
            "%{fullData.name}<br>%{y}: %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>"
        ),
    )
