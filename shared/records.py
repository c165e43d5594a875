"""The records that cross a process boundary, each one JSON file or JSONL line."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

Label = Literal["safe", "unsafe"]
MISSED_HEARTBEATS = 3
"""A heartbeat older than this many promised intervals means that the analyzer is gone."""


class Frozen(BaseModel):
    """A record: immutable; unknown fields are ignored so that an older reader survives a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


NoticeLevel = Literal["error", "warning"]


class Notice(Frozen):
    """What a reader must know before any number of a result: above every figure, in the status, at the end of
    `analyze`."""

    kind: str
    """"inverted" (labels the wrong way round), "answers" (the judge's answers hold little probability),
    "whole_answers" (answers read whole give other verdicts), "assumed" (nobody said it). Others may come."""
    level: NoticeLevel = "warning"
    sentence: str
    """What is the matter and what to do, for people."""

    @field_validator("level", mode="before")
    @classmethod
    def _known_level(cls, value: object) -> object:
        """A level of a newer Midwatch counts as a warning."""
        return value if value in get_args(NoticeLevel) else "warning"


KEYED = frozenset({"kind", "safe_id", "unsafe_id", "template", "max_length"})
"""Fields of a judge's record that every key holds."""


class JudgeRecord(Frozen):
    """How a verdict is read from the model.

    score = logsumexp(logits of the unsafe side) - logsumexp(those of the safe side) - threshold, in nats. A side
    is one class or token, or several (classes that are all unsafe; spellings of one answer). A side without any
    counts as 0: of a multi-label judge the unsafe labels' own log-odds are read, of a scalar head its one logit.
    """

    kind: Literal["classifier", "prompted"] = "classifier"
    safe_id: int = 0
    """Index of the safe logit (prompted: token id of the safe answer); the first one where there are several."""
    unsafe_id: int = 1
    safe_ids: tuple[int, ...] | None = None
    """All logits of the safe side; None means `safe_id` alone, empty means that 0 stands in their place."""
    unsafe_ids: tuple[int, ...] | None = None
    """The same of the unsafe side."""
    threshold: float = 0.0
    """Nats taken off the score: where a verdict turns, of a judge that does not turn at 0 (reward heads)."""
    classes: int = 2
    """Classes of a classifier's head."""
    template: str | None = None
    """Prompted judges only: the text around `{prompt}`, and `{response}` where a conversation is judged. It ends
    where the verdict's first token that differs comes."""
    opening_ids: tuple[int, ...] = ()
    """Prompted judges: tokens behind the template that every answer begins with, where no text would be split into
    them ("\\n\\nsafe" may be other tokens than "\\n\\n" and "safe"). Answers begin with them."""
    special_tokens: bool = True
    """Prompted judges: whether the tokenizer puts its own special tokens around the template; a chat template holds
    them already."""
    answers: dict[str, Label] = Field(default_factory=dict)
    """Prompted judges: what they answer, in words -> the side it counts for."""
    categories: dict[str, str] = Field(default_factory=dict)
    """Prompted judges with a taxonomy: code as answered ("S1") -> name ("Violent Crimes")."""
    category_prefix: str = ""
    """What the judge writes between the template and a category's code, e.g. "unsafe\\n"."""
    max_length: int = 128
    """Tokens a prompt is truncated to."""
    base: str = ""
    """Directory of the base model of a run's adapters; empty where they say it rightly themselves."""
    assumed: tuple[str, ...] = ()
    """Sentences: what nobody said, and was only assumed. Every result repeats them."""

    @property
    def safe(self) -> tuple[int, ...]:
        """Logits (or tokens) of the safe side; empty where 0 stands in their place."""
        return (self.safe_id,) if self.safe_ids is None else self.safe_ids

    @property
    def unsafe(self) -> tuple[int, ...]:
        """The same of the unsafe side."""
        return (self.unsafe_id,) if self.unsafe_ids is None else self.unsafe_ids

    def for_key(self) -> dict[str, Any]:
        """What of this a result depends on, as JSON: without what is only said, and without what came later and is
        at its default, so that keys made before stay what they are."""
        told = self.model_dump(mode="json", exclude={"assumed", "answers", "base"})
        default = type(self)().model_dump(mode="json")
        return {name: value for name, value in told.items() if name in KEYED or value != default[name]}


