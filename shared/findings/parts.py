"""Parts that several results share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import SchemaError
from shared.wrong_values import first_fault

if TYPE_CHECKING:
    from shared.results import ResultRecord

Typed = TypeVar("Typed", bound=BaseModel)


class Part(BaseModel):
    """A piece of a typed result: immutable; NaN is not allowed, a missing number is None."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(Part):
    """An estimate with its 95 % interval (method stated where it is used)."""

    value: float
    low: float
    high: float


def layer_names(layers: int) -> list[str]:
    """Axis labels of the residual stream: "emb", then "0" .. "L-1" (after each layer)."""
    return ["emb", *(str(layer) for layer in range(layers))]


def require_length(name: str, values: Sequence[object] | None, length: int) -> None:
    """Raise ValueError unless a by-layer list (where there is one) has `length` entries."""
    if values is not None and len(values) != length:
        raise ValueError(f"{name} have {len(values)} entries, not {length}")


def interval_cells(name: str, interval: Interval | None) -> dict[str, float | None]:
    """An interval as three table cells: `name`, `name`_low, `name`_high; None where it is missing."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def typed_result(record: ResultRecord, model: type[Typed]) -> Typed:
    """The record's payload as its typed result. Raises SchemaError naming the file's place and the first fault."""
    try:
        return model.model_validate(record.payload)
    except ValidationError as error:
        raise SchemaError(
            f"The {record.analysis} result of {record.checkpoint} (key {record.key}) cannot be read: "
            f"{first_fault(error)}. It is damaged, or from another version of Midwatch (analysis v"
            f"{record.analysis_version}): analyse the checkpoint again, with --force if that computes nothing."
        ) from error


EMBEDDINGS = -1
"""Where the embeddings stand on the layer axis; layer l stands at l."""


def layer_name(layer: int | None) -> str:
    """ "layer 3", "the embeddings", or "none"."""
    if layer is None:
        return "none"
    return "the embeddings" if layer == EMBEDDINGS else f"layer {layer}"
