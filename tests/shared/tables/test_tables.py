"""Tidy tables: every column is described, every number is the result's own, every row has its place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import SchemaError
from shared.findings.circuits import CircuitsResult, node_names
from shared.findings.comparison import ComparisonResult
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.findings.tokens import TokensResult
from shared.prompts.probes import read_probes
from shared.results import RESULT_FILE, ResultRecord
from shared.run import Run
from shared.tables.logged import logged_columns
from shared.tables.parts import CheckpointResults, Columns
from shared.tables.registry import TABLES, checkpoint_results, described
from tests.making.fake_run import fake_metrics, make_fake_run

BY_NAME = {table.name: table for table in TABLES}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_fake_run(tmp_path_factory.mktemp("tables") / "run", 2, advanced=True)


@pytest.fixture(scope="module")
def newest(run: Run) -> CheckpointResults:
    faults: list[str] = []
    found = list(checkpoint_results(run, faults))
    assert [each.name for each in found] == ["checkpoint-120", "checkpoint-240"] and not faults
    return found[-1]


def rows_of(name: str, results: CheckpointResults) -> list[dict[str, Any]]:
    found = BY_NAME[name].rows(results)
    listed = {key: listed_of(values) for key, values in found.items()}
    return [dict(zip(listed, values, strict=True)) for values in zip(*listed.values(), strict=True)]


def listed_of(values: Sequence[Any] | np.ndarray) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


KINDS = {"text": str, "integer": int, "number": (int, float), "truth": bool}


@pytest.mark.parametrize("name", BY_NAME)
def test_columns_are_described_of_one_length_and_of_their_kind(name: str, newest: CheckpointResults) -> None:
    table, found = BY_NAME[name], BY_NAME[name].rows(newest)
    kinds = {column.name: column.kind for column in table.columns}
    assert found.keys() <= kinds.keys()
    assert len({len(values) for values in found.values()}) <= 1
    for column, values in found.items():
        for value in listed_of(values):
            assert value is None or isinstance(value, KINDS[kinds[column]]), (column, value)
            assert kinds[column] != "integer" or not isinstance(value, bool)


def test_no_name_comes_twice_and_each_column_says_something() -> None:
    assert len({table.name for table in described()}) == len(described())
    for table in described():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names), table.name
        assert all(column.words and not column.words.endswith(".") for column in table.columns)


def test_layers_hold_what_the_pages_show(newest: CheckpointResults) -> None:
    result = newest.typed("comparison", ComparisonResult)
    assert result is not None
    rows = rows_of("layers", newest)
    assert [row["layer"] for row in rows] == [-1, *range(result.layers)]
    for row, point in zip(rows, result.points, strict=True):
        assert (row["probe_auroc"], row["probe_auroc_low"]) == (point.auroc.value, point.auroc.low)
        assert row["control_p95"] == point.control_p95
    assert [row["layer"] for row in rows if row["divergence"]] == [result.divergence_layer]
    assert [row["frozen"] for row in rows[1:]] == [layer < result.frozen_boundary for layer in range(result.layers)]


def test_every_neuron_and_head_has_a_row(newest: CheckpointResults) -> None:
    neurons, heads = newest.typed("neurons", NeuronsResult), newest.typed("heads", HeadsResult)
    assert neurons is not None and heads is not None
    rows = {row["unit"]: row for row in rows_of("units", newest)}
    assert len(rows) == neurons.layers * neurons.neurons_per_layer + heads.layers * heads.heads
    assert rows["L2.H3"]["effect"] == pytest.approx(heads.effect[2][3], rel=1e-5)
    for shown in neurons.top:
        row = rows[shown.name]
        assert (row["lost"], row["flips"]) == (shown.ablation.drop.value, shown.ablation.flips)
    never = next(row for row in rows.values() if row["carries"] is None)
    assert never["lost"] is None and math.isfinite(never["effect"])
    assert all(row["auroc"] is None for row in rows.values() if row["kind"] == "head")


def test_edges_are_those_of_the_graph(newest: CheckpointResults) -> None:
    result = newest.typed("circuits", CircuitsResult)
    assert result is not None
    rows = {(row["source"], row["target"]): row for row in rows_of("edges", newest)}
    assert len(rows) == result.total_edges
    for edge in result.edges:
        row = rows[edge.source, edge.target]
        assert row["score"] == pytest.approx(edge.score, rel=1e-5) and row["in_smallest"] == edge.in_smallest
    order = {name: place for place, name in enumerate(node_names(result.layers, result.heads))}
    assert all(order[source] < order[target] for source, target in rows)


def test_words_sum_to_the_change_of_the_score(newest: CheckpointResults) -> None:
    result = newest.typed("tokens", TokensResult)
    assert result is not None
    rows = rows_of("words", newest)
    for sample in result.samples:
        own = [row for row in rows if row["prompt_id"] == sample.probe_id]
        assert [row["word"] for row in own] == [word.text for word in sample.words]
        assert sum(row["attribution"] for row in own) == pytest.approx(sum(word.value for word in sample.words))


def with_tensors(run: Run, results: CheckpointResults, analysis: str, arrays: dict[str, Any]) -> CheckpointResults:
    """The same checkpoint with other arrays of one analysis, and the run's probes."""

    def read(record: ResultRecord) -> dict[str, np.ndarray]:
        return {name: np.asarray(values) for name, values in arrays.items()} if record.analysis == analysis else {}

    probes = read_probes(run.probes).probes
    return CheckpointResults(results.name, results.step, results.epoch, results.records, read, probes)


