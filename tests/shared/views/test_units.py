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
from tests.making.plots import notes_stand_on_plots

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
    return drawn.figure.layout.title.text.replace("<br>", " ")


def notes(drawn: Panel) -> str:
    """Every text on the figure; a flag that goes on in a line below is one again."""
    texts = (note.text.replace("</b><br><b>⚠", "\n⚠") for note in drawn.figure.layout.annotations)
    return "\n".join(text.replace("</b><br><b>", " ") for text in texts)


def removed(row: dict[str, Any], value: float, share: float = 0.1, carries: bool = True) -> dict[str, Any]:
    around = {"drop": (value, 0.01), "share": (share, 0.01)}
    intervals = {name: {"value": v, "low": v - half, "high": v + half} for name, (v, half) in around.items()}
    return row | {"ablation": row["ablation"] | intervals | {"carries": carries}}


def closed(result: Any) -> Any:
    """The same where there is nothing to explain: nothing was removed."""
    explained = result.explained.model_copy(update={"p_value": 0.3})
    nothing = {"top": [], "agreement": None, "random_drops": [], "explained": explained.model_dump()}
    nothing |= {"curve": None, "decoys": []} if isinstance(result, NeuronsResult) else {"joint": None}
    return type(result).model_validate(result.model_dump() | nothing)


def test_neurons_say_first_how_many_it_takes():
    rows = [removed(row, 0.1) for row in neurons().model_dump()["top"]]
    said = "Half of the separation is gone without the 192 [153, 256] strongest of 3,072 neurons"
    assert said in title(panel(neurons(top=rows)))
    most = [removed(rows[0], 1.5, 0.7), *rows[1:]]
    assert f"{neurons().top[0].name} carries the verdict: 1.50 nats lost" in title(panel(neurons(top=most)))


def test_where_there_is_nothing_to_explain_the_page_says_so_and_shows_no_rows():
    for result in (neurons(), heads()):
        drawn = panel(closed(result))
        assert "Nothing to explain" in title(
            drawn
        ) and "48 contrast pairs" in drawn.figure.layout.title.subtitle.text.replace("<br>", " ")
        assert "Nothing was removed" in drawn.caption and "Worrying" not in drawn.caption
        assert "was removed" in notes(drawn) and "CARRIES" not in notes(drawn)
        notes_stand_on_plots(json.loads(str(drawn.figure.to_json())))
    differ = panel(closed(neurons())).figure.layout.title.subtitle.text.replace("<br>", " ")
    assert "differ between the classes (FDR 5 %), which says nothing about the verdict" in differ


def test_one_unit_that_carries_most_is_flagged():
    for result, noun in ((neurons(), "NEURON"), (heads(), "HEAD")):
        rows = result.model_dump()["top"]
        for first, flagged in ((0.51, True), (0.5, False)):
            changed = [removed(rows[0], 2.0, first), *(removed(row, 0.05) for row in rows[1:])]
            said = notes(panel(type(result).model_validate(result.model_dump() | {"top": changed})))
            words = f"ONE {noun} CARRIES MOST: without {result.top[0].name} 51 % of the separation is lost"
            assert (words in said) is flagged
        denied = [removed(rows[0], 2.0, 0.9, carries=False), *(removed(row, 0.05) for row in rows[1:])]
        drawn = panel(type(result).model_validate(result.model_dump() | {"top": denied}))
        assert "CARRIES MOST" not in notes(drawn), "what removal does not bear out carries nothing"


def test_effects_that_removal_denies_are_flagged():
    rows = [removed(row, 0.001) for row in neurons().model_dump()["top"]]
    assert "NO CLEAR LOSS without 10 of the 10 shown" in notes(panel(neurons(top=rows)))
    for high, flagged in ((0.49, True), (0.5, False)):
        found = {"spearman": {"value": 0.2, "low": -0.1, "high": high}, "shown": 14, "random": 20}
        words = (
            f"DISAGREE (Spearman of attribution with ablation 0.20 [−0.10, {high:.2f}], 14 chosen and 20 random)"
        )
        assert (words in notes(panel(neurons(agreement=found)))) is flagged


def test_growth_below_a_hundredth_of_the_separation_is_not_counted():
    rows = heads().model_dump()["top"]

    def said(value: float) -> str:
        changed = [removed(rows[0], value), *(removed(row, 0.5) for row in rows[1:])]
        return panel(heads(top=changed)).figure.layout.title.subtitle.text.replace("<br>", " ")

    assert heads().explained.size.value == pytest.approx(2.0)
    assert "without 1 of the 8 shown the separation grows" in said(-0.0201)
    assert "grows" not in said(-0.0199) and "grows" not in said(0.5)


def test_most_effects_disputed_is_flagged_and_each_is_marked():
    rows = [row | {"disputed": True} for row in neurons().model_dump()["top"]]
    drawn = panel(neurons(top=rows))
    assert "DISPUTED" in notes(drawn)
    assert sum("⚠" in name for name in drawn.figure.layout.yaxis4.ticktext) >= len(rows)


def test_a_control_that_finds_neurons_is_flagged():
    assert "CONTROL FAILS" in notes(panel(neurons(significant=100, shuffled_significant=[40, 20, 30])))
    assert "CONTROL FAILS" not in notes(panel(neurons(significant=100, shuffled_significant=[0, 3, 0])))


def test_decoys_stand_apart_with_their_name():
    result = neurons()
    drawn = panel(result)
    assert "selective, but less than 1 % of the separation is lost without them" in notes(drawn)
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
    assert (low, middle, high) == ("#7f3b08", "#f7f7f7", "#2d004b"), "orange works against the verdict"


def test_the_table_holds_every_number():
    result = neurons()
    rows = panel(result).rows
    assert [row["neuron"] for row in rows if row["what"] in ("top", "decoy")] == [
        row.name for row in [*result.top, *result.decoys]
    ]
    assert sum(row.get("significant", 0) for row in rows) == result.significant
    assert rows[0]["effect_low"] == result.top[0].effect.low
    first = result.top[0].ablation
    assert first.share is not None and rows[0]["separation_lost"] == first.share.value
    assert rows[0]["carries"] == first.carries
    assert result.curve is not None and result.curve.points[-1].left is not None
    assert rows[-1]["left"] == result.curve.points[-1].left.value
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
