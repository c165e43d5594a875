"""The same inputs are computed once; any other input is another question."""

from __future__ import annotations

import numpy as np

from analyzer.session.content_cache import ContentCache, content_key

ARRAY = np.arange(6, dtype=np.float32)


def test_every_part_of_the_inputs_counts() -> None:
    keys = {
        content_key("a", ARRAY, 1.0),
        content_key("b", ARRAY, 1.0),
        content_key("a", ARRAY.reshape(2, 3), 1.0),
        content_key("a", ARRAY.reshape(2, 3).T, 1.0),
        content_key("a", ARRAY.astype(np.float64), 1.0),
        content_key("a", np.nextafter(ARRAY, 9), 1.0),
        content_key("a", ARRAY, 2.0),
        content_key("a", ARRAY),
        content_key("a", 1.0, ARRAY),
    }
    assert len(keys) == 9
    assert content_key("a", ARRAY.copy(), 1.0) in keys
    assert content_key("a", np.arange(12, dtype=np.float32)[:6], 1.0) in keys


def test_computed_once_and_the_least_recently_used_is_forgotten() -> None:
    cache = ContentCache(entries=2)
    computed: list[str] = []

    def ask(key: str) -> str:
        return cache.once(key, lambda: computed.append(key) or key.upper())

    assert [ask(key) for key in "abacab"] == list("ABACAB")
    assert computed == ["a", "b", "c", "b"]
