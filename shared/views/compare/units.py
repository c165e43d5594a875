"""Heads and neurons of two checkpoints: their maps on one scale, and the difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shared.figures.compare.maps import MapScale, grown_scale, maps_figure
from shared.figures.kit.style import FOR_AND_AGAINST
from shared.figures.units.heads import colour_range
from shared.figures.units.neuron_map import CEILING, FLOOR, rank_map
from shared.findings.badge import badge
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.parts import typed_result
from shared.findings.text import counted, escape, signed
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.compare.z_values import beyond
from shared.views.overview.verdict import capital

Tensors = Mapping[str, np.ndarray]
TICKS = 16
"""Most numbers on the axis of heads."""
TENFOLD = 2
"""Powers of ten at which the colours of a change of neurons end."""


def heads_panel(
    there: ResultRecord,
    here: ResultRecord,
    names: tuple[str, str],
    errors: tuple[np.ndarray | None, np.ndarray | None],
) -> Panel | str:
    """Effects of all heads, or why they are not compared, as one sentence. Raises SchemaError.

    `names` and `errors` are of there and here; errors (layers, heads) are standard errors of the effects, nats.
    """
    before, now = typed_result(there, HeadsResult), typed_result(here, HeadsResult)
    if (before.layers, before.heads) != (now.layers, now.heads):
        return _unlike("heads", (now.layers, now.heads), (before.layers, before.heads), names)
    first, second = (np.array(each.effect, dtype=float).reshape(now.layers, now.heads) for each in (before, now))
    change = second - first
    clear = beyond(change, errors)
    limit = max(colour_range(before), colour_range(now))
    every = next(n for n in (1, 2, 4, 8, 16, 32) if now.heads / n <= TICKS or n == 32)
    x = {"title": "head", "tickvals": list(range(0, now.heads, every)), "showgrid": False, "zeroline": False}
    ends = ((-limit, signed(-limit)), (0.0, "0"), (limit, signed(limit)))
    colours = [[i / (len(FOR_AND_AGAINST) - 1), colour] for i, colour in enumerate(FOR_AND_AGAINST)]
    values = MapScale(-limit, limit, colours, "◀ against the verdict · nats · for it ▶", ends, x, None, "nats")
    moved = MapScale(-limit, limit, grown_scale(), "◀ less · change (nats) · more ▶", ends, x, None, "nats")
    headline = _clear_words("head", change, clear, names, errors, "H")
    return Panel(
        stem="compare_heads",
        title=f"Heads, {names[1]} against {names[0]}",
        figure=maps_figure(
            second,
            first,
            change,
            clear,
            (values, moved),
            now.frozen_boundary,
            _words(headline, "a head is compared with the one at its place", names),
        ),
        caption=_HEADS,
        alt=f"{headline}.",
        rows=_rows(first, second, clear, "head"),
        badge=badge(here, [f"n = {now.n_effect}", f"against {there.checkpoint} ({there.checkpoint_digest[:12]})"]),
        claims=bool(clear.any()),
    )


def neurons_panel(there: ResultRecord, here: ResultRecord, names: tuple[str, str]) -> Panel | str:
    """Effects of all neurons by rank, or why they are not compared, as one sentence. Raises SchemaError."""
    before, now = typed_result(there, NeuronsResult), typed_result(here, NeuronsResult)
    shapes = [(each.layers, each.neurons_per_layer) for each in (before, now)]
    bins = {len(layer.effect_by_rank) for each in (before, now) for layer in each.by_layer}
    if shapes[0] != shapes[1] or len(bins) != 1:
        return _unlike("neurons", shapes[1], shapes[0], names)
    maps = [rank_map([layer.effect_by_rank for layer in each.by_layer]) for each in (before, now)]
    first, second = (np.log10(np.maximum(means, 10.0 ** (FLOOR - 3))) for means, _ in maps)
    change, edges = second - first, maps[0][1]
    x = {"title": "strongest … % of the layer's neurons (log scale)", "type": "log", "zeroline": False}
    x |= {"tickvals": [0.3, 1, 3, 10, 30, 100], "ticktext": ["0.3", "1", "3", "10", "30", "100"]}
    ticks = tuple(zip((-5.0, -3.0, -1.0, 0.0), ("≤ 0.00001", "0.001", "0.1", "≥ 1"), strict=True))
    values = MapScale(FLOOR, CEILING, "Cividis", "mean |effect| (nats)", ticks, x, edges, "(power of ten, nats)")
    ends = tuple(zip((-2.0, -1.0, 0.0, 1.0, 2.0), ("÷100", "÷10", "same", "×10", "×100"), strict=True))
    moved = MapScale(-TENFOLD, TENFOLD, grown_scale(), "change of mean |effect|", ends, x, edges, "powers of ten")
    headline = (
        f"Significant neurons: {now.significant:,} at {names[1]}, {before.significant:,} at {names[0]}, of "
        f"{now.tested:,} and {before.tested:,} tested"
    )
    nothing = np.zeros(change.shape, dtype=bool)
    return Panel(
        stem="compare_neurons",
        title=f"Neurons, {names[1]} against {names[0]}",
        figure=maps_figure(
            second,
            first,
            change,
            nothing,
            (values, moved),
            now.frozen_boundary,
            _words(headline, "a layer's neurons by rank: which neurons they are is not compared", names),
        ),
        caption=_NEURONS,
        alt=f"{headline}.",
        rows=[
            {"layer": a.layer, "significant_here": b.significant, "significant_there": a.significant}
            for a, b in zip(before.by_layer, now.by_layer, strict=True)
        ],
        badge=badge(here, [f"n = {now.n_effect}", f"against {there.checkpoint} ({there.checkpoint_digest[:12]})"]),
        claims=False,
    )


def _unlike(what: str, now: tuple[int, int], before: tuple[int, int], names: tuple[str, str]) -> str:
    return (
        f"{capital(names[1])} has {now[1]:,} {what} in each of {counted(now[0], 'layer')} and {names[0]} "
        f"{before[1]:,} in each of {before[0]}, so they have no counterparts."
    )


def _words(headline: str, how: str, names: tuple[str, str]) -> tuple[str, str, str, str]:
    there, here = (escape(name) for name in names)
    return escape(headline, None), f"the same scale left and middle · {how}", here, there


def _clear_words(
    one: str,
    change: np.ndarray,
    clear: np.ndarray,
    names: tuple[str, str],
    errors: tuple[np.ndarray | None, np.ndarray | None],
    letter: str,
) -> str:
    there, here = names
    if errors[0] is None or errors[1] is None:
        return f"Whether effects of {one}s differ between {here} and {there} is not tested: no errors were kept"
    if not clear.any():
        return f"No {one} has another effect at {here} than at {there} beyond its error"
    layer, number = np.unravel_index(np.argmax(np.abs(change) * clear), change.shape)
    strongest = f"L{layer}.{letter}{number} {signed(float(change[layer, number]))} nats"
    have = "has" if clear.sum() == 1 else "have"
    many = f"{int(clear.sum())} of {counted(change.size, one)} {have}"
    return f"{many} another effect at {here} than at {there}: {strongest} most"


def _rows(first: np.ndarray, second: np.ndarray, clear: np.ndarray, one: str) -> list[dict[str, Any]]:
    return [
        {
            "layer": int(layer),
            one: int(number),
            "effect_here": float(second[layer, number]),
            "effect_there": float(first[layer, number]),
            "clear": bool(clear[layer, number]),
        }
        for layer, number in np.ndindex(first.shape)
    ]


_HEADS = (
    "What it shows: the effect of each head on the separation by attribution, nats, of both on one scale, and by "
    "how much the shown one's is larger (teal, +) or smaller (brown, −).\n"
    "How to read: only cells with a sign differ beyond the errors of both effects (two-sided normal test, p below "
    "0.002 divided by the number of heads; errors are added as if independent, though the prompts are the same). "
    "Effects by attribution name candidates; only removal shows what carries the verdict.\n"
    "Worrying: one head that takes over late in the training."
)
_NEURONS = (
    "What it shows: mean |effect| of each layer's neurons by rank, strongest left, of both on one scale, and how "
    "many times larger (teal) or smaller (brown) it is at the shown one.\n"
    "How to read: ranks are compared, not single neurons: the strongest neuron of one may be another one's. "
    "Nothing here is tested.\n"
    "Worrying: an effect that gathers in a few neurons late in the training."
)
