"""What a pure computation gave for exactly these inputs before, kept in the worker.

Below the frozen boundary whole runs have the same activations, and so the same statistics of them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

ENTRIES = 1024
"""Results kept; the least recently used go first."""


def content_key(name: str, *inputs: np.ndarray | float | str) -> str:
    """SHA-256 of a computation's name and of all that it depends on: dtype, shape and bytes of arrays."""
    digest = hashlib.sha256(name.encode())
    for value in inputs:
        if isinstance(value, np.ndarray):
            digest.update(f"|{value.dtype}{value.shape}|".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(f"|{value!r}|".encode())
    return digest.hexdigest()


class ContentCache:
    """Results by content key."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._found: OrderedDict[str, Any] = OrderedDict()

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """The result kept under `key`, or else what `compute` gives, which is kept. Nobody may change it."""
        if key not in self._found:
            self._found[key] = compute()
            if len(self._found) > self._entries:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]
