"""All of an attack in one figure, as its page and the report show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from shared.figures.attack.heat_map import FOOT as NAMES_BELOW
from shared.figures.attack.heat_map import NAMES, draw_maps, heights
from shared.figures.attack.holds import draw_holds
from shared.figures.attack.success import FOOT, HEIGHT, draw_success
from shared.figures.kit.sheet import Sheet

if TYPE_CHECKING:
    from shared.findings.attack import AttackArchive

__all__ = ["NAMES", "attack_figure"]


def attack_figure(archive: AttackArchive, title: str, subtitle: str) -> go.Figure:
    """Heat maps; below them success by technique and by risk; at the bottom checkpoints, if there are several."""
    several = len(archive.holds) > 1
    rows = [HEIGHT, HEIGHT] if several else [HEIGHT]
    inner = sum(heights(archive)) + NAMES_BELOW + sum(rows) + (FOOT + 30 if several else 0)
    sheet = Sheet(110 + inner + FOOT, title, subtitle, top=110, bottom=FOOT, left=150)
    draw_maps(sheet, archive, inner)
    up = (0.0, HEIGHT / inner)
    if several:
        draw_holds(sheet, (0, 1), up, archive)
        up = ((HEIGHT + FOOT + 30) / inner, (2 * HEIGHT + FOOT + 30) / inner)
    draw_success(sheet, (0, 0.46), up, archive, "technique")
    draw_success(sheet, (0.58, 1), up, archive, "risk")
    return sheet.figure()
