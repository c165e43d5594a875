"""The history of a neuron or head in the dashboard: its own numbers, at every checkpoint that has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.reading import cached
from dashboard.reading.unit_values import values_of
from dashboard.screens.unit_history import place_of, shown_units, unit_name
from shared import views
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.parts import typed_result
from shared.results import ResultStore
from shared.results_index import ResultFile, ResultsIndex
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import checked, figures, opened, words
from tests.making.fakes import fake_records, fake_results

__all__ = ["opened"]  # a fixture

Opener = Callable[..., AppTest]


def picker(app: AppTest, analysis: str):
    return next(box for box in app.selectbox if box.key.startswith(f"w_unit_{analysis}_"))


@pytest.mark.parametrize("analysis", ["neurons", "heads"])
def test_the_strongest_is_followed_first_and_another_can_be_picked(
    analysis: str, tmp_path: Path, opened: Opener
) -> None:
    scenes.advanced(tmp_path, 4)
    app = opened(tab=analysis)
    top = next(r for r in fake_records(4, advanced=True) if (r.analysis, r.step) == (analysis, 480)).payload["top"]
    number = "neuron" if analysis == "neurons" else "head"
    places = [(row["layer"], row[number]) for row in top]
    assert figures(app) == 2 and picker(app, analysis).value == places[0]
    checked(picker(app, analysis).set_value(places[2]).run())
    assert f"{unit_name(places[2], analysis)} over the run" in words(app)
    checked(app.select_slider[0].set_value("epoch 1").run())
    assert picker(app, analysis).value == places[2], "moving on keeps the unit, shown or not"


def test_a_unit_not_shown_here_stays_followed_without_another_epochs_number(tmp_path: Path, opened: Opener) -> None:
    run = scenes.advanced(tmp_path, 3)
    app = opened(tab="neurons")
    strongest = picker(app, "neurons").value
    store = ResultStore(run.results)
    for record, tensors in fake_results(3, advanced=True):
        if (record.analysis, record.step) == ("neurons", 240):
            store.remove(record.checkpoint, record.analysis, record.key)
            top = [row for row in record.payload["top"] if (row["layer"], row["neuron"]) != strongest]
            store.commit(
                record.model_copy(update={"payload": record.payload | {"top": top, "decoys": []}}), tensors
            )
    app.session_state["selection"].units["neurons"] = strongest  # as picking it does
    checked(app.select_slider[0].set_value("epoch 2").run())
    followed = picker(app, "neurons")
    assert followed.value == strongest
    assert followed.options[-1] == f"{unit_name(strongest, 'neurons')} · not among the strongest here"
    assert f"{unit_name(strongest, 'neurons')} over the run" in words(app)


def test_numbers_come_from_the_tensors_and_missing_ones_are_gaps(tmp_path: Path) -> None:
    run = scenes.advanced(tmp_path, 2)
    index = ResultsIndex(run.results)
    index.refresh()
    files = index.files()["checkpoint-240"]
    for record, tensors in fake_results(2, advanced=True):
        if (record.analysis, record.step) == ("neurons", 240):
            values = values_of(files["neurons"], (4, 17))
            assert values["effect"] == tensors["effect"][4, 17] and values["auroc"] == tensors["auroc"][4, 17]
            assert values["error"] == tensors["effect_error"][4, 17]
            assert values["with_effect"] is bool(tensors["with_effect"][4, 17]) and values["carries"] is None
            place = tuple(int(index) for index in np.argwhere(tensors["carries"] == 1)[0])
            assert values_of(files["neurons"], place)["carries"] is True  # type: ignore[arg-type]
        if (record.analysis, record.step) == ("heads", 240):
            assert values_of(files["heads"], (1, 2))["effect"] == tensors["effect"][1, 2]
    assert values_of(files["neurons"], (99, 0)) == {}, "a judge of another shape"
    assert values_of(files["tokens"], (0, 0)) == {}, "a result without tensors"
    assert values_of(None, (0, 0)) == {}


def test_nan_and_damaged_tensors_are_gaps(tmp_path: Path) -> None:
    run = Run.at(scenes.advanced(tmp_path, 1).path)
    store = ResultStore(run.results)
    record, tensors = next(found for found in fake_results(1, advanced=True) if found[0].analysis == "neurons")
    broken = tensors | {"effect": np.full_like(tensors["effect"], np.nan)}
    store.commit(record.model_copy(update={"key": "e" * 20}), broken)
    index = ResultsIndex(run.results)
    index.refresh()
    file = index.files()[record.checkpoint]["neurons"]
    assert "e" * 20 in file.path and values_of(file, (0, 0))["effect"] is None
    folder = store.directory(record.checkpoint, "neurons", record.key)
    path = folder / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    damaged = type(file)(str(folder / "result.json"), 1)
    assert values_of(damaged, (0, 0)) == {}


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_only_a_regular_file_of_the_run_is_read(tmp_path: Path, what: str) -> None:
    """Through a link it may be anybody's file, and a pipe would be waited for."""
    run = scenes.advanced(tmp_path, 1)
    record = ResultStore(run.results).newest("checkpoint-120", "neurons")
    assert record is not None
    folder = ResultStore(run.results).directory(record.checkpoint, "neurons", record.key)
    file, path = ResultFile(str(folder / "result.json"), 1), folder / "tensors.safetensors"
    assert values_of(file, (0, 0)) and cached.whole_tensor(file, "effect") is not None
    outside = path.rename(tmp_path / "outside")
    if what == "link":
        path.symlink_to(outside)
    else:
        os.mkfifo(path)
    assert values_of(ResultFile(file.path, 2), (0, 0)) == {} and cached.whole_tensor(file, "effect") is None


