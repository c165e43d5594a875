"""What the reader chose on the page *Compare*, beside run, checkpoint and `against`; as part of the link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST = 200
"""Characters of any one choice that a link may hold."""
KINDS = ("all", "fixed", "broken")
_AT = re.compile(r"(epoch|step):\d{1,12}")


@dataclass
class CompareChoice:
    """Mutable, one a session."""

    run: str | None = None
    """Name of another run to compare with; None for the same run, where the bar's `against` says which
    checkpoint."""
    at: str | None = None
    """Which checkpoint of that run, as an address such as "epoch:3"; None for its newest."""
    part: str | None = None
    """Which tab is open; None for the first."""
    kind: str = KINDS[0]
    """Which flipped prompts are listed."""
    category: str = ""
    """Of which category; empty for all."""
    prompt: str = ""
    """Id of the prompt whose words are compared; empty for the first."""

    @classmethod
    def from_link(cls, query: Mapping[str, str]) -> CompareChoice:
        """What a link's query asks for; what it cannot mean is left as it is without one."""
        asked = {name: query.get(name, "")[:MOST] for name in ("with", "at", "part", "flips", "category", "words")}
        return cls(
            run=asked["with"] or None,
            at=asked["at"] if asked["with"] and _AT.fullmatch(asked["at"]) else None,
            part=asked["part"] or None,
            kind=asked["flips"] if asked["flips"] in KINDS else KINDS[0],
            category=asked["category"],
            prompt=asked["words"] if re.fullmatch(r"[0-9a-f]{1,64}", asked["words"]) else "",
        )

    def to_link(self) -> dict[str, str | None]:
        """Its part of the query; None and empty for what is as without a link."""
        return {
            "with": self.run,
            "at": self.at,
            "part": self.part,
            "flips": self.kind if self.kind != KINDS[0] else None,
            "category": self.category,
            "words": self.prompt,
        }

    def other_run(self, name: str | None) -> None:
        """Compare with another run, at its newest checkpoint; with the same one where `name` is None."""
        self.run, self.at = name, None
