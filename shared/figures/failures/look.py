"""What the figures of one prompt share: they fit any width, and stand on a light and on a dark page."""

from __future__ import annotations

from typing import Any

from shared.figures.kit.style import FONT

HEIGHT = 300
"""Pixels."""
FAINT = "rgba(128,128,128,0.25)"
"""Of grid lines, on white and on black."""
TEXT = "#7a8490"


def axis(title: str) -> dict[str, Any]:
    """One axis with its title."""
    return {
        "title": {"text": title, "font": {"size": 12}, "standoff": 6},
        "gridcolor": FAINT,
        "linecolor": FAINT,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": 11},
    }


def layout(title: str, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """The layout; `title` is escaped."""
    return {
        "height": HEIGHT,
        "margin": {"l": 8, "r": 8, "t": 64, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": TEXT},
        "title": {"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left", "y": 1, "yanchor": "top",
                  "pad": {"t": 6, "l": 4}},
        "xaxis": x,
        "yaxis": y,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom",
                   "font": {"size": 11}},
        "hovermode": "closest",
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left"},
        "dragmode": False,
    }  # fmt: skip
