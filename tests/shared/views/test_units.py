"""The neuron map and the heads as panels: what they claim, flag and hold."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shared.figures.units.heads import colour_range
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.pages.html import page_html
from shared.results import payload_of
from shared.views import Panel, get
from tests.making.fake_heads import fake_heads
from tests.making.fake_neurons import fake_neurons
from tests.making.fake_samples import SAMPLES
from tests.making.fakes import fake_record

LONG = tuple((f"{text} {'Donaudampfschifffahrt' * 20} {text * 30}", label, group) for text, label, group in SAMPLES)


def neurons(**changes: Any) -> NeuronsResult:
    result, _ = fake_neurons(0.9, 6, 3, SAMPLES)
    return NeuronsResult.model_validate(copy.deepcopy(result.model_dump()) | changes)


def heads(**changes: Any) -> HeadsResult:
    result, _ = fake_heads(0.9, 6, 3, SAMPLES)
    return HeadsResult.model_validate(copy.deepcopy(result.model_dump()) | changes)


def panel(result: NeuronsResult | HeadsResult) -> Panel:
    name = "neurons" if isinstance(result, NeuronsResult) else "heads"
    (drawn,) = get(name).panels(fake_record(name, payload_of(result), {}, 120, 1.0, result.layers))
    return drawn


def title(drawn: Panel) -> str:
    return drawn.figure.layout.title.text


def notes(drawn: Panel) -> str:
    return "\n".join(note.text for note in drawn.figure.layout.annotations)


def removed(row: dict[str, Any], value: float, half: float = 0.01) -> dict[str, Any]:
    drop = {"value": value, "low": value - half, "high": value + half}
    return row | {"ablation": row["ablation"] | {"drop": drop}}


def test_a_judge_without_significant_neurons_says_so_first():
    assert "No neuron is significant beyond the FDR of 5 %" in title(panel(neurons(significant=0)))
    assert "carry" in title(panel(neurons()))


def test_one_unit_that_carries_most_is_flagged():
    for result, noun in ((neurons(), "NEURON"), (heads(), "HEAD")):
        rows = [removed(row, 2.0 if number == 0 else 0.05) for number, row in enumerate(result.model_dump()["top"])]
        drawn = panel(type(result).model_validate(result.model_dump() | {"top": rows}))
        assert f"ONE {noun} CARRIES MOST: {result.top[0].name}" in notes(drawn)
        even = [removed(row, 0.2) for row in rows]
        drawn = panel(type(result).model_validate(result.model_dump() | {"top": even}))
        assert "CARRIES MOST" not in notes(drawn)


def test_effects_that_removal_denies_are_flagged():
    rows = [removed(row, 0.001) for row in neurons().model_dump()["top"]]
    assert "NO CLEAR LOSS without 10 of the 10 strongest" in notes(panel(neurons(top=rows)))
    assert "DISAGREE (Spearman 0.20)" in notes(panel(neurons(agreement=0.2)))


def test_most_effects_disputed_is_flagged_and_each_is_marked():
    rows = [row | {"disputed": True} for row in neurons().model_dump()["top"]]
    drawn = panel(neurons(top=rows))
    assert "DISPUTED" in notes(drawn)
    assert sum("⚠" in name for name in drawn.figure.layout.yaxis4.ticktext) >= len(rows)


def test_a_control_that_finds_neurons_is_flagged():
    assert "CONTROL FAILS" in notes(panel(neurons(significant=100, shuffled_significant=[40, 20, 30])))
    assert "CONTROL FAILS" not in notes(panel(neurons(significant=100, shuffled_significant=[0, 3, 0])))


def test_missing_ablations_are_said_and_never_drawn_as_zero():
    rows = [row | {"ablation": None} for row in neurons().model_dump()["top"]]
    drawn = panel(neurons(top=rows, decoys=[], joint=None, agreement=None))
    assert "nothing is proven" in title(drawn) and "no ablation was made" in notes(drawn)
    assert notes(drawn).count("not removed") == len(rows)
    assert {row["ablation_drop"] for row in drawn.rows if row["what"] == "top"} == {None}


def test_decoys_stand_apart_with_their_name():
    result = neurons()
    drawn = panel(result)
    assert "selective, but nothing happens without them" in notes(drawn)
    places = dict(zip(drawn.figure.layout.yaxis4.ticktext, drawn.figure.layout.yaxis4.tickvals, strict=True))
    top = max(places[row.name + (" ⚠" if row.disputed else "")] for row in result.top)
    assert min(places[row.name + (" ⚠" if row.disputed else "")] for row in result.decoys) > top + 1
    assert "Decoys" not in notes(panel(neurons(decoys=[])))


def test_colours_mean_the_same_at_every_epoch():
    early, _ = fake_neurons(0.05, 6, 3, SAMPLES)
    scales = [(p.figure.data[0].zmin, p.figure.data[0].zmax) for p in (panel(early), panel(neurons()))]
    assert scales == [(-5, 0), (-5, 0)]


def test_the_heads_colours_are_centred_and_their_range_is_round():
    for largest, limit in ((0.03, 0.05), (0.4, 0.5), (-0.51, 1), (7.0, 10)):
        result = heads(effect=[[largest] + [0.0] * 11] * 6)
        drawn = panel(result).figure.data[0]
        assert (drawn.zmin, drawn.zmax) == (-limit, limit) and colour_range(result) == limit
    low, middle, high = (drawn.colorscale[place][1] for place in (0, 5, 10))
    assert (low, middle, high) == ("#67001f", "#f7f7f7", "#053061"), "red works against the verdict"


def test_the_table_holds_every_number():
    result = neurons()
    rows = panel(result).rows
    assert [row["neuron"] for row in rows if row["what"] in ("top", "decoy")] == [
        row.name for row in [*result.top, *result.decoys]
    ]
    assert sum(row.get("significant", 0) for row in rows) == result.significant
    assert rows[0]["effect_low"] == result.top[0].effect.low
    table = {row["head"]: row["effect"] for row in panel(heads()).rows}
    assert len(table) == 72 and table["L2.H5"] == heads().effect[2][5]


def test_a_mean_reference_is_said():
    assert "against the mean over the probe set" in panel(neurons(reference="mean", n_pairs=0)).badge
    assert "against the contrast twin's value" in panel(heads()).badge


@pytest.mark.parametrize(("layers", "units", "count"), [(2, 64, 4), (32, 14336, 32), (80, 28672, 64)])
@pytest.mark.parametrize("samples", [SAMPLES, LONG], ids=["short", "long"])
def test_figures_stay_below_60_kb_and_pages_below_200(layers, units, count, samples):
    found, _ = fake_neurons(0.9, layers, layers // 2, samples, neurons=units)
    looked, _ = fake_heads(0.9, layers, layers // 2, samples, heads=count)
    for drawn in (panel(found), panel(looked)):
        assert len(str(drawn.figure.to_json()).encode()) < 60_000
        assert len(page_html(drawn).encode()) < 200_000
        json.dumps(drawn.rows, allow_nan=False)
