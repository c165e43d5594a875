"""YAML that a user wrote: names, numbers, texts, lists and mappings, and one sentence for whatever else there is.

Beside what `yaml.safe_load` refuses, refused are a name said twice, of which the first would be lost in silence;
aliases that contain themselves or multiply to more than a person writes; and values that are none, as `!!int ""`.
What looks like a date is text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from shared.errors import UsageError

MAX_NODES = 10_000
"""Names and values that a text may hold, those behind an alias counted each time."""
MAX_BITS = 64
"""Of a whole number."""
CORE = ("null", "bool", "int", "float", "str", "seq", "map")
TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 (as PyYAML declares it)
        first: [(tag, pattern) for tag, pattern in known if tag != f"{TAG}timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(TAG) in CORE
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """PyYAML lets an impossible value of a known tag out as whatever Python raises."""
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
            raise _problem(node, f"a value that is no {node.tag.removeprefix(TAG)}") from error
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise _problem(node, "a number that is too large")
        return value


def parse_yaml(text: bytes | str, what: str) -> Any:
    """The one value of a text; `what` it is opens the sentence. Raises UsageError."""
    try:
        loader = _Loader(text.decode("utf-8") if isinstance(text, bytes) else text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _checked(node, {}) > MAX_NODES:
            raise _problem(node, f"more than {MAX_NODES} names and values")
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"{what} is not valid YAML ({place}{error.problem}).") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{what} is not valid YAML ({str(error).splitlines()[0]}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} is not valid YAML (it is no UTF-8 text).") from error
    except RecursionError as error:
        raise UsageError(f"{what} is not valid YAML (it is nested too deeply).") from error


def _checked(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many names and values a node holds. Raises for a name said twice, and for a node inside of itself."""
    if (known := sizes.get(id(node))) is not None:
        if known == 0:
            raise _problem(node, "something that contains itself")
        return known
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value in names:
                raise _problem(name, f"{name.value[:100]!r} a second time")
            names |= {name.value} if isinstance(name, yaml.ScalarNode) else set()
    sizes[id(node)] = 1 + sum(_checked(below, sizes) for below in _below(node))
    return sizes[id(node)]


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _problem(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
