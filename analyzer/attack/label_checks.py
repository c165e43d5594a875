"""Who says that what a language model wrote has its seed's label: never the judge under attack, nor the writer.

- **rules**: it is the seed's own words but for openings, synonyms, articles and politeness (`same_ask.py`).
- **second judge**: another judge, of other weights, that the user gives. It confirms a text where it gives it the
  seed's label by `margin` nats at least, and gives the seed the same. It is trusted with a label only
  if, by that margin, it gives it to the seeds of that label at least `TIMES` as often as to the others: else it
  would nod at anything, or by chance.
- **person**: a CSV in which somebody wrote what each prompt is, without being told the label.

A person who says otherwise is believed before rules and second judge.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from analyzer.attack.same_ask import same_ask
from analyzer.attack.seeds import Seed
from shared.csv_text import plain
from shared.errors import UsageError

if TYPE_CHECKING:
    from analyzer.attack.search import Scorer
    from analyzer.model.judge import Judge

TIMES = 10
"""How much more often a trusted judge gives a label, by the margin, to seeds that have it than to the others."""
PERSON = "a person"
VERDICTS = ("safe", "unsafe", "unclear")
"""What a person may write."""


class Child(NamedTuple):
    """A rewording that waits for its label to be confirmed."""

    seed: Seed
    ask: str
    """The seed's prompt in the model's words."""
    text: str
    """The same in its frames: what the judge reads."""

    @property
    def id(self) -> str:
        """By which a person's verdict finds it again."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True)
class SecondOpinion:
    """A judge that did not write and is not attacked."""

    name: str
    score: Scorer
    margin: float
    """Nats for a label from which on its verdict counts."""
    trusted: frozenset[str]
    """Labels that it gives to the seeds that have them, and hardly to others."""

    def confirms(self, children: Sequence[Child]) -> np.ndarray:
        """(children,) whether it gives the seed's label to text and seed."""
        if not children:
            return np.zeros(0, dtype=bool)
        sign = np.array([1 if child.seed.label == "unsafe" else -1 for child in children])
        texts, seeds = (
            self.score([getattr(child, what) if what == "text" else child.seed.text for child in children])
            for what in ("text", "seed")
        )
        trusted = np.array([child.seed.label in self.trusted for child in children])
        return trusted & (texts * sign >= self.margin) & (seeds * sign >= self.margin)


def trusted_labels(scores: np.ndarray, labels: Sequence[str], margin: float) -> frozenset[str]:
    """Labels that a second judge gives, by the margin, `TIMES` as often to seeds that have them as to the others.

    `scores` (seeds,) in nats. Without seeds of both labels none is trusted.
    """
    own = {label: np.array([each == label for each in labels]) for label in ("unsafe", "safe")}
    if not all(which.any() for which in own.values()):
        return frozenset()
    given = {"unsafe": scores >= margin, "safe": -scores >= margin}
    return frozenset(
        label
        for label, which in own.items()
        if given[label][which].any() and given[label][which].mean() >= TIMES * given[label][~which].mean()
    )


def same_weights(one: Judge, other: Judge) -> bool:
    """Whether two judges are one and the same: every tensor that one of them holds, the other holds, too."""
    first, second = one.model.state_dict(), other.model.state_dict()
    return first.keys() == second.keys() and all(
        value.shape == second[name].shape and torch.equal(value.cpu(), second[name].to(value.dtype).cpu())
        for name, value in first.items()
    )


def confirmed_by(children: Sequence[Child], second: SecondOpinion | None, told: Mapping[str, str]) -> list[str]:
    """(children,) who confirms the label of each: "a person", "rules", "NAME"; empty where nobody does.

    `told` is a person's verdict by child's id.
    """
    agrees = np.zeros(len(children), dtype=bool) if second is None else second.confirms(children)
    return [
        _by(child, second.name if second is not None and yes else "", told.get(child.id, ""))
        for child, yes in zip(children, agrees, strict=True)
    ]


def _by(child: Child, judge: str, told: str) -> str:
    if told:
        return PERSON if told == child.seed.label else ""
    return "rules" if same_ask(child.seed.text, child.ask) else judge


def read_verdicts(path: Path) -> dict[str, str]:
    """Child's id -> what a person wrote of it; rows without a verdict are left out.

    Raises UsageError where the file is not one that `midwatch attack` wrote, or a verdict is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV ({error}).") from error
    if not {"id", "verdict"} <= {*columns}:
        raise UsageError(f"{path} lacks the columns id and verdict; fill in the to_confirm.csv of an attack.")
    found = {}
    for line, row in enumerate(rows, start=2):
        told = plain(row["verdict"] or "").strip().lower()
        if told and told not in VERDICTS:
            raise UsageError(f"{path}, line {line}: {told!r} is no verdict; write {', '.join(VERDICTS)}.")
        if told:
            found[row["id"]] = told
    return found
