"""Short and long forms of one test: the first values always run, the others with `make test-slow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

SLOW = pytest.mark.slow


def short_and_long(values: Iterable[Any], short: int = 1) -> list[Any]:
    """For `pytest.mark.parametrize`: the first `short` values as they are, the rest marked slow."""
    return [
        value if number < short else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=SLOW)
        for number, value in enumerate(values)
    ]