def test_prompts_are_judged_by_the_sign_of_their_score(run: Run, newest: CheckpointResults) -> None:
    probes = read_probes(run.probes).probes
    scores = np.linspace(-800, 800, len(probes), dtype=np.float32)
    scores[1] = np.nan
    unsafe = [int(probe.label == "unsafe") for probe in probes]
    rows = rows_of("prompts", with_tensors(run, newest, "progress", {"scores": scores, "labels": unsafe}))
    assert [row["prompt_id"] for row in rows] == [probe.id for probe in probes]
    assert (rows[0]["predicted"], rows[0]["probability"]) == ("safe", 0.0)
    assert (rows[-1]["predicted"], rows[-1]["probability"]) == ("unsafe", 1.0)
    assert rows[1]["predicted"] is None and rows[1]["right"] is None, "a prompt that was left out has no verdict"
    assert rows[0]["right"] == (probes[0].label == "safe")


def test_tokens_belong_to_the_prompts_they_were_read_from(run: Run, newest: CheckpointResults) -> None:
    arrays = {
        "attributions": [0.5, -1.0, 2.0],
        "token_ids": [101, 7, 102],
        "offsets": [0, 1, 3],
        "prompts": [4, 2],
    }
    rows = rows_of("tokens", with_tensors(run, newest, "tokens", arrays))
    ids = [probe.id for probe in read_probes(run.probes).probes]
    told = [(row["prompt"], row["prompt_id"], row["position"], row["token_id"], row["attribution"]) for row in rows]
    assert told == [(4, ids[4], 0, 101, 0.5), (2, ids[2], 0, 7, -1.0), (2, ids[2], 1, 102, 2.0)]


def test_probes_of_another_set_name_no_prompt(newest: CheckpointResults) -> None:
    """The fake results are about other probes than the run's file holds."""
    assert newest.probes == []


def test_a_damaged_result_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "run", 1)
    (damaged,) = run.results.glob(f"*/layers/*/{RESULT_FILE}")
    damaged.write_text("[")
    faults: list[str] = []
    (found,) = checkpoint_results(run, faults)
    assert len(faults) == 1 and "not valid JSON" in faults[0]
    assert "layers" not in found.records and rows_of("layers", found)
    broken = found.records["comparison"].model_copy(update={"payload": {"layers": "many"}})
    other = CheckpointResults("c", 1, None, {"comparison": broken}, lambda record: {})
    with pytest.raises(SchemaError, match="comparison result"):
        BY_NAME["layers"].rows(other)


def test_logged_numbers_come_one_a_row() -> None:
    lines = fake_metrics(1)
    found: Columns = logged_columns(lines)
    assert len(found["value"]) == sum(len(line.values) for line in lines)
    assert set(found["split"]) == {"train", "val", "contrast"}


def test_a_judge_that_states_no_probability_has_none_in_the_table(run: Run, newest: CheckpointResults) -> None:
    record = newest.records["progress"]
    reward = record.model_copy(update={"judge": {**record.judge, "log_odds_shift": None}})
    arrays = {"scores": np.zeros(4, np.float32), "labels": np.array([0, 1, 0, 1])}
    results = with_tensors(run, replace(newest, records={**newest.records, "progress": reward}), "progress", arrays)
    rows = rows_of("prompts", results)
    assert np.isnan([row["probability"] for row in rows]).all()
    assert [row["predicted"] for row in rows] == ["safe"] * 4
