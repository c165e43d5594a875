"""Every judge with a known mechanism by name: written by hand, compiled, or trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tests.making.compiled import COMPILED
from tests.making.plants import PLANTS, Plant
from tests.making.trained_plants import TRAINED_PLANTS

EVERY_PLANT: dict[str, Callable[[int], Plant]] = PLANTS | COMPILED | TRAINED_PLANTS


@cache
def every_plant(name: str, seed: int) -> Plant:
    """One of them; made once a process."""
    return EVERY_PLANT[name](seed)