class RunRecord(Frozen):
    """run.json: what the run is."""

    schema_version: int = 1
    judge: JudgeRecord = JudgeRecord()
    model: str = ""
    """Model the training started from: a hub name or a path as the user gave it."""
    frozen_layers: int | None = None
    """Declared number of frozen leading layers; what is shown is detected from tensor bytes."""
    epochs: float | None = None
    """Planned epochs."""
    steps: int | None = None
    """Planned optimizer steps."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Fingerprints, sizes and sources of the splits."""
    baselines: dict[str, dict[str, float]] = Field(default_factory=dict)
    """What needs no transformer: "length" and "tfidf" -> metric -> value, on the validation split."""
    settings: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    created_at: float = 0.0
    """Unix time, seconds."""
    writer: Literal["trainer", "init"] = "trainer"


class FileRecord(Frozen):
    """One file of a checkpoint as the trainer saw it after the save."""

    name: str
    size: int
    """Bytes."""
    mtime_ns: int
    sha256: str = ""
    """Of its bytes, 64 hex digits, where the training was asked to note it; empty otherwise."""


class CommitRecord(Frozen):
    """commits/checkpoint-<step>.json: the trainer's word that a checkpoint is complete."""

    schema_version: int = 1
    checkpoint: str
    step: int
    epoch: float | None = None
    files: list[FileRecord] = Field(default_factory=list)
    metrics: dict[str, float] = Field(default_factory=dict)
    """The newest evaluation's values, e.g. {"val_f1": 0.93}."""
    written_at: float = 0.0
    """Unix time, seconds."""


class MetricsLine(Frozen):
    """One line of metrics.jsonl: one logging event."""

    step: int
    epoch: float | None = None
    split: Literal["train", "val", "test", "contrast"]
    values: dict[str, float]
    """Names without the split: loss, accuracy, precision, recall, f1, auc, fnr, fpr, learning_rate, ..."""
    time: float = 0.0
    """Unix time, seconds."""


class Prompt(Frozen):
    """One labelled prompt."""

    text: str
    label: Label
    response: str = ""
    """What was answered to it, for judges of a conversation; empty where only the prompt is judged."""
    category: str = ""
    language: str = ""
    """ISO 639 code; empty where unknown."""
    style: str = ""
    """How it is put, e.g. "direct" or "evasive"; empty where unknown."""
    source: str = ""
    group: str = ""
    """Prompts of one group (template, contrast pair) never end up in different splits."""
    pair: str | None = None
    """Contrast-pair id shared by the two twins."""
    origin: str = ""
    """Which rule made it of another prompt, such as "augment: lower case"; empty where none did."""
    edition: int = 1
    """Of the shipped prompts: those of a later edition are split by themselves, so that earlier splits stay."""


class Probe(Prompt):
    """One line of probes.jsonl: a prompt of the probe set."""

    id: str
    """`shared.prompts.digest.prompt_digest(text)`: stable, and comparable with training prompts by hash."""
    display: bool = False
    """One of the four display samples."""
    further: bool = False
    """Half of a contrast pair beside the probe set, which only circuits are chosen and run on."""


class CheckpointState(StrEnum):
    """What the analyzer makes of one checkpoint."""

    INCOMPLETE = "incomplete"
    """Still being written, or its quiet time is not over."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """Every wanted analysis is committed."""
    RETRYING = "retrying"
    """An attempt failed; the next one waits for its backoff."""
    QUARANTINED = "quarantined"
    """All attempts failed; `midwatch retry` tries again."""
    REJECTED = "rejected"
    """Refused, as unsound or as no judge: truncated, pickle, needs_base, ambiguous, ..."""
    SKIPPED = "skipped"
    """Complete, but the policy or interval leaves it out."""
    GONE = "gone"
    """Deleted by its training before it was analysed: nothing can be learnt of it any more."""


class CheckpointStatus(Frozen):
    """One row of the analyzer's queue."""

    checkpoint: str
    step: int
    epoch: float | None = None
    state: CheckpointState
    done: list[str] = Field(default_factory=list)
    """Names of committed analyses."""
    missing: list[str] = Field(default_factory=list)
    """Names of wanted analyses without a result yet, in the order they will run."""
    cause: str | None = None
    """Why it failed, waits or was refused, as one sentence."""
    attempts: int = 0
    retry_at: float | None = None
    """Unix time of the next attempt."""


