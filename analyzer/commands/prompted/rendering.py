"""A chat template's text, as transformers' `apply_chat_template(..., tokenize=False)` makes it, in its own process.

Templates come from strangers. jinja2's immutable sandbox keeps them from attributes and files, not from endless
loops, powers of huge numbers and texts of many GB: the process has limits of time and memory. It reads one request
as JSON from stdin, and writes one answer as JSON to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

LIMIT_CPU_S = 3
"""Processor seconds; a template of a known model takes a hundredth of one."""
LIMIT_BYTES = 2 * 2**30
"""Memory that the process may address, in bytes."""
LONGEST = 2**20
"""Characters that may come out; no judge reads as many."""

Message = dict[str, Any]


class _Generation(Extension):
    """`{% generation %}`, by which trainings mark what the assistant says: its body as it is."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Any) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def render(template: str, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
    """The text, up to where the assistant answers. Raises whatever the template raises: it is a program."""
    given = {"tools": None, "documents": None, "add_generation_prompt": True, **options}
    parts, length = [], 0
    for part in _environment().from_string(template).generate(messages=list(messages), **given):
        length += len(part)
        if length > LONGEST:
            raise jinja2.TemplateError(f"it writes more than {LONGEST:,} characters")
        parts.append(part)
    text = "".join(parts)
    text.encode("utf-8")  # raises for halves of characters, which no tokenizer takes
    return text


def _environment() -> ImmutableSandboxedEnvironment:
    found = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    found.filters["tojson"] = _tojson
    found.globals["raise_exception"] = _raise
    found.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return found


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _limit() -> None:
    """Bound this process; where the system knows no such limits, the parent's clock does."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in ((resource.RLIMIT_CPU, LIMIT_CPU_S), (resource.RLIMIT_AS, LIMIT_BYTES)):
        hard = resource.getrlimit(what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def main() -> None:
    """Answer the request on stdin: {"text": ...}, or {"refused": the template's own reason}."""
    request = json.load(sys.stdin)
    _limit()
    try:
        answer = {"text": render(request["template"], request["messages"], request["options"])}
    except MemoryError:
        answer = {"refused": "it wants too much memory"}
    except Exception as error:  # noqa: BLE001 (a stranger's program, which raises what it likes; it is told)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        answer = {"refused": lines[0].rstrip(".")[:200]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
