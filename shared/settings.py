"""Settings: one typed model a command, validated once, from defaults < config file < command line."""

from __future__ import annotations

import reprlib
import tomllib
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.errors import UsageError
from shared.user_paths import expanded, read_by_hand
from shared.user_yaml import parse_yaml
from shared.wrong_values import own_words, wanted

Values = TypeVar("Values", bound="Settings")


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, docstrings under the fields are their help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
    sections: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Heading -> fields, as a command's help lists its options; the fields that are named nowhere come last."""
    example: ClassVar[str] = ""
    """A line that somebody may type, shown under the command's help."""

    @field_validator("*", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any, info: ValidationInfo) -> Any:
        listed = get_origin(cls.model_fields[info.field_name or ""].annotation) is list
        return [value] if listed and isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _check_homes(self) -> Settings:
        """Raises UsageError for a path in a home directory that is not known."""
        for given in self.__dict__.values():
            for value in given if isinstance(given, list) else [given]:
                if isinstance(value, Path):
                    expanded(value)
        return self


def read_config(path: Path) -> dict[str, Any]:
    """A YAML or TOML config file as a dict. Raises UsageError in one sentence that says what to do."""
    if path.suffix not in {".yaml", ".yml", ".toml"}:
        raise UsageError(f"{path}: a config file ends in .yaml, .yml or .toml.")
    data = read_by_hand(path, "config file")
    values = _read_toml(data, path) if path.suffix == ".toml" else parse_yaml(data, f"The config file {path}")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"The config file {path} must hold names and values, one option a line.")
    found: dict[str, Any] = {}
    for given, value in values.items():
        name = str(given).replace("-", "_")
        if name in found:
            raise UsageError(f"The config file {path} says {name!r} twice.")
        found[name] = value
    return found


def _read_toml(data: bytes, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of the syntax, of UTF-8, and of numbers too large
        raise UsageError(f"The config file {path} is not valid ({error}).") from error


def build(model: type[Values], given: dict[str, Any], config: Path | None = None) -> Values:
    """Validate settings once: values given on the command line (not None) win over the config file.

    Raises UsageError naming the first option that is unknown or out of range.
    """
    values = read_config(config) if config is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, model)) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem of a ValidationError as one sentence for people."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if not name:
        return f"{own_words(first)}."
    option, message = _option(model, name), _what_to_give(error, model, name)
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(model.model_fields))
        return f"Unknown option {name!r}; known options: {known}."
    if first["type"] == "dict_type" and _is_section(model, name):
        return (
            f"{name} = {shown(first.get('input'))}: a section holds names and values, such as {name}: {{seed: 1}}."
        )
    if first["type"] == "missing":
        return f"{option} is missing; give it."
    if _is_secret(model, name):
        return f"{option}: {message}."
    return f"{option} = {shown(first.get('input'))}: {message}."


def _option(model: type[BaseModel], name: str) -> str:
    """A field as people type it."""
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field is not None else None
    extra = extra if isinstance(extra, dict) else {}
    return name.upper() if extra.get("positional") else f"--{extra.get('flag', name)}".replace("_", "-")


def _what_to_give(error: ValidationError, model: type[BaseModel], name: str) -> str:
    """What belongs in a field: of one that takes this or that, all of it."""
    first, *others = [each for each in error.errors() if each["loc"][:1] == (name,)]
    if first["type"] == "string_pattern_mismatch":
        described = model.model_fields[name].description or ""
        return f"it takes something else. {described.strip().rstrip('.')}"
    nouns = [wanted(each) for each in (first, *others) if each["input"] is first["input"]]
    found = list(dict.fromkeys(noun for noun in nouns if noun))
    return f"give {' or '.join(found)}" if found else own_words(first)


def _is_section(model: type[BaseModel], name: str) -> bool:
    """Whether it is no option, but a part of the config file."""
    field = model.model_fields.get(name)
    return field is not None and field.json_schema_extra == {"in_config": True}


def _is_secret(model: type[BaseModel], name: str) -> bool:
    """Whether the value of an option must not be repeated."""
    field = model.model_fields.get(name.partition(".")[0])
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def shown(value: Any) -> str:
    """What a user gave, shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:  # a number of thousands of digits
        return "a number that is too large"
