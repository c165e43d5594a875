"""Where two checkpoints part, in words and in the figure; and the circuit of one in the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.findings.cka import cka
from shared.findings.evolution import EvolutionResult
from shared.findings.parting import ByLayer, parting
from shared.findings.parts import typed_result
from shared.results import ResultStore
from shared.run import Run
from shared.views.compare.circuits import transfer_sentence
from shared.views.compare.compared import Compared, compare
from shared.views.compare.gather import readouts_of, side_of
from shared.views.compare.layers import Readouts, by_layer, layers_panel, part_sentence
from tests.making.compared_runs import compared_run
from tests.making.fakes import fake_results
from tests.making.judged_run import scores_with

NAMES = ("epoch 1", "epoch 2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    judges = [scores_with(40, 4, 1), scores_with(4, 5, 2), scores_with(4, 5, 2)]
    return compared_run(tmp_path_factory.mktemp("layers") / "run", judges)


def compared(run: Run, there: int, here: int) -> tuple[Compared, Readouts, Readouts]:
    sides = [side_of(run, f"checkpoint-{120 * epoch}", f"epoch {epoch}") for epoch in (there, here)]
    found = [readouts_of(run, side) for side in sides]
    assert found[0] is not None and found[1] is not None
    return compare(*sides), found[0], found[1]


def layered(run: Run, there: int, here: int) -> ByLayer:
    told, before, now = compared(run, there, here)
    assert told.paired is not None
    found = by_layer(told.paired, before, now)
    assert isinstance(found, ByLayer)
    return found


def test_the_layer_is_named_with_the_change_there(run: Run) -> None:
    said = part_sentence(layered(run, 1, 2), NAMES)
    assert said.startswith(
        "The read-outs of epoch 2 and epoch 1 part at layer 3: there epoch 2 reads unsafe and safe"
    )
    assert "further apart, by +0." in said
    assert "closer together, by −0." in part_sentence(layered(run, 2, 1), ("epoch 2", "epoch 1"))


def test_of_judges_alike_no_layer_is_named(run: Run) -> None:
    found = layered(run, 2, 3)
    said = part_sentence(found, ("epoch 2", "epoch 3"))
    assert said.startswith(
        "No layer where the read-outs of epoch 3 and epoch 2 part: the separation after the last"
    )
    few = parting(found.there, found.here, found.unsafe, np.arange(len(found.unsafe)) % 8)
    assert "No layer can be named from 8 groups of prompts (12 are needed)" in part_sentence(
        replace(found, found=few), NAMES
    )
    assert "of one label" in part_sentence(replace(found, found=None), NAMES)


def test_rows_follow_their_prompts_and_cka_is_over_the_prompts_of_both(run: Run, tmp_path: Path) -> None:
    """The other run's probe set lacks some prompts, so its rows lie elsewhere; the means are those by hand."""
    told, before, now = compared(run, 1, 2)
    assert told.paired is not None and now.lens is not None
    store = ResultStore(run.results)
    records = [store.newest(f"checkpoint-{120 * epoch}", "evolution") for epoch in (1, 2)]
    grams = [store.tensors(record)["gram"] for record in records if record is not None]
    order = np.random.default_rng(0).permutation(len(now.lens))[:100]
    place = {probe.id: row for row, probe in enumerate(told.paired.probes)}
    assert told.here.judged is not None
    shuffled = told.here.judged._replace(
        probes=[told.here.judged.probes[row] for row in order], scores=told.here.judged.scores[order]
    )
    again = compare(told.there, replace(told.here, judged=shuffled)).paired
    assert again is not None and len(again.probes) == 100 and len(place) == 128
    found = by_layer(
        again,
        Readouts(before.record, before.lens, grams[0]),
        Readouts(now.record, now.lens[order], grams[1][:, order][:, :, order]),
    )
    assert isinstance(found, ByLayer) and found.cka is not None
    unsafe = [row for row in order if told.here.judged.probes[row].label == "unsafe"]
    assert found.here[found.unsafe].mean(0) == pytest.approx(now.lens[unsafe].mean(0), abs=1e-6)
    by_hand = cka(*(np.asarray(gram[-1][np.ix_(order, order)], dtype=float) for gram in grams))
    assert found.cka[-1] == pytest.approx(by_hand, abs=1e-9)


def test_what_was_not_kept_or_has_no_counterpart_is_said(run: Run) -> None:
    told, before, now = compared(run, 1, 2)
    assert told.paired is not None
    assert "were not kept for both" in str(by_layer(told.paired, replace(before, lens=None), now))
    deeper = next(record for record, _ in fake_results(1, layers=12) if record.analysis == "layers")
    said = by_layer(told.paired, replace(before, record=deeper), now)
    assert said == "Epoch 2 has 6 layers and epoch 1 12, so they are not compared layer by layer."


@pytest.mark.parametrize("digest", ["probe_digest", "checkpoint_digest"])
def test_read_outs_of_other_prompts_or_weights_are_never_paired(run: Run, digest: str) -> None:
    """A probe set of another time may hold as many prompts, and a checkpoint may be saved again."""
    side = side_of(run, "checkpoint-120", "epoch 1")
    told, before, now = compared(run, 1, 2)
    assert told.paired is not None
    layers = side.results["layers"].model_copy(update={digest: "0" * 64})
    other = readouts_of(run, replace(side, results={**side.results, "layers": layers}))
    assert other is not None and before.lens is not None
    said = by_layer(told.paired, replace(other, lens=before.lens), now)
    assert str(said).startswith("The read-outs by layer of epoch 1 are of other prompts or weights")


def test_the_figure_has_one_scale_and_the_numbers_behind_it(run: Run) -> None:
    told, before, now = compared(run, 1, 2)
    assert told.paired is not None
    panel = layers_panel(layered(run, 1, 2), told.paired, before, now)
    layout = panel.figure.to_dict()["layout"]
    assert layout["yaxis"]["range"] == layout["yaxis2"]["range"]
    assert panel.claims and len(panel.rows) == 7 and panel.rows[-1]["separation_change"] > 1
    assert panel.rows[-1]["cka"] is None, "the command reads no gram; a page does"


def test_a_circuit_works_in_another_judge_only_where_it_was_run() -> None:
    results = {
        record.step: record for record, _ in fake_results(3, advanced=True) if record.analysis == "evolution"
    }
    changed = typed_result(results[360], EvolutionResult)
    names, digest = ("epoch 2", "epoch 3"), results[240].checkpoint_digest
    said = transfer_sentence(changed, "checkpoint-240", digest, names)
    assert said.startswith("The circuit of epoch 2 ") and "of the separation; random ones of its size" in said
    assert "was not run" in transfer_sentence(changed, "checkpoint-120", digest, ("epoch 1", "epoch 3"))
    resaved = transfer_sentence(changed, "checkpoint-240", "0" * 64, names)
    assert "is not said" in resaved and "not known to be of the same weights" in resaved
