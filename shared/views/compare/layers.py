"""The score read early, layer by layer, of two checkpoints on the same prompts; and the layer where they part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.figures.compare.layers import layers_figure
from shared.findings.badge import badge
from shared.findings.cka import cka_by_point
from shared.findings.claims import FEWEST_GROUPS, LEAST_NATS
from shared.findings.layers import LayersResult
from shared.findings.parting import ByLayer, parting
from shared.findings.parts import Interval, interval_cells, layer_name, layer_names, typed_result
from shared.findings.text import counted, escape, signed
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.compare.pairing import Pairing
from shared.views.overview.verdict import capital


@dataclass(frozen=True, eq=False)
class Readouts:
    """What one checkpoint's layers say of the probe set that its verdicts are on."""

    record: ResultRecord
    """Of `layers`."""
    lens: np.ndarray | None
    """(probes, layers + 1) score read early, nats, NaN where a prompt was left out; None where it has none."""
    gram: np.ndarray | None = None
    """(layers + 1, probes, probes) of `evolution`, over the whole probe set; None without, or over part of it."""
    fits: bool = True
    """Whether `record` is of the very weights and probe set that the verdicts are of."""


def by_layer(paired: Pairing, there: Readouts, here: Readouts) -> ByLayer | str:
    """Both on the prompts of both, or why that is not possible, as one sentence. Raises SchemaError."""
    for name, each in zip(paired.names, (there, here), strict=True):
        if not each.fits:
            return (
                f"The read-outs by layer of {name} are of other prompts or weights than its verdicts; analyse it "
                "again with --force."
            )
    before, now = (typed_result(each.record, LayersResult) for each in (there, here))
    if before.layers != now.layers:
        return (
            f"{capital(paired.names[1])} has {counted(now.layers, 'layer')} and {paired.names[0]} {before.layers}, "
            "so they are not compared layer by layer."
        )
    lens = (_rows(there.lens, paired.rows[0], now.layers), _rows(here.lens, paired.rows[1], now.layers))
    if lens[0] is None or lens[1] is None:
        return (
            "Read-outs by layer were not kept for both, so no layer can be named; analyse them again with --force."
        )
    known = np.isfinite(lens[0]).all(1) & np.isfinite(lens[1]).all(1)
    if not known.any():
        return "The two share no prompt with a read-out at every layer."
    first, second, unsafe = lens[0][known], lens[1][known], paired.unsafe[known]
    found = parting(first, second, unsafe, paired.groups[known])
    return ByLayer(
        now.layers,
        now.frozen_boundary,
        now.embeddings_frozen,
        unsafe,
        first,
        second,
        found,
        _cka(paired, there, here),
    )


def _rows(lens: np.ndarray | None, rows: np.ndarray, layers: int) -> np.ndarray | None:
    if lens is None or lens.ndim != 2 or lens.shape[1] != layers + 1 or len(lens) <= max(rows, default=-1):
        return None
    return lens[rows].astype(float)


def _cka(paired: Pairing, there: Readouts, here: Readouts) -> list[float] | None:
    if there.gram is None or here.gram is None:
        return None
    chosen = []
    for gram, rows in zip((there.gram, here.gram), paired.rows, strict=True):
        if gram.ndim != 3 or gram.shape[1] != gram.shape[2] or gram.shape[1] <= max(rows, default=-1):
            return None
        chosen.append(gram[:, rows][:, :, rows])
    return cka_by_point(chosen[0], chosen[1])


