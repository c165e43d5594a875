"""The run played through: where the judge decides and which heads add to it, one frame a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.figures.run.play import play_figure
from shared.findings.text import counted, escape
from shared.views import Panel

MOST_FRAMES = 24
"""Checkpoints of the film, the newest and the first among them."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One checkpoint."""

    name: str
    label: str
    auroc: tuple[float, ...]
    """Of the linear probe after each layer, embeddings first."""
    heads: np.ndarray | None
    """(layers, heads) effect by attribution, nats; None without."""


def play_panel(scenes: Sequence[Scene], of: int) -> Panel | None:
    """`scenes` in the run's order, of `of` checkpoints; None where less than two are of the newest's shape."""
    shape = len(scenes[-1].auroc) if scenes else 0
    shown = [each for each in scenes if len(each.auroc) == shape]
    if len(shown) < 2:
        return None
    auroc = np.array([each.auroc for each in shown], dtype=float)
    heads = _heads(shown)
    first, last = shown[0], shown[-1]
    headline = (
        f"After the last layer a probe's AUROC goes from {first.auroc[-1]:.2f} at {first.label} to "
        f"{last.auroc[-1]:.2f} at {last.label}"
    )
    left = "" if len(shown) == of else f" of {of:,}"
    return Panel(
        stem="evolution_play",
        title="The run, checkpoint by checkpoint",
        figure=play_figure(
            [escape(each.label, 24) for each in shown],
            auroc,
            heads,
            escape(headline, None),
            f"{counted(len(shown), 'checkpoint')}{left} · Play, or move the slider below the plots",
        ),
        caption=_CAPTION,
        alt=f"{headline}.",
        rows=[
            {"checkpoint": each.name, "layer": place - 1, "auroc": value}
            for each in shown
            for place, value in enumerate(each.auroc)
        ],
        badge="AUROC of linear probes, held out by groups; effects of heads by attribution",
        claims=False,
    )


def _heads(shown: Sequence[Scene]) -> np.ndarray | None:
    """(k, layers, heads), NaN where a checkpoint has none of the newest's shape; None where none has."""
    known = [each.heads for each in shown if each.heads is not None]
    if not known:
        return None
    empty = np.full(known[-1].shape, np.nan)
    return np.stack(
        [each.heads if each.heads is not None and each.heads.shape == empty.shape else empty for each in shown]
    )


_CAPTION = (
    "What it shows: left, how well a linear probe tells safe from unsafe after each layer; right, the effect of "
    "each head by attribution (purple for the right verdict, orange against it). One frame a checkpoint, the same "
    "axes and colours in all.\n"
    "How to read: Play, and watch from which layer on the curve rises, and which heads get darker with it. An "
    "empty map is a checkpoint whose heads were not analysed.\n"
    "Worrying: a curve that falls again, or heads that change places, late in the training."
)
