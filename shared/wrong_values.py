"""What is wrong with a value, in words: pydantic names types and patterns of the code, people want to know what to
write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

LONGEST_WHERE = 80

_NOUNS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(
        ("int_parsing", "int_type", "int_from_float", "int_parsing_size"), lambda limits: "a whole number"
    ),
    **dict.fromkeys(("float_parsing", "float_type"), lambda limits: "a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), lambda limits: "true or false"),
    "finite_number": lambda limits: "a finite number",
    "string_type": lambda limits: "a text",
    "path_type": lambda limits: "a path",
    **dict.fromkeys(("list_type", "tuple_type"), lambda limits: "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), lambda limits: "names and values"),
    "greater_than": lambda limits: f"a number greater than {limits['gt']:g}",
    "greater_than_equal": lambda limits: f"{limits['ge']:g} or more",
    "less_than": lambda limits: f"a number less than {limits['lt']:g}",
    "less_than_equal": lambda limits: f"{limits['le']:g} or less",
    **dict.fromkeys(("literal_error", "enum"), lambda limits: str(limits["expected"])),
    "too_short": lambda limits: f"{limits['min_length']} or more of them",
    "too_long": lambda limits: f"{limits['max_length']} of them at most",
    "string_too_short": lambda limits: f"{limits['min_length']} or more letters",
    "string_too_long": lambda limits: f"{limits['max_length']} letters at most",
}
"""Kind of error -> what belongs there, from the limits that the error carries."""


def wanted(error: ErrorDetails) -> str:
    """What belongs there: "a whole number", "'basic' or 'advanced'"; empty where the error's own words say more."""
    noun = _NOUNS.get(error["type"])
    return noun(error.get("ctx", {})) if noun is not None else ""


def own_words(error: ErrorDetails) -> str:
    """What the check itself says, without a full stop."""
    return error["msg"].removeprefix("Value error, ").rstrip(".")


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a record: "epoch should be a number", "step is missing"."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:LONGEST_WHERE]
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "extra_forbidden":
        return f"{where} is unknown"
    noun = wanted(first)
    if not noun:
        return f"{where}: {own_words(first)}" if where else own_words(first)
    return f"{where or 'it'} should be {noun}"
