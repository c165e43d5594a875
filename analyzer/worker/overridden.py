"""Analyses under the settings that one request wants, beside those that the worker was started with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from analyzer.analyses import get
from analyzer.jobs.messages import Computation
from shared.errors import UsageError
from shared.settings import explain


def overridden(
    computations: Mapping[str, Computation], wanted: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Computation]:
    """`computations` with other settings where they are wanted. Raises UsageError for one that is none."""
    found = dict(computations)
    for name, values in wanted.items():
        if name not in found:
            raise UsageError(f"There is no analysis {name[:60]!r}; there are {', '.join(found)}.")
        model = get(name).settings
        try:
            settings = model.model_validate({**found[name].settings, **values})
        except ValidationError as error:
            raise UsageError(f"{name}.{explain(error, model).removeprefix('--')}") from error
        found[name] = found[name].model_copy(update={"settings": settings.model_dump(mode="json")})
    return found
