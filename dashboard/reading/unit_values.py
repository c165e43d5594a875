"""One head's or neuron's numbers at one checkpoint, read alone: the file of a large judge holds megabytes."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from dashboard.reading import cached
from shared.results_index import ResultFile

TENSORS = {
    "effect": "effect",
    "error": "effect_error",
    "auroc": "auroc",
    "with_effect": "with_effect",
    "carries": "carries",
}
"""Field of a Moment -> name of the tensor (layers, units) that holds it."""
Place = tuple[int, int]
"""Layer, and number of the unit in it."""


def values_of(file: ResultFile | None, place: Place) -> dict[str, Any]:
    """The unit's numbers at one checkpoint; empty where there is no result, or none that can be read."""
    return {} if file is None else _values(file.path, file.mtime_ns, place)


@st.cache_resource(show_spinner=False, max_entries=8192)
def _values(path: str, mtime_ns: int, place: Place) -> dict[str, Any]:
    """One number a tensor, read alone: the file of a large judge holds megabytes."""
    file = ResultFile(path, mtime_ns)
    found: dict[str, Any] = {}
    for field, name in TENSORS.items():
        value = cached.tensor(file, name, lambda part: part[place].item())
        if value is not None:  # else damaged, gone, or of a judge of another shape: a gap
            found[field] = value
    if "with_effect" in found:
        found["with_effect"] = bool(found["with_effect"])
    if "carries" in found:
        found["carries"] = None if found["carries"] < 0 else bool(found["carries"])
    return {field: None if value is None or not math.isfinite(value) else value for field, value in found.items()}
