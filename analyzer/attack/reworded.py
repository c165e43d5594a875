"""What a language model adds to a search: seeds in other words, of which only confirmed ones are trials.

1. The elites give seeds and frames, the surest first, each seed in turn.
2. The model rewords the seeds; each rewording stands in its elite's frames. What was tried already is dropped.
3. The judge under attack scores all of them; who confirms each label is asked meanwhile (`label_checks.py`).
4. Confirmed ones join the trials, with an empty vector, as nothing derives them; the others are kept apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from analyzer.attack.derivation import Derivation
from analyzer.attack.label_checks import PERSON, Child, SecondOpinion, confirmed_by, read_verdicts
from analyzer.attack.search import Search, Trial, wrongness
from shared.attacks import AttackPlace, write_lines
from shared.csv_text import csv_bytes
from shared.errors import SchemaError
from shared.files import read_record, write_bytes_atomic, write_record
from shared.findings.attack import Reworded
from shared.records import Frozen

if TYPE_CHECKING:
    from analyzer.model.hooked_pass import Progress

Writer = Callable[[Sequence[str], int, "Progress"], list[str]]
"""(prompts, seed, progress) -> a rewording of each."""


class Unconfirmed(Frozen):
    """A text that may have its seed's label, and may not: it counts nowhere."""

    id: str
    prompt: str
    seed: str
    claimed: str
    """The seed's label."""
    risk: str
    technique: str
    frame: str
    score: float
    """Nats, positive for unsafe, of the judge under attack."""


class Written(Frozen):
    """written.json: what a model wrote for one search, so that it need not write it again."""

    key: str
    texts: dict[str, list[str]] = Field(default_factory=dict)
    """Digest of the prompts -> rewordings."""


@dataclass
class KeptWriter:
    """A writer that remembers."""

    writer: Callable[[], Writer]
    """Loads the model: only where something new is to be written."""
    path: Path
    key: str
    texts: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            found = read_record(self.path, Written)
        except (FileNotFoundError, SchemaError):
            return
        if found.key == self.key:
            self.texts = dict(found.texts)

    def __call__(self, asks: Sequence[str], seed: int, progress: Progress) -> list[str]:
        name = hashlib.sha256(json.dumps([seed, *asks]).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        if name not in self.texts:
            self.texts[name] = self.writer()(asks, seed, progress)
            write_record(self.path, Written(key=self.key, texts=self.texts), durable=False)
        return self.texts[name]


@dataclass
class Rewording:
    """One model at work on the searches of an attack."""

    name: str
    writer: Writer
    second: SecondOpinion | None
    told: Mapping[str, str]
    """A person's verdicts."""
    each: int
    """Rewordings of a direction, at most."""
    written: int = 0
    confirmed: dict[str, int] = field(default_factory=dict)
    """Who confirmed -> texts."""
    unconfirmed: list[Unconfirmed] = field(default_factory=list)
    by_person: dict[str, str] = field(default_factory=dict)
    """Id -> text of what a person confirmed."""

    def summary(self) -> Reworded:
        """What the archive says of it."""
        second = self.second
        return Reworded(
            model=self.name,
            texts=self.written,
            confirmed=self.confirmed,
            unconfirmed=len(self.unconfirmed),
            second="" if second is None else second.name,
            margin=0.0 if second is None else second.margin,
            trusted=[] if second is None else sorted(second.trusted),
        )

    def join(self, search: Search, seed: int, progress: Progress) -> None:
        """Reword elites of a search, and let the confirmed ones join its trials."""
        parents = _parents(search, self.each)
        asks = self.writer([trial.derivation.seed.text for trial in parents], seed, progress)
        children = [
            (Child(parent.derivation.seed, ask, framed(parent, ask)), parent)
            for parent, ask in zip(parents, asks, strict=True)
            if ask
        ]
        new = [pair for pair in children if search.candidates.untried(pair[0].text)]
        self.written += len(new)
        if not new:
            return
        scores = search.scorer([child.text for child, _ in new])
        fitness = wrongness(scores, search.label).astype(float)
        by = confirmed_by([child for child, _ in new], self.second, self.told)
        for (child, parent), score, value, who in zip(new, scores, fitness, by, strict=True):
            if who:
                self.confirmed[who] = self.confirmed.get(who, 0) + 1
                self.by_person |= {child.id: child.text} if who == PERSON else {}
                search.trials.append(Trial((), self._made(child, parent, who), float(value)))
            else:
                self.unconfirmed.append(_unconfirmed(child, parent, float(score)))
        search.also_scored += sum(not who for who in by)

    def _made(self, child: Child, parent: Trial, who: str) -> Derivation:
        rules = (f"reworded by {self.name}", f"label confirmed by {who}")
        return Derivation(child.seed, parent.derivation.technique, parent.derivation.frames, rules, child.text)


def framed(parent: Trial, ask: str) -> str:
    """A rewording in its elite's frames."""
    for frame in parent.derivation.frames:
        ask = frame.around(ask)
    return ask


def _parents(search: Search, count: int) -> list[Trial]:
    """Elites by turns of their seeds, the surest of each first; again from the start where there are too few."""
    waiting: dict[str, list[Trial]] = {}
    for trial in sorted(search.elites(), key=lambda trial: (-trial.fitness, trial.derivation.text)):
        waiting.setdefault(trial.derivation.seed.text, []).append(trial)
    turns = [trials[turn % len(trials)] for turn in range(count) for trials in waiting.values()]
    return turns[:count]


def _unconfirmed(child: Child, parent: Trial, score: float) -> Unconfirmed:
    return Unconfirmed(
        id=child.id,
        prompt=child.text,
        seed=child.seed.text,
        claimed=child.seed.label,
        risk=child.seed.risk,
        technique=parent.derivation.technique,
        frame=" + ".join(frame.name for frame in parent.derivation.frames),
        score=round(score, 4),
    )


def write_unconfirmed(place: AttackPlace, found: Rewording) -> None:
    """unconfirmed.jsonl, and to_confirm.csv: what rules and second judge leave to a person, without its label.

    The order tells nothing, and verdicts that somebody wrote into either CSV stay in it. Raises OSError, and
    UsageError for a to_confirm.csv that is none.
    """
    write_lines(place.unconfirmed, [each.model_dump(mode="json") for each in found.unconfirmed])
    told = (read_verdicts(place.to_confirm) if place.to_confirm.is_file() else {}) | dict(found.told)
    asked = {each.id: each.prompt for each in found.unconfirmed} | found.by_person
    rows = [{"id": name, "prompt": asked[name], "verdict": told.get(name, "")} for name in sorted(asked)]
    write_bytes_atomic(place.to_confirm, csv_bytes(("id", "prompt", "verdict"), rows))
