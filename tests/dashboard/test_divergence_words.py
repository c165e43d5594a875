"""What the dashboard says of the divergence layer follows from the splits and from the judge's own separation."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.reading.alerts import checkpoint_alerts
from dashboard.reading.facts import Facts
from dashboard.reading.headline import headlines
from shared.findings.comparison import ComparisonResult
from tests.making.fakes import fake_records

NOTHING = {
    "size": {"value": 0.01, "low": -0.1, "high": 0.12},
    "p_value": 0.8,
    "groups": 88,
    "unit": "groups of prompts",
    "needed": None,
}


def facts(**payload: Any) -> Facts:
    (record,) = [one for one in fake_records(1) if one.analysis == "comparison"]
    return Facts(comparison=ComparisonResult.model_validate(record.payload | payload))


@pytest.mark.parametrize(
    ("payload", "value", "note", "alert"),
    [
        ({"divergence_layer": 3, "divergence_by_split": [3] * 7 + [2] * 3}, "layer 3", "in 7 of 10 splits", None),
        (
            {"divergence_layer": None, "divergence_by_split": [3] * 5 + [2] * 5},
            "none",
            "the splits do not agree on a layer: layer 3 in 5, layer 2 in 5 of 10",
            "The splits do not agree on a layer: layer 3 in 5, layer 2 in 5 of 10.",
        ),
        (
            {"divergence_layer": None, "divergence_by_split": [None] * 10},
            "none",
            "no probe clears its control",
            "No probe clears its control in two layers in a row, in 10 of 10 splits.",
        ),
        (
            {"divergence_layer": None, "divergence_by_split": [3] * 10, "to_explain": NOTHING},
            "none",
            "the judge has nothing to tell apart",
            None,
        ),
    ],
)
def test_headline_and_alert(payload: dict[str, Any], value: str, note: str, alert: str | None) -> None:
    found = facts(**payload)
    (headline,) = [one for one in headlines(found) if one.label == "Divergence layer"]
    assert headline.value == value and note in headline.note
    details = [one.detail for one in checkpoint_alerts(found) if one.title == "No divergence layer"]
    assert details == ([] if alert is None else [alert])
