"""Reads what a lineage names. What cannot be read becomes a sentence, never a failure.

What is gone is no such thing: another worker has replaced it since the lineage was found. A comparison is looked
for once more, under the key that it has now; else EarlierChanged ends the job, and the next one finds its lineage
anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from safetensors import SafetensorError, safe_open

from analyzer.jobs.lineage import Ancestor, Lineage
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.result_index import Header, read_without_payload
from shared.checkpoint_names import step_of
from shared.errors import EarlierChanged, SchemaError
from shared.files import require_regular
from shared.findings.evolution import Compared
from shared.results import RESULT_FILE, TENSORS_FILE, ResultRecord, checkpoint_label
from shared.turns import COMPARING


@dataclass
class EarlierResults:
    """What one checkpoint is compared with; by default nothing."""

    checkpoint: str = ""
    epoch: float | None = None
    digest: str = ""
    """Of this checkpoint's content."""
    lineage: Lineage = field(default_factory=Lineage)
    search: LineageSearch | None = None
    """None only where the lineage is empty."""
    reuse: bool = True
    """Whether what an older comparison of this checkpoint measured may be taken from there."""
    notes: list[str] = field(default_factory=list)
    """What could not be read."""

    @property
    def label(self) -> str:
        return checkpoint_label(step_of(self.checkpoint) or 0, self.epoch, self.checkpoint)

    def compared(self, ancestor: Ancestor | None) -> Compared | None:
        """How a result names another checkpoint."""
        if ancestor is None or self.search is None:
            return None
        name = ancestor.checkpoint
        step, epoch = self.search.step(name), self.search.epoch(name)
        digest = self.search.content(name) or ""
        return Compared(checkpoint=name, step=step, label=checkpoint_label(step, epoch, name), digest=digest)

    def own(self, analysis: str, names: Sequence[str]) -> dict[str, np.ndarray] | None:
        """Tensors of this checkpoint's own result; None where there is none to read."""
        return self._tensors(self.checkpoint, analysis, self.lineage.own.get(analysis), names)

    def tensors(self, ancestor: Ancestor, analysis: str, names: Sequence[str]) -> dict[str, np.ndarray] | None:
        """Tensors of an earlier checkpoint's result; None where there is none to read."""
        return self._tensors(ancestor.checkpoint, analysis, ancestor.keys.get(analysis), names)

    def own_summary(self, analysis: str) -> dict[str, float] | None:
        """Summary of this checkpoint's own result; None where there is none to read."""
        return self._summary(self.checkpoint, analysis, self.lineage.own.get(analysis))

    def summary(self, ancestor: Ancestor, analysis: str) -> dict[str, float] | None:
        """Summary of an earlier checkpoint's result; None where there is none to read."""
        return self._summary(ancestor.checkpoint, analysis, ancestor.keys.get(analysis))

    def own_comparisons(self) -> list[tuple[str, Header]]:
        """Older comparisons of this very content whose measurements may be taken over, newest first."""
        if self.search is None or not self.reuse:
            return []
        return self.search.comparisons(self.checkpoint, self.digest)

    def same_content(self, ancestor: Ancestor) -> bool:
        """Whether an earlier checkpoint has the same weights, config and tokenizer."""
        return self.search is not None and self.search.content(ancestor.checkpoint) == self.digest

    def dtype(self, ancestor: Ancestor | None, analysis: str) -> str | None:
        """What a result was computed in, of an earlier checkpoint or (None) of this one."""
        checkpoint, keys = (
            (self.checkpoint, self.lineage.own) if ancestor is None else (ancestor.checkpoint, ancestor.keys)
        )
        found = self._record(checkpoint, analysis, keys.get(analysis))
        return found.dtype if found is not None else None

    def own_gram(self) -> np.ndarray | None:
        """(points, n, n) Gram matrices of this checkpoint, where an older comparison kept them."""
        return self._kept("gram", self.checkpoint, self.own_comparisons, slice(None))

    def own_weights(self) -> np.ndarray | None:
        """(places, 32) digests of this checkpoint's weights, where an older comparison kept them."""
        return self._kept("weights", self.checkpoint, self.own_comparisons, slice(None))

    def weights(self, ancestor: Ancestor) -> np.ndarray | None:
        """(places, 32) digests of an earlier checkpoint's weights; None where it has none."""
        return self._kept_of("weights", ancestor, slice(None))

    def gram(self, ancestor: Ancestor) -> np.ndarray | None:
        """(points, n, n) Gram matrices of an earlier checkpoint; None where it has none."""
        return self._kept_of("gram", ancestor, slice(None))

    def last_gram(self, ancestor: Ancestor) -> np.ndarray | None:
        """(1, n, n): the same of the last layer alone."""
        return self._kept_of("gram", ancestor, slice(-1, None))

    def transfer(self, before: Ancestor, ancestor: Ancestor) -> float | None:
        """Faithfulness of one earlier checkpoint's circuit in the next one, where it was measured."""
        if not ancestor.transfer or self.search is None:
            return None
        pair, name = Lineage(own=ancestor.keys, earlier=(before,)).circuits, ancestor.checkpoint
        for _ in range(2):
            headers = [header for _, header in self.search.comparisons(name) if header.circuits == pair]
            found = next((header.transfer for header in headers if header.transfer is not None), None)
            if found is not None:
                return found
            self.search.index.forget(name, COMPARING)
        return None

    def _kept_of(self, name: str, ancestor: Ancestor, rows: slice) -> np.ndarray | None:
        search, checkpoint = self.search, ancestor.checkpoint
        if not ancestor.gram or search is None:
            return None
        return self._kept(name, checkpoint, lambda: search.comparisons(checkpoint), rows)

    def _kept(
        self, name: str, checkpoint: str, comparisons: Callable[[], list[tuple[str, Header]]], rows: slice
    ) -> np.ndarray | None:
        """A tensor of the newest readable comparison, listed once more where those that were listed are gone."""
        try:
            return self._newest(name, checkpoint, comparisons(), rows)
        except EarlierChanged:
            assert self.search is not None  # noqa: S101 (without it nothing is listed)
            self.search.index.forget(checkpoint, COMPARING)
            return self._newest(name, checkpoint, comparisons(), rows)

    def _newest(
        self, name: str, checkpoint: str, comparisons: list[tuple[str, Header]], rows: slice
    ) -> np.ndarray | None:
        for key, _ in comparisons:
            found = self._tensors(checkpoint, COMPARING, key, [name], rows)
            if found is not None:
                return found[name]
        return None

    def _tensors(
        self, checkpoint: str, analysis: str, key: str | None, names: Sequence[str], rows: slice = slice(None)
    ) -> dict[str, np.ndarray] | None:
        if key is None or self.search is None:
            return None
        path = self.search.index.store.directory(checkpoint, analysis, key) / TENSORS_FILE
        try:
            require_regular(path)
            with safe_open(path, "numpy") as file:
                parts = {name: file.get_slice(name) for name in names}
                return {name: part[slice(*rows.indices(part.get_shape()[0]))] for name, part in parts.items()}
        except (OSError, SchemaError, SafetensorError) as error:
            self._unreadable(checkpoint, analysis, key, error)
            return None

    def _summary(self, checkpoint: str, analysis: str, key: str | None) -> dict[str, float] | None:
        found = self._record(checkpoint, analysis, key)
        return found.summary if found is not None else None

    def _record(self, checkpoint: str, analysis: str, key: str | None) -> ResultRecord | None:
        """A result without its payload."""
        if key is None or self.search is None:
            return None
        try:
            return read_without_payload(self.search.index.store.directory(checkpoint, analysis, key) / RESULT_FILE)
        except (OSError, SchemaError) as error:
            self._unreadable(checkpoint, analysis, key, error)
            return None

    def _unreadable(self, checkpoint: str, analysis: str, key: str, error: Exception) -> None:
        """Note what cannot be read. Raises EarlierChanged for what is there no more."""
        if self.search is not None and not self.search.index.has(checkpoint, analysis, key):
            told = f"The {analysis} result of {checkpoint} was replaced meanwhile; what needs it is made again."
            raise EarlierChanged(told) from error
        note = (
            f"The {analysis} result of {checkpoint} cannot be read ({type(error).__name__}), so what needs it is "
            "left out; analyse both checkpoints again with --force."
        )
        if note not in self.notes:
            self.notes.append(note)
