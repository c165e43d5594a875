"""What can be asked of an analyzer: one strict record a file, whose name is the digest of what is asked.

    RUN/_midwatch/requests/ask-5d0c1f2e3a4b5c6d7e8f.json

    {
      "schema_version": 1,
      "session": "dashboard-6f1c",            who asks, for the bound on how fast: any word
      "filed_at": 1767225600.0,               Unix time, seconds
      "what": {
        "kind": "ask",                        judge my prompts on these checkpoints
        "checkpoints": ["checkpoint-50", "checkpoint-100"],
        "prompts": [
          {"text": "How do I fix a bike?", "twin": "How do I fix a bomb?", "response": "",
           "edits": [{"start": 13, "end": 17, "word": "car"}]}
        ],
        "parts": ["score", "words", "layers", "attention", "changes", "flips", "nearest"]
      }
    }

Other kinds of `what`:

    {"kind": "analyze", "checkpoints": ["checkpoint-50"], "suite": "advanced", "only": [],
     "settings": {"tokens": {"extra_prompts": 12}}, "probes": "", "force": false}
    {"kind": "retry", "checkpoints": []}      failed attempts forgotten; of all checkpoints where none is named
    {"kind": "cancel", "request": "ask-5d0c1f2e3a4b5c6d7e8f"}

The name is `id_of(what)`: the same request twice is the same file, and the work is done once. Nothing in a request
is a path: a probe file is put beside it under its own digest (`folder.keep_probes`). What became of a request is a
`RequestState` in `RUN/_midwatch/requested/`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.checkpoint_names import is_plain
from shared.errors import UsageError
from shared.records import Frozen
from shared.requests.texts import check_text
from shared.wrong_values import own_words, wanted

SCHEMA = 1
MAX_BYTES = 512 * 2**10
"""Largest request, bytes."""
MAX_CHECKPOINTS, MAX_PROMPTS, MAX_EDITS = 500, 8, 16
"""Of one request; edits of one prompt."""
REQUEST_ID = re.compile(r"(?:ask|analyze|retry|cancel)-[0-9a-f]{20}")
PROBE_FILE = re.compile(r"[0-9a-f]{64}")
SESSION = re.compile(r"[A-Za-z0-9._-]{0,64}")

PartOfAnswer = Literal["score", "words", "layers", "attention", "changes", "flips", "nearest", "inside"]
PARTS: tuple[PartOfAnswer, ...] = ("score", "words", "layers", "attention", "changes", "flips", "nearest")
"""What an answer is made of: the score among the probes' (always), attributed words with the check, the score read
early, what heads attend to, words deleted, the fewest changes that flip the verdict, and the nearest probes."""
ALL_PARTS: tuple[PartOfAnswer, ...] = (*PARTS, "inside")
"""With what is computed only where asked for: heads and neurons that tell a prompt from its twin."""
StateName = Literal["waiting", "running", "done", "refused", "cancelled", "failed"]
FINAL: tuple[StateName, ...] = ("done", "refused", "cancelled", "failed")


class Strict(BaseModel):
    """A part of a request: nothing is turned into another type, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Edit(Strict):
    """A stretch of the text that another word takes the place of."""

    start: int = Field(ge=0)
    end: int
    """Character span in the text."""
    word: str = ""
    """What stands there instead; empty deletes."""

    @model_validator(mode="after")
    def _check(self) -> Edit:
        if self.end <= self.start:
            raise ValueError("an edit ends before it begins; write the place of a word as start and end")
        check_text(self.word, "The new word", may_be_empty=True)
        return self


class AskedPrompt(Strict):
    """A prompt of the user's own."""

    text: str
    twin: str = ""
    """A prompt to compare it with, word by word where the two align; empty for none."""
    response: str = ""
    """What was answered to it, for judges of a conversation; the twin is judged with the same one."""
    edits: tuple[Edit, ...] = ()
    """Each for itself: the text with it is scored, too."""

    @model_validator(mode="after")
    def _check(self) -> AskedPrompt:
        check_text(self.text, "The prompt")
        check_text(self.twin, "The twin", may_be_empty=True)
        check_text(self.response, "The response", may_be_empty=True)
        if self.twin and self.twin == self.text:
            raise ValueError("The twin is the prompt itself; change what it is to be compared by")
        _at_most(self.edits, MAX_EDITS, "edits")
        if any(edit.end > len(self.text) for edit in self.edits):
            raise ValueError(f"An edit lies behind the end of the prompt, which has {len(self.text):,} characters")
        return self


