"""How a judge came about, over all checkpoints: where it decides, since when, what flipped, how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from shared.figures.run.maps import layers_by_checkpoint_figure, similarity_figure
from shared.findings.alerts import Flips
from shared.findings.cka import cka_table
from shared.findings.parts import layer_name
from shared.findings.text import counted, escape
from shared.views import Panel

MOST = 120
"""Checkpoints of a map, the newest and the first among them: of more every k-th is drawn."""
MOST_ALIKE = 48
"""The same where every one is compared with every other."""


@dataclass(frozen=True, eq=False)
class Passing:
    """What one checkpoint's results say; None for what is not there."""

    name: str
    label: str
    auroc: tuple[float, ...] | None = None
    """Of the linear probe, embeddings first; None without a result of `comparison`."""
    divergence_layer: int | None = None
    verdicts: Flips | None = None
    """Since the checkpoint before."""
    alarms: tuple[str, ...] = ()
    """What each alarm says, in brief."""


def drawn(count: int, most: int) -> list[int]:
    """Which of `count` checkpoints are drawn: every k-th, counted back from the newest, and the first."""
    every = max(1, -(-count // most))
    return sorted({0, *range(count - 1, -1, -every)}) if count else []


def onset(found: Sequence[Passing]) -> Passing | None:
    """The first of two compared checkpoints in a row that have a divergence layer; None where there is none."""
    known = [each for each in found if each.auroc is not None]
    return next(
        (a for a, b in pairwise(known) if a.divergence_layer is not None and b.divergence_layer is not None), None
    )


def decides_panel(found: Sequence[Passing]) -> Panel | None:
    """Layer by checkpoint, with the onset and the alarms, over what flipped; None where nothing is compared yet."""
    depths = {len(each.auroc) for each in found if each.auroc is not None}
    if not depths:
        return None
    points = max(depths)
    shown = [found[place] for place in drawn(len(found), MOST)]
    auroc = np.full((points, len(shown)), np.nan)
    for column, each in enumerate(shown):
        if each.auroc is not None and len(each.auroc) == points:
            auroc[:, column] = each.auroc
    headline, alarms = _decides(found), [place for place, each in enumerate(shown) if each.alarms]
    return Panel(
        stem="evolution_layers",
        title="Where it decides, and since when",
        figure=layers_by_checkpoint_figure(
            auroc,
            [escape(each.label, 24) for each in shown],
            [each.divergence_layer for each in shown],
            alarms,
            _flips(shown),
            escape(headline, None),
            escape(_counted(found, shown)),
        ),
        caption=_DECIDES,
        alt=f"{headline}. {_alarms(found)}",
        rows=[_row(each) for each in found],
        badge=f"{counted(len(found), 'checkpoint')} · AUROC of linear probes, held out by groups",
        claims=onset(found) is not None,
    )


def _decides(found: Sequence[Passing]) -> str:
    first, known = onset(found), [each for each in found if each.auroc is not None]
    if first is None:
        return "No divergence layer at two checkpoints in a row"
    now = known[-1]
    at = (
        f"now at {layer_name(now.divergence_layer)}"
        if now.divergence_layer is not None
        else f"none at {now.label}, the newest compared"
    )
    return f"Safe and unsafe part inside since {first.label}, first at {layer_name(first.divergence_layer)}, {at}"


def _counted(found: Sequence[Passing], shown: Sequence[Passing]) -> str:
    left = "" if len(shown) == len(found) else f", {len(shown)} of them drawn"
    return (
        f"{counted(len(found), 'checkpoint')}{left} · below: verdicts on the probe set since the checkpoint before"
    )


def _alarms(found: Sequence[Passing]) -> str:
    told = [brief for each in found for brief in each.alarms]
    return f"Alarms: {'; '.join(told[-8:])}." if told else "No alarm."


def _flips(shown: Sequence[Passing]) -> tuple[np.ndarray, np.ndarray]:
    pairs = [
        (np.nan, np.nan)
        if each.verdicts is None
        else (each.verdicts.wrong, each.verdicts.flipped - each.verdicts.wrong)
        for each in shown
    ]
    table = np.array(pairs, dtype=float).reshape(len(shown), 2)
    return table[:, 0], table[:, 1]


def _row(each: Passing) -> dict[str, Any]:
    flips = each.verdicts
    return {
        "checkpoint": each.name,
        "label": each.label,
        "divergence_layer": each.divergence_layer,
        "auroc_last": each.auroc[-1] if each.auroc else None,
        "went_wrong": flips.wrong if flips else None,
        "went_right": flips.flipped - flips.wrong if flips else None,
        "p_value": flips.p_value if flips else None,
        "alarms": "; ".join(each.alarms),
    }


_DECIDES = (
    "What it shows: top, how well a linear probe tells safe from unsafe after each layer, checkpoint by "
    "checkpoint, "
    "with the divergence layer of each (diamond); bottom, how many verdicts on the probe set went right and wrong "
    "since the checkpoint before. Dotted red lines with !: checkpoints with an alarm.\n"
    "How to read: the onset is the first of two checkpoints in a row with a divergence layer; blank where there is "
    "none, never 0. Many flips both ways with little net change are a judge that is not settled.\n"
    "Worrying: a divergence layer that moves to the last layer, or comes and goes; verdicts that go wrong late."
)


def similarity_panel(
    labels: Sequence[str], grams: Sequence[np.ndarray], names: Sequence[str], of: int
) -> Panel | None:
    """How alike the last layers of checkpoints see the probe set; None where less than two can be compared.

    `grams` are (n, n) of the last layer; `of` is how many checkpoints there are, drawn or not.
    """
    table = cka_table(grams) if len(grams) > 1 else None
    if table is None:
        return None
    least = np.unravel_index(np.argmin(table), table.shape)
    one, other = sorted(int(place) for place in least)
    drawn_only = f" of the {len(labels)} drawn" if len(labels) < of else ""
    least_alike = f"see the probe set least alike{drawn_only}: CKA {table[one, other]:.2f}"
    headline = f"{labels[one]} and {labels[other]} {least_alike}"
    return Panel(
        stem="evolution_similarity",
        title="How alike checkpoints are",
        figure=similarity_figure(
            table,
            [escape(label, 24) for label in labels],
            escape(headline[:1].upper() + headline[1:], None),
            "last layer, linear CKA, unbiased, without an interval · click a cell to compare the two",
        ),
        caption=_ALIKE,
        alt=f"{headline}.",
        rows=[
            {"checkpoint": names[a], "with": names[b], "cka": float(table[a, b])}
            for a in range(len(names))
            for b in range(a)
        ],
        badge=f"{counted(len(names), 'checkpoint')} · n = {len(grams[0])} probe prompts",
        claims=False,
    )


_ALIKE = (
    "What it shows: how alike the pooled representations of the probe prompts after the last layer are at every "
    "two checkpoints (linear CKA, unbiased).\n"
    "How to read: 1 is the same geometry. Blocks along the diagonal are phases of the training; a dark row is a "
    "checkpoint unlike its neighbours. A click on a cell opens Compare of the two. CKA has no interval here.\n"
    "Worrying: a sudden border late in the training."
)