def test_a_checkpoint_without_a_neuron_map_is_a_gap(tmp_path: Path, opened: Opener) -> None:
    run = scenes.advanced(tmp_path, 4)
    scenes.drop(run, 2, ["neurons"])
    app = opened(tab="neurons")
    assert "3 of 4 checkpoints have a result" in words(app)
    app = opened(tab="neurons", epoch="2")
    assert figures(app) == 0, "and at the checkpoint itself nothing is shown in its place"


def test_a_basic_run_says_what_to_run(tmp_path: Path, opened: Opener) -> None:
    scenes.done(tmp_path, 2)
    app = opened(tab="heads")
    assert figures(app) == 0 and "--suite advanced" in words(app)


def test_a_panel_says_what_is_lost_without_a_unit_and_its_tokens(tmp_path: Path, opened: Opener) -> None:
    scenes.advanced(tmp_path, 2)
    found = {r.analysis: r.payload for r in fake_records(2, advanced=True) if r.step == 240}
    neuron = NeuronsResult.model_validate(found["neurons"]).top[0]
    head = HeadsResult.model_validate(found["heads"]).top[0]
    said = words(opened(tab="neurons"))
    assert f"{neuron.ablation.flips} of {neuron.ablation.n} verdicts flip" in said
    assert all(f"[{each.token}]" in said for each in neuron.tokens) and f"AUROC {neuron.auroc:.2f}" in said
    app = opened(tab="heads")
    assert f"“{head.attends[0].token}” ×{head.attends[0].lift:.1f}" in words(app)
    app.session_state["selection"].units["heads"] = (0, 1)
    checked(app.run())
    assert "Not among the heads that were removed one by one" in words(app)


@pytest.mark.parametrize("analysis", ["neurons", "heads"])
def test_every_unit_drawn_opens_on_a_click(analysis: str) -> None:
    """The name that a mark brings along is the one that the picker knows."""
    record = next(r for r in fake_records(1, advanced=True) if r.analysis == analysis)
    model = NeuronsResult if analysis == "neurons" else HeadsResult
    result = typed_result(record, model)
    figure = views.get(analysis).panels(record)[0].figure
    data: Any = figure.data
    marks = [mark for trace in data for mark in (() if trace.customdata is None else trace.customdata)]
    places = {place_of(list(mark) if not isinstance(mark, str) else mark, analysis) for mark in marks}
    assert set(list(shown_units(result, analysis))[:10]) <= places
    if isinstance(result, HeadsResult):  # fewer than a figure has room for
        assert len(places) == result.layers * result.heads, "every cell of the map"


def test_what_is_no_unit_opens_nothing() -> None:
    assert [place_of(each, "heads") for each in ("L1.N2", 7, [], None, "L1.H2x")] == [None] * 5
