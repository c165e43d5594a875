"""Which results a comparison of checkpoints is made from: their keys are part of its own key.

`evolution` compares a checkpoint with earlier ones. Which of those are analysed depends on the order of arrival
(newest first, backfill, gone checkpoints), so everything it looks at belongs to its key. When an earlier checkpoint
is analysed later, the key changes, the result is missing again, and is made anew: no event has to tell anybody.
"""

from __future__ import annotations

from pydantic import Field

from shared.records import Frozen

SOURCES = ("tokens", "layers", "comparison", "progress", "neurons", "circuits")
"""Analyses whose results the one that has a lineage reads."""
WINDOW = 22
"""Nearest earlier checkpoints that it looks at, beside the first one: 20 steps of what is itself a difference."""


class Ancestor(Frozen):
    """An earlier checkpoint, and what is known of it."""

    checkpoint: str
    keys: dict[str, str]
    """Source analysis -> key of its result, computed with the settings of today."""
    gram: bool
    """Whether a comparison of its own kind was made of it, with the Gram matrices of its representations and the
    digests of its weights."""
    transfer: bool
    """Whether the circuit of the checkpoint before it was evaluated in it."""


class Lineage(Frozen):
    """Everything that one comparison looks at, except its own checkpoint's weights."""

    own: dict[str, str] = Field(default_factory=dict)
    """Source analysis -> key of this checkpoint's result."""
    earlier: tuple[Ancestor, ...] = ()
    """By step: the run's first analysed checkpoint, then the `WINDOW` nearest before this one (of which the first
    may be one)."""

    @property
    def first(self) -> Ancestor | None:
        return self.earlier[0] if self.earlier else None

    @property
    def previous(self) -> Ancestor | None:
        return self.earlier[-1] if self.earlier else None

    @property
    def window(self) -> tuple[Ancestor, ...]:
        """The nearest earlier checkpoints, without a gap, oldest first."""
        return self.earlier[-WINDOW:]

    @property
    def circuits(self) -> str | None:
        """Names the circuits of this checkpoint and of the previous one together; None unless both have theirs."""
        return circuit_pair(self.previous.keys, self.own) if self.previous is not None else None


def circuit_pair(before: dict[str, str], now: dict[str, str]) -> str | None:
    """One name for two `circuits` results, in order; None unless there are both."""
    if "circuits" not in before or "circuits" not in now:
        return None
    return f"{before['circuits']} {now['circuits']}"
