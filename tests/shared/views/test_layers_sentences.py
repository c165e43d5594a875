"""What the pages of the layers say first, for numbers at which it must change."""

from __future__ import annotations

from typing import Any

import pytest

from shared.findings.text import number
from shared.views import get, headlines
from tests.making.fakes import fake_records


def apart(value: float, half: float, p_value: float, groups: int = 88) -> dict[str, Any]:
    size = {"value": value, "low": value - half, "high": value + half}
    return {"size": size, "p_value": p_value, "groups": groups, "unit": "groups of prompts", "needed": 300}


@pytest.mark.parametrize(
    ("explained", "said", "claims"),
    [
        (apart(3, 0.5, 1e-9), "Sample 0: judged ", True),
        (None, "Sample 0: judged ", False),
        (apart(3, 0.5, 1e-9, groups=11), "Sample 0: nothing can be claimed from 11 groups of prompts", False),
        (
            apart(0.05, 0.01, 1e-9),
            "Sample 0: nothing to explain: the separation of unsafe and safe is 0.050",
            False,
        ),
        (apart(0.3, 0.4, 0.2), "Sample 0: nothing to explain: the separation of unsafe and safe is 0.30", False),
    ],
)
def test_the_headline_follows_from_the_separation(explained: dict | None, said: str, claims: bool) -> None:
    (record,) = [one for one in fake_records(1) if one.analysis == "layers"]
    record = record.model_copy(update={"payload": record.payload | {"to_explain": explained}})
    found = headlines(get("layers"), record)
    assert found[0].text.startswith(said) and {one.claims for one in found} == {claims}
    panel = get("layers").panels(record)[0]
    if explained is not None:
        assert f"judge's separation {number(explained['size']['value'])} nats [" in panel.badge
        assert ("about 300 would be needed" in panel.badge) is (explained["p_value"] > 0.1)
