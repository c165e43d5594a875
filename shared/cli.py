"""Typer commands made from settings models, so that an option is declared, documented and validated in one place.

A field of a `Settings` model becomes an option: its docstring is the help, its default is shown, its type is
checked by pydantic. `positional()` makes a field an argument, `also()` gives an option further names, `in_config()`
a field that only a config file sets. Every such command also takes `--config FILE`, and every option may be written
with underscores.
"""

from __future__ import annotations

import errno
import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import typer
from pydantic import Field
from pydantic.fields import FieldInfo
from typer.core import TyperCommand, TyperGroup

from shared.completion import OFFERS, offered
from shared.errors import MidwatchError
from shared.logs import as_json, entry
from shared.settings import Settings, build

Model = TypeVar("Model", bound=Settings)
logger = logging.getLogger(__name__)


def positional(default: Any = ..., **extra: Any) -> Any:
    """A settings field that is a positional argument of the command."""
    return Field(default, json_schema_extra={"positional": True}, **extra)


def also(*names: str, default: Any) -> Any:
    """A settings field whose option has other `names`, too."""
    return Field(default, json_schema_extra={"also": [*names]})


def in_config() -> Any:
    """A settings field of names and values that only a config file sets."""
    return Field(default_factory=dict, json_schema_extra={"in_config": True})


def settings_command(
    app: typer.Typer, model: type[Model], name: str
) -> Callable[[Callable[[Model], None]], Callable[[Model], None]]:
    """Add the decorated `function(settings)` to `app` as command `name`; its docstring is the command's help."""

    def decorate(function: Callable[[Model], None]) -> Callable[[Model], None]:
        def command(config: Path | None = None, **given: Any) -> None:
            function(build(model, given, config))

        command.__doc__ = function.__doc__
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [_parameter(name, model.model_fields[name], section) for name, section in _in_order(model)]
            + [_config_parameter()]
        )
        # the signature, not the function, says what the options are; typer resolves annotations by module
        command.__annotations__ = {p.name: p.annotation for p in command.__signature__.parameters.values()}  # type: ignore[attr-defined]
        first_line = (function.__doc__ or "").strip().partition("\n")[0]
        spelling = {"token_normalize_func": _with_dashes}
        app.command(
            name,
            cls=_Sectioned,
            short_help=first_line,
            context_settings=spelling,
            epilog=f"\b\nExample:\n  {model.example}" if model.example else None,
        )(command)
        return function

    return decorate


def _with_dashes(name: str) -> str:
    return name.replace("_", "-")


