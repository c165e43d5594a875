"""Token attribution drawn as the prompt itself: each word a box, its colour how far it pushes the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import DIVERGING, GREY, INK, PALE, diverging_colour
from shared.figures.kit.text_layout import MARK_SIZE, Box, place_words, reads_right_to_left
from shared.figures.word_cells import WordCell, share_beyond
from shared.findings.text import clean, escape, percent, signed

RANGE = 0.5
"""Colours end at this share of the prompt's shift, for every sample and epoch, so that pictures compare."""
MAX_WORDS = 160
LINE_WIDTH = 860.0
"""Pixels of text on a line; a wider figure stretches the boxes, a much narrower one crowds them."""
ROW_HEIGHT = 50
"""Pixels from line to line: the box and, below it, the number of the strongest words."""
STRONG, NOTABLE = 0.1, 0.04
"""From these |shares| on, a word carries its number or its sign, so that colour is not the only cue."""
MAX_NUMBERED = 12
_BOX, _LABEL = 0.54, 24
"""Height of a box in rows; longest label in characters, the whole word stands in the hover."""


@dataclass(frozen=True)
class Scale:
    """What the colours mean: the title of the scale, and its two ends."""

    title: str
    safe: str
    unsafe: str


def words_figure(
    cells: Sequence[WordCell],
    title: str,
    subtitle: str,
    flags: Sequence[str],
    scale: Scale,
    doubtful: bool,
    checked: Sequence[WordCell] = (),
) -> go.Figure:
    """The prompt as wrapped, coloured word boxes, hatched where `doubtful`.

    `flags` are warnings too large to miss. All text but the words' is already escaped. With `checked`, the same
    words as replacing them says, a button changes over.
    """
    shown, other = list(cells[:MAX_WORDS]), list(checked[:MAX_WORDS])
    labels = [clean(cell.word.text, _LABEL) or "·" for cell in shown]
    sizes = [11.0 if cell.word.special else 15.0 for cell in shown]
    marks, other_marks = marks_of(shown), marks_of(other)
    widest = [max(pair, key=len) for pair in zip(marks, other_marks, strict=True)] if other else marks
    boxes = place_words(labels, sizes, widest, LINE_WIDTH)
    rows = 1 + max((box.row for box in boxes), default=0)
    top = 86 + flags_height(flags) + (34 if other else 0)
    sheet = Sheet(top + rows * ROW_HEIGHT + 76, title, subtitle, top=top, bottom=76, left=16, right=16)
    sheet.layout |= {"showlegend": False, "barmode": "overlay"}
    plain = {"visible": False, "fixedrange": True}
    pane = sheet.pane(x=plain | {"range": [-2, LINE_WIDTH + 2]}, y=plain | {"range": [rows - 0.42, -0.46]})
    _draw_boxes(sheet, pane, shown, labels, sizes, boxes, doubtful)
    _draw_marks(sheet, pane, marks, boxes)
    _draw_scale(sheet, pane, scale)
    if other:
        _draw_boxes(sheet, pane, other, labels, sizes, boxes, doubtful=False, visible=False)
        _draw_marks(sheet, pane, other_marks, boxes, visible=False)
        sheet.layout["updatemenus"] = [_buttons()]
    draw_flags(sheet, flags, lift=10 + (34 if other else 0))
    _say_what_is_hidden(sheet, cells, labels)
    return sheet.figure()


def _draw_boxes(
    sheet: Sheet,
    pane: Pane,
    cells: Sequence[WordCell],
    labels: list[str],
    sizes: list[float],
    boxes: list[Box],
    doubtful: bool,
    visible: bool = True,
) -> None:
    """One horizontal bar a word: box, text and hover in a single trace. Hatched where they are in doubt: no colour
    fills a hatched box, so its word is never white."""
    special = [cell.word.special for cell in cells]
    colours = [diverging_colour(cell.share / RANGE) if cell.known else UNKNOWN for cell in cells]
    sheet.draw(
        pane,
        "bar",
        visible=visible,
        orientation="h",
        base=np.array([box.left for box in boxes]),
        x=np.array([box.width for box in boxes]),
        y=np.array([float(box.row) for box in boxes]),
        width=_BOX,
        text=[escape(label) for label in labels],
        textposition="inside",
        insidetextanchor="middle",
        constraintext="none",
        textangle=0,
        insidetextfont={"size": sizes, "color": [INK if doubtful else readable(cell.share) for cell in cells]},
        customdata=[[escape(cell.word.text), cell.hover] for cell in cells],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        marker={
            "color": colours,
            "cornerradius": 4,
            "line": {
                "color": [GREY if is_special else PALE for is_special in special],
                "width": [1.4 if is_special else 0.6 for is_special in special],
            },
            **({"pattern": _HATCH | {"bgcolor": colours}} if doubtful else {}),
        },
    )


