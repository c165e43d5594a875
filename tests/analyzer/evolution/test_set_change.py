"""Sets of neurons and edges, counted by hand."""

from __future__ import annotations

import numpy as np

from analyzer.evolution.changes import counted_edges
from analyzer.evolution.set_change import established, named_strongest, neuron_name, set_change, vanished


def members(*rows: str) -> np.ndarray:
    return np.array([[letter == "x" for letter in row] for row in rows])


def test_by_hand() -> None:
    now, before = members("xx..", "x..x"), members("x.x.", "...x")
    strength = np.array([[1.0, -5.0, 0.0, 0.0], [2.0, 0.0, 0.0, 9.0]])
    found = set_change(now, before, strength, -strength, neuron_name)
    assert found is not None
    assert (found.before, found.now, found.kept) == (3, 4, 2)
    assert found.born == ["L0.N1", "L1.N0"], "strongest first, whatever the sign"
    assert found.lost == ["L0.N2"]
    assert found.jaccard == 2 / 5


def test_empty_and_other_shapes() -> None:
    nothing, zeros = members("...."), np.zeros((1, 4))
    found = set_change(nothing, nothing, zeros, zeros, neuron_name)
    assert found is not None
    assert (found.jaccard, found.born, found.lost) == (None, [], [])
    assert set_change(nothing, members("..."), zeros, zeros, neuron_name) is None


def test_at_most_twenty_are_named() -> None:
    found = named_strongest(np.ones((1, 50), dtype=bool), np.arange(50.0)[None], neuron_name)
    assert found == [f"L0.N{n}" for n in range(49, 29, -1)]


def test_established_and_vanished() -> None:
    """Columns: always, never, born now, born one before, there before as well, gone now, gone for two."""
    maps = [members("x...xxx"), members("x....xx"), members("x..xxx."), members("x.xxx..")]
    assert established(maps).tolist() == members("...x...").tolist()
    assert vanished(maps).tolist() == members("......x").tolist()


def test_nothing_is_established_or_vanished_too_early() -> None:
    assert not established([members("x"), members("x")]).any(), "absence was never seen"
    assert not vanished([members("x"), members("."), members(".")]).any(), "it may have been there by chance"
    assert not established([members("x")]).any()


def test_counted_edges() -> None:
    scores = np.full((40, 40), np.nan)
    scores[:, :20] = 1.0
    assert counted_edges(scores, 100) == 80, "a tenth of 800"
    assert counted_edges(scores, 50) == 50
    assert counted_edges(np.ones((2, 2)), 100) == 1
