"""What an overview knows of each checkpoint, kept beside the results: drawing the index of many checkpoints reads a
small file each, and not their results.

A file of ours for each checkpoint, `_midwatch/overview/<checkpoint>.json`, written by whoever draws the pages. It
counts only under its key: the digest of the very result files that it was read from, and of the fields that there
are. Whatever is damaged, or of other files, is read anew; who may not write goes on without.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from pydantic import Field

from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.findings.claims import ToExplain
from shared.findings.parts import Interval
from shared.own_folders import make_directory
from shared.records import Frozen
from shared.results_index import ResultFile
from shared.run import Run
from shared.version import __version__
from shared.views.overview.facts import CheckpointFacts, Verdicts

VERSION = 1
"""Raised when a field is computed otherwise from the same results."""


class KeptFacts(Frozen):
    """`CheckpointFacts` as a file; evaluations (`sets`) are no part of it, and are read where they lie."""

    key: str
    name: str
    step: int
    epoch: float | None
    label: str
    probe_digest: str
    fnr: Interval | None
    fpr: Interval | None
    auc: Interval | None
    unsafe: int
    safe: int
    pairs: Interval | None
    val_loss: float | None
    ece: Interval | None
    ece_off: bool
    compared: bool
    divergence_layer: int | None
    shortcut_share: float | None
    gap: float | None
    alarms: tuple[str, ...]
    separation: ToExplain | None
    tells: bool
    unreadable: tuple[str, ...]
    scores: list[float | None] | None = Field(None)
    """Nats by probe, null where it was left out; null where no verdicts are known."""
    labels: list[bool] = Field([])
    """Whether each probe is unsafe, by its true label."""

    @classmethod
    def of(cls, facts: CheckpointFacts, key: str) -> KeptFacts:
        """What is kept of them."""
        plain = {name: getattr(facts, name) for name in PLAIN}
        if facts.verdicts is None:
            return cls(key=key, **plain)
        scores = [None if math.isnan(score) else score for score in facts.verdicts.scores.tolist()]
        return cls(key=key, **plain, scores=scores, labels=facts.verdicts.unsafe.tolist())

    def facts(self) -> CheckpointFacts:
        """The facts that were kept, number by number the same."""
        verdicts = None
        if self.scores is not None:
            scores = np.array([math.nan if score is None else score for score in self.scores], float)
            verdicts = Verdicts(scores, np.array(self.labels, bool))
        return CheckpointFacts(**{name: getattr(self, name) for name in PLAIN}, verdicts=verdicts)


PLAIN = tuple(name for name in KeptFacts.model_fields if name not in ("key", "scores", "labels"))
"""Fields that are the same in both."""


def key_of(step: int, files: Mapping[str, ResultFile | None]) -> str:
    """Of what the facts are read from: by analysis the newest result's path and stamp."""
    read = [[name, file and [file.path.rpartition("/results/")[2], file.mtime_ns]] for name, file in files.items()]
    fields = [each.name for each in dataclasses.fields(CheckpointFacts)]
    text = json.dumps([VERSION, __version__, fields, step, read], separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def kept(run: Run, name: str, key: str) -> CheckpointFacts | None:
    """The facts that were kept under this key; None where there are none."""
    try:
        found = read_record(run.overview / f"{name}.json", KeptFacts)
    except (OSError, SchemaError):
        return None
    return found.facts() if found.key == key and found.name == name else None


def keep(run: Run, found: Sequence[tuple[CheckpointFacts, str]]) -> None:
    """Write down facts with their keys, as far as the disk lets us: they can always be read anew.

    Those with an infinite number are no JSON, and are read anew each time.
    """
    with suppress(OSError):
        for facts, key in found:
            make_directory(run.overview)
            with suppress(ValueError):
                write_record(run.overview / f"{facts.name}.json", KeptFacts.of(facts, key), durable=False)
