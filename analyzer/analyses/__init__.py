"""How each analysis is computed: one file an analysis, of the same name as its view in `shared/views`.

A file decorates one function with `@computes(name, Settings, version=...)`. The function gets a `Context` and its
validated settings and returns an `Outcome`. Raise `CannotCompute` when the judge lacks what the analysis needs:
that is a recorded, explained result of the attempt, not a crash.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from shared.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from analyzer.session.context import Context


@dataclass(frozen=True)
class Outcome:
    """What a computation hands back; the worker adds provenance and commits it."""

    result: BaseModel
    """The typed result of the view with the same name."""
    summary: Mapping[str, float] = field(default_factory=dict)
    """Flat numbers for the curves over training; only finite values."""
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Analysis:
    """One registered computation."""

    name: str
    version: int
    """Raised whenever the same inputs would give different numbers; part of the result key."""
    settings: type[Settings]
    compute: Callable[[Context, Any], Outcome]


_analyses: dict[str, Analysis] = {}


def computes(
    name: str, settings: type[Settings], version: int
) -> Callable[[Callable[[Context, Any], Outcome]], Callable[[Context, Any], Outcome]]:
    """Register the decorated function as the computation of analysis `name`; a duplicate raises and names it."""

    def register(function: Callable[[Context, Any], Outcome]) -> Callable[[Context, Any], Outcome]:
        if name in _analyses:
            raise ValueError(f"analysis {name!r} is computed twice: {_analyses[name].compute} and {function}")
        _analyses[name] = Analysis(name, version, settings, function)
        return function

    return register


def get(name: str) -> Analysis:
    """The computation of analysis `name`. Imports torch. Raises KeyError naming the known ones."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    if name not in _analyses:
        raise KeyError(f"no computation for {name!r}; known: {', '.join(sorted(_analyses))}")
    return _analyses[name]