def part_sentence(found: ByLayer, names: tuple[str, str]) -> str:
    """Where the two part, or why no layer is named; without a full stop. `names` are there, here."""
    there, here = names
    parted = found.found
    if parted is None:
        return "No layer is named: the prompts of both are of one label, so there is no separation to compare"
    last = f"the separation after the last layer changes by {_nats(parted.change[-1])}"
    if parted.few:
        return (
            f"No layer can be named from {counted(parted.groups, 'group')} of prompts ({FEWEST_GROUPS} are "
            f"needed): {last}"
        )
    if parted.layer is None or parted.layers is None:
        small = all(max(abs(point.low), abs(point.high)) < LEAST_NATS for point in parted.change)
        why = "too little to move a verdict" if small else "which may be chance"
        return f"No layer where the read-outs of {here} and {there} part: {last}, {why}"
    low, high = parted.layers
    until = "no layer" if high >= found.layers else layer_name(high)
    sure = "" if low == high else f" (95 %: {layer_name(low)} to {until})"
    change = parted.change[parted.layer + 1]
    more = "further apart" if change.value > 0 else "closer together"
    return (
        f"The read-outs of {here} and {there} part at {layer_name(parted.layer)}{sure}: there {here} reads unsafe "
        f"and safe prompts {more}, by {_nats(change)}"
    )


def _nats(value: Interval) -> str:
    return f"{signed(value.value)} nats [{signed(value.low)}, {signed(value.high)}]"


def layers_panel(found: ByLayer, paired: Pairing, there: Readouts, here: Readouts) -> Panel:
    """One figure: both on one scale, the change of the separation, and how alike the representations are."""
    headline = part_sentence(found, paired.names)
    prompts = counted(len(found.unsafe), "prompt")
    subtitle = f"the same {prompts} of both · {here.record.checkpoint} against {there.record.checkpoint}"
    short = paired.names[1], paired.names[0]
    return Panel(
        stem="compare_layers",
        title=f"Layers, {short[0]} against {short[1]}",
        figure=layers_figure(found, escape(headline, None), escape(subtitle), (escape(short[0]), escape(short[1]))),
        caption=_CAPTION,
        alt=f"{headline}. {_cka_words(found)}",
        rows=_table(found),
        badge=badge(here.record, _facts(found, there.record)),
        claims=found.found is not None and found.found.layer is not None,
    )


_CAPTION = (
    "What it shows: top, the score that each judge's own head gives if it stopped after each layer (logit lens), "
    "mean "
    "of unsafe and of safe prompts, with the middle half of the prompts shaded; the same scale left and right. "
    "Bottom "
    "left, how much further apart the shown judge reads the classes than the other (half the distance of the class "
    "means), with a 95 % band that holds all layers at once. Bottom right, how alike the two see the same prompts "
    "(linear CKA, unbiased; 1 is the same; no interval). Grey layers are frozen.\n"
    "How to read: a layer is named where the change leaves 0 in two layers in a row, or at the last, at p below "
    "0.002 "
    "over groups of prompts and all layers at once, and is at least 0.1 nats. Each read-out goes through the "
    "judge's own last head: where CKA is 1 and the read-outs differ, the heads differ and not the layers.\n"
    "Worrying: read-outs that part in frozen layers while CKA is below 1 there."
)


def _cka_words(found: ByLayer) -> str:
    if found.cka is None:
        return "How alike the representations are was not kept for both."
    return f"CKA of the last layer {found.cka[-1]:.2f}."


def _facts(found: ByLayer, there: ResultRecord) -> list[str]:
    facts = [
        f"n = {len(found.unsafe)} prompts of both",
        f"against {there.checkpoint} ({there.checkpoint_digest[:12]})",
    ]
    if found.found is not None:
        facts.append(
            f"{counted(found.found.groups, 'group')} of prompts; sign-flip bootstrap, one band for all layers"
        )
    return facts


def _table(found: ByLayer) -> list[dict[str, Any]]:
    rows = []
    for point, name in enumerate(layer_names(found.layers)):
        row: dict[str, Any] = {"layer": name}
        for side, values in (("here", found.here), ("there", found.there)):
            for label, which in (("unsafe", found.unsafe), ("safe", ~found.unsafe)):
                row[f"lens_mean_{label}_{side}"] = float(values[which, point].mean()) if which.any() else None
        change = found.found.change[point] if found.found is not None else None
        row |= interval_cells("separation_change", change)
        rows.append(row | {"cka": found.cka[point] if found.cka is not None else None})
    return rows