class Panels(TyperGroup):
    """A group whose help lists its commands under headings."""

    panels: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Heading -> names of commands; those that stand nowhere come last."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        named = {name for names in self.panels.values() for name in names}
        others = [name for name in self.list_commands(ctx) if name not in named]
        limit = formatter.width - 6 - max(map(len, self.commands), default=0)
        for title, names in [*self.panels.items(), ("Other commands", others)]:
            rows = [
                (name, self.commands[name].get_short_help_str(limit)) for name in names if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class _Sectioned(TyperCommand):
    """A command whose help lists its options under the headings of `Settings.sections`, in that order."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        further: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            panel = getattr(parameter, "rich_help_panel", None)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                rows = (
                    sections["Arguments"] if is_argument else sections.setdefault(panel, []) if panel else further
                )
                rows.append(record)
        titled = [*sections.items(), ("Other options" if len(sections) > 1 else "Options", further)]
        for title, rows in titled:
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _in_order(model: type[Settings]) -> list[tuple[str, str | None]]:
    """(field, its section) as the help lists them: sections first, in their order, then what is in none."""
    named = {name: title for title, names in model.sections.items() for name in names}
    shown = [name for name, field in model.model_fields.items() if not _extra(field).get("in_config")]
    return [*named.items(), *((name, None) for name in shown if name not in named)]


def _parameter(name: str, field: FieldInfo, section: str | None) -> inspect.Parameter:
    """One field as a typer parameter. Its CLI default is None: pydantic and the config file know the real one."""
    extra = _extra(field)
    help_text = (field.description or "").strip()
    annotation = _cli_type(field.annotation)
    if extra.get("positional"):
        default = ... if field.is_required() else None
        info = typer.Argument(default, help=help_text, autocompletion=_offers(name, field))
    else:
        info = typer.Option(
            None,
            *_flags(name, field),
            help=help_text + _choices(field) + _shown_default(field),
            rich_help_panel=section,
            autocompletion=_offers(name, field),
            metavar=_NUMBERS.get(_plain_type(field.annotation)),
        )
    required = field.is_required() and extra.get("positional")
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=info,
        annotation=annotation if required else annotation | None,
    )


def _offers(name: str, field: FieldInfo) -> Callable[[typer.Context, str], list[str]] | None:
    """What a shell offers for a field; None leaves files to it, and words of anybody's own."""
    words = _values(field)
    if name not in OFFERS and not words:
        return None

    def offer(ctx: typer.Context, incomplete: str) -> list[str]:
        if words:
            return [word for word in words if word.startswith(incomplete)]
        # an option that still lacks its value keeps the words before it from being read as arguments
        run = ctx.params.get("run") or next(iter(ctx.args), None)
        return offered(name, {**ctx.params, "run": run}, incomplete)

    # the annotations as types: typer reads them, and does not see this module's imports
    offer.__annotations__ = {"ctx": typer.Context, "incomplete": str}
    return offer


def _flags(name: str, field: FieldInfo) -> list[str]:
    names = [str(_extra(field).get("flag", name)), *_extra(field).get("also", [])]
    options = [f"--{_with_dashes(each)}" for each in names]
    return [f"{each}/--no-{each[2:]}" for each in options] if _cli_type(field.annotation) is bool else options


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _shown_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if field.is_required() or default is None or default == "" or isinstance(default, bool | list):
        return ""  # a flag pair says its default by which one people need to type
    shown = f"{default:g}" if isinstance(default, float) else getattr(default, "value", default)
    return f" Default: {shown}."


def _choices(field: FieldInfo) -> str:
    values = _values(field)
    return f" One of: {', '.join(values)}." if values else ""


def _values(field: FieldInfo) -> list[str]:
    """What a field may be, of one that may only be some words: Literal[...] and Literal[...] | None."""
    nested = [(part, *get_args(part)) for part in get_args(field.annotation)]
    return [value for value in chain.from_iterable(nested) if isinstance(value, str)]


_NUMBERS = {int: "<int>", float: "<number>"}
"""How the help writes a number. Typer takes it for a text: of what is none, its own words are pydantic's."""


def _cli_type(annotation: Any) -> Any:
    """The type typer parses before pydantic validates: str unless plainly bool, Path or a list."""
    if getattr(annotation, "__origin__", None) is list:
        return list[Path] if _parts(annotation) == [Path] else list[str]
    plain = _plain_type(annotation)
    return plain if plain in (bool, Path) else str


def _plain_type(annotation: Any) -> Any:
    """The type itself, of one that may be missing the other; None of all else."""
    parts = _parts(annotation)
    found = annotation if not parts else parts[0] if len(parts) == 1 else None
    return found if found in (bool, int, float, Path) else None


def _parts(annotation: Any) -> list[Any]:
    return [part for part in getattr(annotation, "__args__", ()) if part is not type(None)]


def _config_parameter() -> inspect.Parameter:
    info = typer.Option(
        None, "--config", help="YAML or TOML file with any of these options; the command line wins."
    )
    return inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=info, annotation=Path | None)


def run_app(app: typer.Typer) -> None:
    """Run a command line: a MidwatchError or a full disk becomes one sentence on stderr and its exit code."""
    try:
        app()
    except MidwatchError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        fail(f"{error.filename or 'The disk'}: {error.strerror}. Free space or choose a writable place.", 1)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)


def fail(message: str, code: int) -> None:
    """Print one sentence to stderr and exit."""
    if as_json():
        logger.error("%s", message, extra=entry("ended", cause=message, exit_code=code))
    else:
        sys.stderr.write(f"midwatch: {message}\n")
    sys.exit(code)