UNKNOWN = "#eceff2"
"""Colour of a word of which nothing was measured."""


def _buttons() -> dict:
    """Attribution, or replacing the words. Traces: boxes and marks of one, the scale, those of the other."""
    names = ("attribution", "replaced by neutral words")
    shown = ([True, True, True, False, False], [False, False, True, True, True])
    buttons = [
        {"label": name, "method": "restyle", "args": [{"visible": visible}]}
        for name, visible in zip(names, shown, strict=True)
    ]
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 6, "t": 0}}
    look = {"type": "buttons", "direction": "right", "showactive": True, "font": {"size": 12}, "bgcolor": "white"}
    return look | place | {"buttons": buttons}


_HATCH = {"shape": "/", "size": 7, "solidity": 0.12, "fgcolor": "#8c959f", "fillmode": "replace"}


def _draw_scale(sheet: Sheet, pane: Pane, scale: Scale) -> None:
    """The colour bar, carried by a marker that is not seen."""
    sheet.draw(
        pane,
        x=[0.0],
        y=[0.0],
        mode="markers",
        hoverinfo="skip",
        marker={
            "size": 1,
            "opacity": 0,
            "color": [0.0],
            "cmin": -RANGE,
            "cmax": RANGE,
            "colorscale": [[i / (len(DIVERGING) - 1), colour] for i, colour in enumerate(DIVERGING)],
            "showscale": True,
            "colorbar": _colour_bar(scale),
        },
    )


def _colour_bar(scale: Scale) -> dict:
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": 0,
        "yanchor": "top",
        "ypad": 14,
        "len": 0.6,
        "thickness": 12,
        "outlinewidth": 0.5,
        "outlinecolor": PALE,
        "title": {"text": scale.title, "side": "bottom", "font": {"size": 12}},
        "tickvals": [-RANGE, -RANGE / 2, 0, RANGE / 2, RANGE],
        "ticktext": [
            f"◀ {scale.safe}  ≤ {signed(-RANGE)}",
            signed(-RANGE / 2),
            "0",
            signed(RANGE / 2),
            f"≥ {signed(RANGE)}  {scale.unsafe} ▶",
        ],
        "tickangle": 0,
        "tickfont": {"size": 12},
    }


def marks_of(cells: Sequence[WordCell]) -> list[str]:
    """The second cue below the boxes: the strongest words' numbers, the notable words' signs."""
    by_strength = sorted((abs(cell.share) for cell in cells), reverse=True)
    numbered = max(STRONG, by_strength[MAX_NUMBERED - 1] if len(by_strength) >= MAX_NUMBERED else 0.0)
    return [f"{_mark(cell.share, numbered)} {clean(cell.mark, 40)}".strip() for cell in cells]


def _draw_marks(sheet: Sheet, pane: Pane, marks: list[str], boxes: list[Box], visible: bool = True) -> None:
    sheet.draw(
        pane,
        visible=visible,
        x=np.array([box.left + box.width / 2 for box in boxes]),
        y=np.array([box.row + 0.42 for box in boxes]),
        mode="text",
        text=[escape(mark) for mark in marks],
        textfont={"size": MARK_SIZE, "color": INK},
        hoverinfo="skip",
    )


def _mark(share: float, numbered: float) -> str:
    if abs(share) >= numbered:
        return signed(share)
    return signed(share)[0] if abs(share) >= NOTABLE else ""


def readable(share: float) -> str:
    """White on the dark ends of the scale, ink elsewhere."""
    return "white" if abs(share) > 0.62 * RANGE else INK


def _say_what_is_hidden(sheet: Sheet, cells: Sequence[WordCell], labels: list[str]) -> None:
    """Say what the picture leaves out or turns round."""
    notes = []
    if len(cells) > MAX_WORDS:
        rest = len(cells) - MAX_WORDS
        share = percent(share_beyond(cells, MAX_WORDS))
        notes.append(f"first {MAX_WORDS} words shown; the other {rest} hold {share} of the attribution")
    if reads_right_to_left(labels):
        notes.append("reads from right to left")
    if not cells:
        notes.append("no words")
    if notes:
        sheet.note("; ".join(notes), x=1, xanchor="right", y=0, yanchor="top", yshift=4)
