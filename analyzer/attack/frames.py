"""The frames of the ten evasion techniques, and which seeds each of them can hold (`frames.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Kind = Literal["question", "request", "statement"]
KINDS: tuple[Kind, ...] = ("question", "request", "statement")
SLOT = "{ask}"


@dataclass(frozen=True)
class Frame:
    """One way to put a seed."""

    name: str
    """Its technique and number, e.g. "authority 3"; stays what it is while lines are only added at the end."""
    text: str
    """What stands around `{ask}`."""
    takes: tuple[Kind, ...] = KINDS
    asker_acts: bool = False
    """Whether a seed's asker must be the one who acts."""
    held_out: bool = False
    """Never searched with: what is fresh is made with it."""

    @property
    def behind(self) -> bool:
        """Whether it stands behind the seed rather than before or around it."""
        return self.text.startswith(SLOT) and self.text != SLOT

    @property
    def before(self) -> bool:
        return self.text.endswith(SLOT) and self.text != SLOT

    def holds(self, kind: Kind, asker_acts: bool) -> bool:
        """Whether it keeps the label of a seed of this kind."""
        return kind in self.takes and (asker_acts or not self.asker_acts)

    def around(self, ask: str) -> str:
        """The seed's text in this frame."""
        head, _, tail = self.text.partition(SLOT)
        if head.endswith(", "):
            ask = softened(ask)
        if tail and not ask.endswith((".", "?", "!", "…")):
            ask += "?" if OPENS_QUESTION.match(ask) else "."
        return f"{head}{ask}{tail}"


OPENS_QUESTION = re.compile(
    r"(?:how|what|whats|where|when|which|who|why|whose|can|could|would|will|is|are|do|does|did|should)\b", re.I
)


def softened(ask: str) -> str:
    """The first letter in lower case, for use after a comma; "I" and words in capitals stay."""
    first = ask.split(" ", 1)[0]
    if re.match(r"I\b", ask) or (len(first) > 1 and first.isupper()):
        return ask
    return ask[:1].lower() + ask[1:]


@cache
def all_frames() -> Mapping[str, tuple[Frame, ...]]:
    """Technique -> its frames, in the order of the file."""
    text = Path(__file__).with_name("frames.yaml").read_text(encoding="utf-8")
    return {
        technique: tuple(_frame(technique, number, entry) for number, entry in enumerate(entries))
        for technique, entries in yaml.safe_load(text).items()
    }


def techniques() -> tuple[str, ...]:
    """The ten evasion techniques."""
    return tuple(all_frames())


@cache
def usable(technique: str, kind: Kind, asker_acts: bool, held_out: bool) -> tuple[Frame, ...]:
    """Frames of a technique that a seed of this kind can take, the held-out ones or the others."""
    frames = all_frames()[technique]
    return tuple(frame for frame in frames if frame.held_out == held_out and frame.holds(kind, asker_acts))


def _frame(technique: str, number: int, entry: str | dict[str, Any]) -> Frame:
    given: dict[str, Any] = {"text": entry} if isinstance(entry, str) else entry
    return Frame(
        name=f"{technique} {number}",
        text=given["text"],
        takes=tuple(given.get("takes", KINDS)),
        asker_acts=given.get("actor") == "asker",
        held_out=bool(given.get("held_out", False)),
    )
