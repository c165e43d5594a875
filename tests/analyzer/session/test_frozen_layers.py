"""The frozen boundary, from real state dicts of every family."""

from __future__ import annotations

import pytest

from analyzer.session.frozen_layers import frozen_boundary
from tests.making.judges import tiny_judge
from tests.making.tiny import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_boundary_in_every_family(family: str) -> None:
    judge = tiny_judge(family, layers=3)
    names = set(judge.model.state_dict())
    places = {name: judge.anatomy.place_of(name) for name in names}
    assert {0, 1, 2, "embeddings", "head"} <= set(places.values())
    upper = {name for name, place in places.items() if place in (2, "head")}
    head = {name for name, place in places.items() if place == "head"}
    assert all(("layer" not in name or "norm" in name.lower()) and "embed" not in name for name in head)
    assert frozen_boundary(upper, names, judge) == (2, True)
    assert frozen_boundary(head, names, judge) == (3, True)
    assert frozen_boundary(names, names, judge) == (0, False)
    assert frozen_boundary(set(), names, judge) == (3, True)
    words = {name for name, place in places.items() if place == "embeddings"}
    assert frozen_boundary(upper | words, names, judge) == (2, False)


def test_positions_that_all_layers_share_unfreeze_them_all() -> None:
    judge = tiny_judge("deberta-v2", layers=3)
    shared = {name for name in judge.model.state_dict() if "rel_embeddings" in name}
    assert shared and frozen_boundary(shared, judge.model.state_dict(), judge) == (0, True)


def test_nothing_known_is_nothing_frozen() -> None:
    assert frozen_boundary(set(), [], tiny_judge("bert")) == (0, False)
