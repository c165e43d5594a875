"""What a reader chose on the page *Failures*: filter, order and the opened prompt, as a link holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from shared.views.failures.groups import KINDS
from shared.views.failures.table import Filter, Order
from shared.views.failures.wrong import Side

MOST_TEXT = 100
"""Characters of a filter that a link may hold."""
PROMPT_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass
class FailureChoice:
    """Mutable, as the selection that holds it."""

    filter: Filter = field(default_factory=Filter)
    prompt: str = ""
    """Id of the opened probe; empty for none."""

    def change(self, **values: str) -> None:
        """Another filter; the opened prompt stays."""
        self.filter = replace(self.filter, **values)


def from_link(query: Mapping[str, str]) -> FailureChoice:
    """What a link asks for; what it cannot mean is left as it is without one."""
    found: dict[str, str] = {}
    if query.get("kind") in get_args(Side):
        found["side"] = query["kind"]
    if query.get("order") in get_args(Order):
        found["order"] = query["order"]
    group = query.get("group", "")
    if group.partition(":")[0] in KINDS and group.partition(":")[2]:
        found["group"] = group[: 2 * MOST_TEXT]
    found["text"] = query.get("holds", "")[:MOST_TEXT]
    prompt = query.get("prompt", "")
    return FailureChoice(Filter(**found), prompt if PROMPT_ID.fullmatch(prompt) else "")  # type: ignore[arg-type]


def to_link(choice: FailureChoice) -> dict[str, str]:
    """The part of a link's query that restores it; what is as without one is left out."""
    chosen = choice.filter
    order = "" if chosen.order == Filter().order else chosen.order
    query = {"kind": chosen.side, "group": chosen.group, "holds": chosen.text, "order": order}
    return {name: value for name, value in {**query, "prompt": choice.prompt}.items() if value}
