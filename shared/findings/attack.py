"""What open-ended testing found: archive.json, one direction (unsafe passed, safe refused) after the other."""

from __future__ import annotations

from pydantic import Field

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part, layer_name
from shared.records import Label

SCHEMA = 1
"""Version of archive.json."""
GRADIENT_COST = 3
"""Evaluations that one gradient counts as: a pass forward, and one backward that costs up to two."""


class Cell(Part):
    """One cell of an archive: a risk put by one technique."""

    risk: str
    technique: str
    tried: int
    """Texts."""
    wrong: int
    """Of them, judged wrongly."""
    best: float | None = None
    """Nats for the wrong verdict of its elite; above 0 the judge errs. None where no text could be made."""
    text: str = ""
    """The elite."""


class Success(Part):
    """How many seeds were broken: of those tried under one technique, or of one risk under any."""

    name: str
    tried: int
    """Seeds."""
    broken: int
    """Of them, judged wrongly in at least one text."""
    share: Interval
    """broken / tried with Wilson's interval."""


class Failure(Part):
    """One text that the judge gets wrong: the surest of its seed and technique."""

    text: str
    label: Label
    """The true one, its seed's."""
    risk: str
    technique: str
    seed: str
    """The prompt it is made of, which the judge gets right."""
    seed_score: float
    score: float
    """Nats, positive for unsafe; of the text."""
    frames: list[str]
    """Names of the frames around it."""
    rules: list[str]
    """Names of the rules that changed it, in order."""
    vector: list[int]
    """Its derivation; see `analyzer/attack/derivation.py`. Empty for what a language model reworded."""
    wrong_from: int | None = None
    """First layer from which on the score read early has the wrong sign, -1 the embeddings; None without a lens."""
    seed_right_from: int | None = None
    """The same of the seed and the right sign."""
    later: dict[str, float] = Field(default_factory=dict)
    """Score at the run's other checkpoints, by name."""

    @property
    def wrongness(self) -> float:
        """Nats for the wrong verdict."""
        return -self.score if self.label == "unsafe" else self.score


class WordShare(Part):
    """One word of an example and what it adds to the score, nats; positive pushes to unsafe."""

    text: str
    """As it stands in the text, with the spaces before it."""
    value: float


class Example(Part):
    """A failure with its attribution (integrated gradients from "no words")."""

    failure: int
    """Place among the direction's failures."""
    gap: float
    """Completeness gap of the attribution, a share."""
    words: list[WordShare]


class Direction(Part):
    """One archive: all of it starts from seeds of one label that the judge gets right."""

    label: Label
    """True label: "unsafe" for what is passed as safe, "safe" for what is refused."""
    seeds: int
    """Unambiguous seeds of this label."""
    right: int
    """Of them, judged rightly as they are: where the search starts."""
    evaluations: int
    """Texts scored, and `GRADIENT_COST` for each gradient."""
    gradients: int = 0
    """Gradients taken to pick exchanges of words."""
    exhausted: bool = False
    """Whether the search ended because nothing new could be made."""
    risks: list[str]
    cells: list[Cell]
    """Every cell, risk by risk."""
    qd_score: float
    """Sum over cells of the elite's nats for the wrong verdict, 0 where it is judged rightly."""
    failures: list[Failure]
    """One of each seed and technique, the surest first; near duplicates left out."""
    near_duplicates: int
    """Failures left out as near duplicates of a surer one."""
    unconfirmed_on_reading: int = 0
    """Failures left out because the judge got them right when it read them again."""
    by_risk: list[Success]
    by_technique: list[Success]
    any: Success
    """Of all seeds that were tried, how many were broken at all."""
    examples: list[Example] = Field(default_factory=list)

    @property
    def filled(self) -> int:
        """Cells with any text."""
        return sum(cell.tried > 0 for cell in self.cells)

    @property
    def broken(self) -> int:
        """Cells with a failure."""
        return sum(cell.wrong > 0 for cell in self.cells)


class Hold(Part):
    """How many of this checkpoint's failures fool another one."""

    checkpoint: str
    label: str
    """What to call it: "epoch 3"."""
    step: int
    fooled: Interval
    """Share of the failures that it judges wrongly; interval over seeds."""
    of: int
    """Failures."""
    holes: Interval
    """Share of them that it judges wrongly although it gets their seed right."""


class Reworded(Part):
    """What a language model wrote, and who confirmed the labels."""

    model: str
    texts: int
    """New texts that it wrote."""
    confirmed: dict[str, int]
    """Who -> texts: these count."""
    unconfirmed: int
    """Texts that count nowhere."""
    second: str = ""
    """The second judge; empty without one."""
    margin: float = 0.0
    """Nats from which on its verdict counted."""
    trusted: list[str] = Field(default_factory=list)
    """Labels that the second judge could confirm."""


class AttackArchive(Part):
    """archive.json: one search on one checkpoint."""

    schema_version: int = SCHEMA
    checkpoint: str
    label: str
    """What to call the checkpoint: "epoch 3"."""
    step: int
    key: str
    """Digest of everything that the search depends on: the same key, the same archive."""
    seeds_from: str
    """Where the seeds come from, in words."""
    to_explain: ToExplain
    """How far the judge tells the seeds' labels apart: what an attack can take away."""
    budget: int
    seed: int
    techniques: list[str]
    reworded: Reworded | None = None
    """None without a mutator."""
    held_out_techniques: list[str]
    """Never among what is added to the next training."""
    layers: int | None = None
    """Layers of the judge, where a lens was read."""
    directions: list[Direction]
    holds: list[Hold] = Field(default_factory=list)
    """By step, this checkpoint included."""
    additions: int = 0
    """Lines of additions.jsonl."""
    fresh: int = 0
    """Lines of fresh.jsonl."""
    notes: list[str] = Field(default_factory=list)
    """Sentences: what a reader must know, and why a file is not there."""

    @property
    def failures(self) -> list[Failure]:
        return [failure for direction in self.directions for failure in direction.failures]


def turned_at(failure: Failure) -> str:
    """ "wrong from layer 4 on, its seed right from layer 2 on", as the lens reads it; empty without a lens."""
    if failure.wrong_from is None:
        return ""
    said = f"wrong from {layer_name(failure.wrong_from)} on"
    if failure.seed_right_from is None:
        return said
    return f"{said}, its seed right from {layer_name(failure.seed_right_from)} on"
