"""`--family FILE`: a model family that Midwatch does not know, described by the user in YAML (docs/families.md).

The file holds the fields of `Family`; `like` takes over those of a known family, and the file then says only what
is different. Every mistake is one sentence, before anything starts. A file is small, and never executed.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from analyzer.jobs.family import AttentionPaths, BlockPaths, Family
from analyzer.model.families import FAMILIES
from shared.errors import UsageError

MAX_BYTES = 64 * 2**10
UNKNOWN = ("extra_forbidden", "invalid_key")
"""What pydantic calls a field that does not exist."""
PARTS: dict[str, type[BaseModel]] = {"attention": AttentionPaths, "mlp": BlockPaths}


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
        known = FAMILIES.get(str(values.pop("like")))
        if known is None:
            raise UsageError(f"{path}: like names no family that is known; there are {', '.join(FAMILIES)}.")
        values = _merged(known.model_dump(exclude={"name"}), values)
    try:
        return Family.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path}: {_sentence(error)}") from error


def _values(path: Path) -> dict[Any, Any]:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES // 2**10} KiB, and so no description of a family.")
        values = yaml.safe_load(data.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"The family file {path} cannot be read ({error.strerror}).") from error
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"The family file {path} is not valid YAML ({place}{error.problem}).") from error
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"The family file {path} is not valid YAML ({type(error).__name__}).") from error
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
    reason = first["msg"].removeprefix("Value error, ").rstrip(".")
    if first["type"] == "string_pattern_mismatch":
        reason = "write names joined by dots, as PyTorch prints them"
    return f"{name} = {reprlib.repr(first.get('input'))}: {reason}." if name else f"{reason}."
