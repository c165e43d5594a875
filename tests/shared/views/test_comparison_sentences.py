"""What the page of circuit comparison says first, for numbers at which it must change."""

from __future__ import annotations

from typing import Any

import pytest

from shared.findings.comparison import ComparisonResult
from shared.findings.text import number
from shared.results import ResultRecord
from shared.views import get, headlines
from tests.making.fakes import fake_records


def record(**payload: Any) -> ResultRecord:
    (found,) = [one for one in fake_records(1) if one.analysis == "comparison"]
    return found.model_copy(update={"payload": found.payload | payload})


def apart(value: float, half: float, p_value: float, groups: int = 88) -> dict[str, Any]:
    size = {"value": value, "low": value - half, "high": value + half}
    return {"size": size, "p_value": p_value, "groups": groups, "unit": "groups of prompts", "needed": 300}


CLEAR = apart(3.0, 0.5, 1e-9)
AGREED = {"divergence_by_split": [3] * 8 + [2, None], "divergence_layer": 3}
NONE = {"divergence_layer": None}
CASES = [
    ({"to_explain": CLEAR, **AGREED}, "Safe and unsafe part at layer 3 (in 8 of 10 splits)", True),
    (
        {"to_explain": CLEAR, **NONE, "divergence_by_split": [3] * 5 + [2] * 4 + [None]},
        "No divergence layer: the splits do not agree on a layer: layer 3 in 5, layer 2 in 4, none in 1 of 10",
        False,
    ),
    (
        {"to_explain": CLEAR, **NONE, "divergence_by_split": [None] * 9 + [2]},
        "No divergence layer: no probe clears its control in two layers in a row, in 9 of 10 splits",
        False,
    ),
    (
        {"to_explain": apart(0.002, 0.01, 0.7), **NONE, "divergence_by_split": [3] * 10},
        "Nothing to explain: the separation of unsafe and safe is 0.0020 nats [−0.0080, 0.012], "
        "too little to move a verdict",
        False,
    ),
    (
        {"to_explain": apart(0.3, 0.4, 0.2), **NONE, "divergence_by_split": [3] * 10},
        "Nothing to explain: the separation of unsafe and safe is 0.30 nats [−0.10, 0.70], which may be chance",
        False,
    ),
    (
        {"to_explain": apart(3.0, 0.5, 1e-9, groups=8), **NONE, "divergence_by_split": [3] * 10},
        "Nothing can be claimed from 8 groups of prompts: the separation of unsafe and safe is 3.00 nats "
        "[2.50, 3.50]",
        False,
    ),
]


@pytest.mark.parametrize(("payload", "said", "claims"), CASES)
def test_the_headline_follows_from_the_numbers(payload: dict[str, Any], said: str, claims: bool) -> None:
    (headline,) = headlines(get("comparison"), record(**payload))
    assert (headline.text, headline.claims) == (said, claims)
    (panel,) = get("comparison").panels(record(**payload))
    marked = [note.text for note in panel.figure.layout.annotations if "divergence" in note.text]
    assert ("divergence at layer 3, in 8 of 10 splits" in marked[0]) is claims
    assert f"judge's separation {number(payload['to_explain']['size']['value'])} nats [" in panel.badge
    if payload["to_explain"] is not CLEAR:
        assert "nothing to tell apart" in marked[0]


def test_the_table_counts_the_splits_that_name_a_layer() -> None:
    (panel,) = get("comparison").panels(record(to_explain=CLEAR, **AGREED))
    assert {row["layer"]: row["splits_naming_it"] for row in panel.rows if row["splits_naming_it"]} == {
        "3": 8,
        "2": 1,
    }
    assert all(row["auroc_least_split"] < row["auroc"] < row["auroc_most_split"] for row in panel.rows)


def test_the_result_names_what_its_splits_name() -> None:
    result = ComparisonResult.model_validate(record(divergence_by_split=[1, 2, 2, None]).payload)
    assert result.naming[0] == (2, 2)
