"""`--family FILE`: a model family that Midwatch does not know, described by the user in YAML (docs/families.md).

The file holds the fields of `Family`; `like` takes over those of a known family, and the file then says only what
is different. Every mistake is one sentence, before anything starts. A file is small, and never executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from analyzer.jobs.family import AttentionPaths, Family, MlpPaths
from analyzer.model.families import FAMILIES
from shared.errors import UsageError
from shared.settings import shown
from shared.user_paths import read_by_hand
from shared.user_yaml import parse_yaml
from shared.wrong_values import own_words, wanted

UNKNOWN = ("extra_forbidden", "invalid_key")
"""What pydantic calls a field that does not exist."""
REASONS = {
    "string_pattern_mismatch": "write names joined by dots, as PyTorch prints them",
    "string_type": "write a name",
    "tuple_type": "write a list, e.g. [score]",
    "model_type": "write its fields below it, e.g. module and out",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
}
"""What is to be written instead, by pydantic's name of a problem; others say it in their own words."""
PARTS: dict[str, type[BaseModel]] = {"attention": AttentionPaths, "mlp": MlpPaths}


def read_families(paths: Sequence[Path]) -> dict[str, Family]:
    """Model type -> its description. Raises UsageError in one sentence."""
    found: dict[str, Family] = {}
    for path in paths:
        family = read_family(path)
        if family.name in found:
            raise UsageError(f"{path}: another --family file describes {family.name!r} already; give one of them.")
        found[family.name] = family
    return found


def read_family(path: Path) -> Family:
    """One file. Raises UsageError in one sentence."""
    values = _values(path)
    if "like" in values:
        like = values.pop("like")
        known = FAMILIES.get(like) if isinstance(like, str) else None
        if known is None:
            raise UsageError(f"{path}: like names no family that is known; there are {', '.join(FAMILIES)}.")
        values = _merged(known.model_dump(exclude={"name"}), values)
    try:
        return Family.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path}: {_sentence(error)}") from error


def _values(path: Path) -> dict[Any, Any]:
    values = parse_yaml(read_by_hand(path, "family file"), f"The family file {path}")
    if not isinstance(values, dict):
        raise UsageError(f"The family file {path} must hold names and values, e.g. `name: stablelm`.")
    return values


def _merged(known: Mapping[Any, Any], changes: Mapping[Any, Any]) -> dict[Any, Any]:
    """`known` with what `changes` says otherwise, part by part."""
    parts = {
        name: _merged(known[name], value)
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(known.get(name), dict)
    }
    return {**known, **changes, **parts}


def _sentence(error: ValidationError) -> str:
    """The first problem, for people; a misspelt field before what is missing because of it."""
    first = min(error.errors(), key=lambda each: each["type"] not in UNKNOWN)
    *above, last = first["loc"] or ("",)
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] in UNKNOWN:
        model = PARTS.get(str(above[0]), Family) if above else Family
        known = ", ".join(model.model_fields if above else [*model.model_fields, "like"])
        return f"unknown field {str(last)[:100]!r}{f' in {above[0]}' if above else ''}; there are {known}."
    if first["type"] == "missing":
        return f"{name} is missing; say it, or start from a known family with like."
    noun = wanted(first)
    reason = REASONS.get(first["type"], f"write {noun}" if noun else own_words(first))
    return f"{name} = {shown(first.get('input'))}: {reason}." if name else f"{reason}."