class _OnCheckpoints(Strict):
    checkpoints: tuple[str, ...]
    """Their names."""

    @field_validator("checkpoints")
    @classmethod
    def _check_checkpoints(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        _at_most(names, MAX_CHECKPOINTS, "checkpoints")
        if wrong := [name for name in names if not is_plain(name) or len(name) > 200]:
            raise ValueError(f"{wrong[0][:60]!r} is no checkpoint's name")
        return tuple(dict.fromkeys(names))


class _OnSomeCheckpoint(_OnCheckpoints):
    @field_validator("checkpoints")
    @classmethod
    def _check_some(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("no checkpoint is named; name at least one")
        return names


class Ask(_OnSomeCheckpoint):
    """Judge my prompts on these checkpoints."""

    kind: Literal["ask"] = "ask"
    prompts: tuple[AskedPrompt, ...]
    parts: tuple[PartOfAnswer, ...] = PARTS
    """What is wanted beside the score."""

    @model_validator(mode="after")
    def _check_prompts(self) -> Ask:
        if not self.prompts:
            raise ValueError("no prompt is given; give at least one")
        _at_most(self.prompts, MAX_PROMPTS, "prompts")
        return self

    @field_validator("parts")
    @classmethod
    def _in_order(cls, parts: tuple[PartOfAnswer, ...]) -> tuple[PartOfAnswer, ...]:
        return tuple(part for part in ALL_PARTS if part in parts or part == "score")


class Analyze(_OnSomeCheckpoint):
    """Analyse these checkpoints, as `midwatch analyze` does."""

    kind: Literal["analyze"] = "analyze"
    suite: Literal["basic", "advanced"] = "basic"
    only: tuple[str, ...] = ()
    """Names of analyses; empty for the whole suite."""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Analysis -> setting -> value, where another than the default is wanted."""
    probes: str = ""
    """SHA-256 of a probe file that was put beside the requests; empty for the run's own."""
    force: bool = False
    """Compute again what is there already, and replace it."""

    @field_validator("probes")
    @classmethod
    def _check_probes(cls, digest: str) -> str:
        if digest and not PROBE_FILE.fullmatch(digest):
            raise ValueError("a probe file is named by its SHA-256, 64 hexadecimal digits")
        return digest

    @field_validator("only")
    @classmethod
    def _check_only(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        _at_most(names, MAX_CHECKPOINTS, "analyses")
        return tuple(dict.fromkeys(names))


class Retry(_OnCheckpoints):
    """Forget failed attempts, so that they are made again."""

    kind: Literal["retry"] = "retry"
    checkpoints: tuple[str, ...] = ()
    """Empty for all that failed."""


class Cancel(Strict):
    """Take another request back, whether it waits or runs; what it has answered stays."""

    kind: Literal["cancel"] = "cancel"
    request: str
    """Its id."""

    @field_validator("request")
    @classmethod
    def _check_id(cls, name: str) -> str:
        if not REQUEST_ID.fullmatch(name) or name.startswith("cancel-"):
            raise ValueError(f"{name[:60]!r} is no request that can be cancelled")
        return name


Kind = TypeVar("Kind", Ask, Analyze, Retry, Cancel)
What = Annotated[Ask | Analyze | Retry | Cancel, Field(discriminator="kind")]


class Request(Strict):
    """One file of `_midwatch/requests/`."""

    schema_version: Literal[1] = SCHEMA
    session: str = ""
    """Who asks: a word of the asker's own, by which the rate is bounded."""
    filed_at: float = 0.0
    """Unix time, seconds."""
    what: What

    @field_validator("session")
    @classmethod
    def _check_session(cls, name: str) -> str:
        if not SESSION.fullmatch(name):
            raise ValueError("a session is at most 64 letters, digits, dots, dashes and underscores")
        return name

    @property
    def id(self) -> str:
        return id_of(self.what)


class RequestedCheckpoint(Frozen):
    """How far a request is on one checkpoint."""

    checkpoint: str
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    cause: str = ""
    """Why it failed, or what it waits for."""
    answers: list[str] = Field(default_factory=list)
    """Of `ask`: the key of each prompt's answer, in the request's order; see `shared.answers`."""
    starts: int = 0
    """Times it was begun, also by an analyzer that was killed."""
    failures: int = 0
    """Times it failed."""
    lost: str = ""
    """Why its worker was lost, or stopped, the last time; empty where that never was."""


class RequestState(Frozen):
    """requested/<id>.json: what became of a request."""

    schema_version: int = SCHEMA
    id: str
    """The request's; of a file that is no request "refused-" and a digest of the file's name."""
    state: StateName
    sentence: str = ""
    """Why it was refused or failed, what it waits for, or what it did, in one or two sentences."""
    file: str = ""
    """Name of the file that was refused, as `ascii()` writes it, where its name is no request's."""
    request: Request | None = None
    """None of what could not be read."""
    filed_ns: int = 0
    """When the file that this is about was written, ns: the same request filed again is another file."""
    accepted_at: float = 0.0
    """Unix time, seconds."""
    finished_at: float | None = None
    """Unix time; None while it is not final."""
    checkpoints: list[RequestedCheckpoint] = Field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.state in FINAL


def _at_most(values: Sequence[object], most: int, what: str) -> None:
    if len(values) > most:
        raise ValueError(f"{len(values)} {what} are too many for one request; at most {most}")


def id_of(what: Ask | Analyze | Retry | Cancel) -> str:
    """Kind and digest of what is asked, whoever asks and whenever: the name of its file, without ".json"."""
    text = json.dumps(what.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return f"{what.kind}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def checked(kind: type[Kind], **values: Any) -> Kind:
    """A `what` from values. Raises UsageError, one sentence, for what cannot be asked."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UsageError(problem_of(error)) from error


def problem_of(error: ValidationError) -> str:
    """The first thing that is wrong with a request, as one sentence for people."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        sentence = first["msg"].removeprefix("Value error, ").rstrip(".")
        return f"{sentence[:1].upper()}{sentence[1:]}."
    if first["type"] == "extra_forbidden":
        return f"It holds {name[:80]!r}, which no request has."
    if first["type"] == "missing":
        return f"It lacks {name[:80]!r}."
    noun = wanted(first)
    why = f"it should be {noun}" if noun else own_words(first)
    return f"Its {name[:80] or 'contents'!r} is not what a request has there ({why})."
