"""No sentence about a wrong value has pydantic's words in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from shared.errors import UsageError
from shared.settings import Settings, build
from shared.wrong_values import first_fault


class Part(BaseModel):
    step: int


class Record(BaseModel, extra="forbid"):
    step: int
    share: float = Field(0.5, ge=0, le=1)
    kind: Literal["a", "b"] = "a"
    names: list[str] = Field([], max_length=2)
    parts: list[Part] = Field([])
    word: str = Field("ab", min_length=2, max_length=3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "step is missing"),
        ({"step": 1, "x": 1}, "x is unknown"),
        ({"step": "x"}, "step should be a whole number"),
        ({"step": 1.5}, "step should be a whole number"),
        ({"step": 1, "share": 2}, "share should be 1 or less"),
        ({"step": 1, "share": -1}, "share should be 0 or more"),
        ({"step": 1, "kind": "c"}, "kind should be 'a' or 'b'"),
        ({"step": 1, "names": ["a", "b", "c"]}, "names should be 2 of them at most"),
        ({"step": 1, "names": [1]}, "names.0 should be a text"),
        ({"step": 1, "parts": [3]}, "parts.0 should be names and values"),
        ({"step": 1, "word": "a"}, "word should be 2 or more letters"),
        ([], "it should be names and values"),
    ],
)
def test_the_first_fault_of_a_record(values: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate(values)
    assert first_fault(caught.value) == said


class Options(Settings):
    save_every: Annotated[int, Field(gt=0)] | Literal["epoch"] = "epoch"
    """When to save."""
    device: str = Field("auto", pattern=r"^(auto|cpu)$")
    """Where to compute: `auto` or `cpu`."""
    as_json: bool = Field(False, json_schema_extra={"flag": "json"})
    data: list[str] = Field([])
    cores: int | None = None
    epochs: float = Field(4, gt=0, allow_inf_nan=False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"save_every": "x"}, "--save-every = 'x': give a whole number or 'epoch'."),
        ({"save_every": 0}, "--save-every = 0: give a number greater than 0 or 'epoch'."),
        ({"device": "gpu"}, "--device = 'gpu': it takes something else. Where to compute: `auto` or `cpu`."),
        ({"as_json": "x"}, "--json = 'x': give true or false."),
        ({"data": ["a", 2]}, "--data = 2: give a text."),
        ({"cores": [1]}, "--cores = [1]: give a whole number."),
        ({"epochs": float("inf")}, "--epochs = inf: give a finite number."),
    ],
)
def test_an_option_says_what_it_takes(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(Options, given)
    assert str(caught.value) == said
