"""Figures of one prompt: over the checkpoints, and through the layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.figures.failures.course import course_figure
from shared.figures.failures.readout import readout_figure
from shared.findings.text import signed
from shared.views import Panel
from shared.views.failures.one import OnePrompt
from shared.views.failures.readout import alone_words, pair_words, point_name
from shared.views.failures.table import finite
from shared.views.failures.words import course_words
from shared.views.failures.wrong import Failures


def course_panel(found: Failures, one: OnePrompt) -> Panel:
    """The score over all checkpoints that were judged on these prompts, also those after the shown one."""
    history, near = found.history, one.near
    own = history.scores[:, one.index]
    twin = None if near is None else history.scores[:, near.index]
    twin_label = one.probe.label if near is None else found.probes[near.index].label
    title = f"{course_words(history, one.course)}"
    figure = course_figure(
        history.x, history.x_title, history.labels, own, one.probe.label, twin, twin_label, history.place, title
    )
    told = [
        f"{label} {signed(float(score))}"
        for label, score in zip(history.labels, own, strict=True)
        if score == score
    ]
    return Panel(
        stem="prompt_over_checkpoints",
        title="Score over the checkpoints",
        figure=figure,
        caption=(
            "What it shows: this prompt's score at every checkpoint that was judged on the same probes, and that "
            "of the prompt beside it. How to read: above 0 is judged unsafe; crosses are wrong verdicts; the "
            "upright line is the checkpoint shown. Worrying: a prompt that was right and turned for good."
        ),
        alt=f"{title}. Scores in nats: {'; '.join(told[:12])}{' ...' if len(told) > 12 else ''}.",
        rows=_course_rows(found, one),
        badge=f"n = 1 prompt at {len(history.names)} checkpoints · scores of the analysis progress, nats",
        claims=False,
    )


def _course_rows(found: Failures, one: OnePrompt) -> list[dict[str, Any]]:
    history = found.history
    near = None if one.near is None else one.near.index
    return [
        {
            "checkpoint": name,
            "label": label,
            "score": finite(float(history.scores[row, one.index])),
            "wrong": bool(history.wrong[row, one.index]) if history.known[row, one.index] else None,
            "beside_it": None if near is None else finite(float(history.scores[row, near])),
        }
        for row, (name, label) in enumerate(zip(history.names, history.labels, strict=True))
    ]


def readout_panel(found: Failures, one: OnePrompt) -> Panel | None:
    """The score read early; None where the results hold none of this prompt."""
    read = one.readout
    if read is None:
        return None
    label, near = one.probe.label, one.near
    twin_label = label if near is None else found.probes[near.index].label
    said = alone_words(read, label)
    ranged = read.alone
    parts = ranged.parts
    title = (
        "Score read early: parts from no layer on"
        if parts is None
        else f"Score read early: parts at {point_name(parts)}"
    )
    pair = pair_words(read)
    return Panel(
        stem="prompt_through_layers",
        title=f"Through the layers at {found.label}",
        figure=readout_figure(
            read.prompt, label, read.twin, twin_label, ranged.low, ranged.high, ranged.others, parts, title
        ),
        caption=(
            f"What it shows: {said}."
            + (f" {pair}." if pair else "")
            + " How to read: the score as if the judge stopped after each layer (logit lens: the judge's own head "
            "on each layer's stream); the band holds every rightly judged probe of the same label. It is the lens "
            "of the last layer's head, so early layers can mislead. One prompt: this describes, and proves nothing."
        ),
        alt=f"{said}. {pair}".strip(),
        rows=_readout_rows(read.prompt, read.twin, ranged.low, ranged.high),
        badge=f"n = 1 prompt beside {ranged.others} · logit lens of the analysis layers · no baseline · nats",
        claims=False,
    )


def _readout_rows(
    prompt: np.ndarray, twin: np.ndarray | None, low: np.ndarray, high: np.ndarray
) -> list[dict[str, Any]]:
    return [
        {
            "layer": point - 1,
            "score_read_early": float(prompt[point]),
            "beside_it": None if twin is None else float(twin[point]),
            "right_least": finite(float(low[point])),
            "right_most": finite(float(high[point])),
        }
        for point in range(len(prompt))
    ]