KEEPS_THE_NEXT = (
    "Trainer(..., callbacks=[AnnounceCheckpoint()]) from trainer/announce.py, or a larger save_total_limit, keeps "
    "the next ones."
)
"""What to do where a training deletes checkpoints before they are analysed."""


class GoneCheckpoint(Frozen):
    """A checkpoint that was deleted before it was analysed."""

    checkpoint: str
    step: int
    epoch: float | None = None
    cause: str
    """Why nothing of it was kept, and what keeps the next ones: one or two sentences."""
    noticed_at: float
    """Unix time, seconds."""


class GoneRecord(Frozen):
    """gone.json: what was lost of this run, so that a restart still knows."""

    schema_version: int = 1
    checkpoints: list[GoneCheckpoint] = Field(default_factory=list)
    """By step."""
    let_go: list[str] = Field(default_factory=list)
    """Names of checkpoints that were refused or given up before they were deleted: not lost."""


class RequestStatus(Frozen):
    """One request that is not answered yet; `shared.requests` has the rest."""

    id: str
    kind: str
    """ask or analyze."""
    state: Literal["waiting", "running"]
    place: int
    """In the queue of requests: 0 for the one that runs, 1 for the next one."""
    cause: str = ""
    """What it waits for, beside its turn."""
    checkpoint: str = ""
    """The one that it runs on, or that comes next."""
    done: int = 0
    """Checkpoints that are done, or failed."""
    total: int = 0


class RunningStatus(Frozen):
    """What the worker is doing now."""

    checkpoint: str
    analysis: str
    """Name of the analysis, or "load"."""
    done: int = 0
    total: int = 0
    """Progress inside the analysis, in units of its own; 0 of 0 when unknown."""
    started_at: float
    """Unix time, seconds."""
    request: str = ""
    """Id of the request that asked for it; empty where nobody had to."""


class Status(Frozen):
    """status.json: the analyzer's heartbeat, queue, lag and failures. Replaced every few seconds.

    Read by `shared.status_file.read_status`, which adds the rows that lie beside it.
    """

    schema_version: int = 2
    """1 for what is written without `rows`: whoever knows no `rows` reads that, and refuses the other."""
    state: Literal["starting", "idle", "running", "waiting", "paused", "stopped"]
    """waiting: for its slot, a busy worker or what is missing (see `message`); paused: cannot write (disk full)."""
    message: str = ""
    """Why it is in this state, in one or two sentences, the true cause first; empty where nothing is to be said."""
    remedy: str = ""
    """The one command that solves what `message` says; empty where it solves itself, or no command does."""
    assumed: list[str] = Field(default_factory=list)
    """Sentences: what nobody said of this run, and was only assumed. Its results repeat them."""
    heartbeat_at: float
    """Unix time, seconds."""
    interval_s: float = 5.0
    """Promised time between heartbeats."""
    pid: int
    host: str
    started_at: float
    version: str
    device: str = "cpu"
    suite: str = "basic"
    slot: str = "always"
    policy: str = "newest"
    analyses: list[str] = Field(default_factory=list)
    running: RunningStatus | None = None
    """The first of `jobs`; what wrote no list of them had one worker."""
    jobs: list[RunningStatus] = Field(default_factory=list)
    """What the workers do now, in the order in which they began; `in_work` reads older files, too."""
    requests: list[RequestStatus] = Field(default_factory=list)
    """Those that run and wait, in the order of their turns."""
    checkpoints: list[CheckpointStatus] = Field(default_factory=list)
    """By step; on disk, where `rows` names a file, those that differ from what stands there."""
    rows: str = ""
    """Name of the file beside it with the rows of a long run; empty where `checkpoints` holds all."""
    lag_checkpoints: int = 0
    """Complete, wanted checkpoints without all their results."""
    lag_s: float = 0.0
    """Age of the oldest of them, seconds."""

    @property
    def in_work(self) -> list[RunningStatus]:
        """What the workers do now; of a file that lists no jobs, the one that it names."""
        return self.jobs or ([] if self.running is None else [self.running])

    def is_gone(self, now: float) -> bool:
        """Whether the analyzer stopped writing its heartbeat without saying so. `now` is Unix time, seconds."""
        return self.state != "stopped" and now - self.heartbeat_at > MISSED_HEARTBEATS * self.interval_s
