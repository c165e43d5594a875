"""Finding the lineage of a checkpoint in the result store. The same files give the same lineage to everybody."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from analyzer.jobs.keys import key_settings
from analyzer.jobs.lineage import SOURCES, WINDOW, Ancestor, Lineage, circuit_pair
from analyzer.jobs.messages import Computation
from analyzer.jobs.result_index import Header, StoreIndex
from shared.checkpoint_places import step_at
from shared.records import JudgeRecord
from shared.results import result_key
from shared.turns import COMPARING

TELLING = ("tokens", "comparison")
"""A checkpoint counts as analysed once it has one of these."""


class Found(NamedTuple):
    """What one checkpoint has: results on this probe set, computed with the settings of today."""

    digest: str
    """Of the content that was analysed."""
    epoch: float | None
    keys: dict[str, str]


@dataclass
class LineageSearch:
    """One look at a store, on behalf of one probe set and one choice of settings."""

    index: StoreIndex
    computations: Mapping[str, Computation]
    """All there are, wanted or not."""
    judge: JudgeRecord
    probe_digest: str
    _found: dict[str, Found | None] = field(default_factory=dict)
    _ancestors: dict[str, Ancestor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names, self._steps = self.index.checkpoints()
        self._places = self.index.store.places()
        settings = {name: key_settings(each, self.judge) for name, each in self.computations.items()}
        self._settings = {name: json.dumps(values, sort_keys=True) for name, values in settings.items()}

    def traced(self, wanted: Mapping[str, Computation], checkpoint: str, digest: str) -> dict[str, Computation]:
        """`wanted` for one checkpoint, whose content has `digest`: the one that compares gets its lineage."""
        traced = dict(wanted)
        if COMPARING in wanted:
            lineage = self.lineage(checkpoint, digest)
            traced[COMPARING] = wanted[COMPARING].model_copy(update={"lineage": lineage})
        return traced

    def keys(self, traced: Mapping[str, Computation], digest: str) -> dict[str, str]:
        """Analysis -> key of its result, for content with `digest`."""
        return {
            name: self._key(name, digest)
            if each.lineage is None
            else result_key(digest, self.probe_digest, key_settings(each, self.judge), each.version)
            for name, each in traced.items()
        }

    def lineage(self, checkpoint: str, digest: str) -> Lineage:
        """What there is to compare a checkpoint with."""
        place = bisect_left(self._steps, self.step(checkpoint))
        window: list[int] = []
        for index in self._analysed(range(place - 1, -1, -1)):
            window.append(index)
            if len(window) == WINDOW + 1:  # one more, only to tell whether the window holds all there are
                break
        if len(window) > WINDOW:
            window[WINDOW] = next(self._analysed(range(place)))
        earlier = tuple(self._ancestor(index) for index in reversed(window))
        found = self._look(checkpoint)
        own = found.keys if found is not None and found.digest == digest else self._committed(checkpoint, digest)
        return Lineage(own=own, earlier=earlier)

    def step(self, checkpoint: str) -> int:
        """The step at which a checkpoint lies, by its name or as it was noted."""
        return step_at(checkpoint, self._places)

    def epoch(self, checkpoint: str) -> float | None:
        """The epoch of an analysed checkpoint."""
        found = self._look(checkpoint)
        return found.epoch if found is not None else None

    def content(self, checkpoint: str) -> str | None:
        """The digest of an analysed checkpoint's content: weights, config and tokenizer."""
        found = self._look(checkpoint)
        return found.digest if found is not None else None

    def comparisons(self, checkpoint: str, digest: str | None = None) -> list[tuple[str, Header]]:
        """Comparisons of a checkpoint, whatever they looked at: keys and headers, newest first.

        Without a digest, of the content that counts.
        """
        if digest is None:
            found = self._look(checkpoint)
            digest = found.digest if found is not None else ""
        alike = (digest, self.probe_digest, self.computations[COMPARING].version, self._settings[COMPARING])
        headers = [
            (key, self.index.header(checkpoint, COMPARING, key)) for key in self.index.keys(checkpoint, COMPARING)
        ]
        return [(key, header) for key, header in headers if header is not None and header[:4] == alike]

    def _analysed(self, places: range) -> Iterator[int]:
        return (place for place in places if self._look(self._names[place]) is not None)

    def _ancestor(self, place: int) -> Ancestor:
        name = self._names[place]
        if name not in self._ancestors:
            found = self._look(name)
            assert found is not None  # noqa: S101 (only analysed ones are asked for)
            comparisons = [header for _, header in self.comparisons(name, found.digest)]
            before = next(self._analysed(range(bisect_left(self._steps, self._steps[place]) - 1, -1, -1)), None)
            pair = None
            if before is not None:
                earlier = self._look(self._names[before])
                pair = circuit_pair(earlier.keys if earlier is not None else {}, found.keys)
            transfer = pair is not None and any(
                header.circuits == pair and header.transfer is not None for header in comparisons
            )
            self._ancestors[name] = Ancestor(
                checkpoint=name, keys=found.keys, gram=bool(comparisons), transfer=transfer
            )
        return self._ancestors[name]

    def _look(self, name: str) -> Found | None:
        """What one checkpoint has; None when it does not count as analysed."""
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> Found | None:
        for analysis in TELLING:
            if analysis not in self.computations:
                continue
            for key in self.index.keys(name, analysis):
                header = self.index.header(name, analysis, key)
                if header is not None and self._key(analysis, header.digest) == key:
                    return Found(header.digest, header.epoch, self._committed(name, header.digest))
        return None

    def _committed(self, checkpoint: str, digest: str) -> dict[str, str]:
        """Source analysis -> key, where its result is committed."""
        keys = {name: self._key(name, digest) for name in SOURCES if name in self.computations}
        return {name: key for name, key in keys.items() if key in self.index.keys(checkpoint, name)}

    def _key(self, analysis: str, digest: str) -> str:
        return _key(digest, self.probe_digest, self._settings[analysis], self.computations[analysis].version)


@lru_cache(maxsize=2**14)
def _key(digest: str, probe_digest: str, settings: str, version: int) -> str:
    """`result_key`, which every look at a long run needs thousands of times."""
    return result_key(digest, probe_digest, json.loads(settings), version)
