"""Reads what a lineage names. What cannot be read becomes a sentence, never a failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from safetensors import SafetensorError, safe_open

from analyzer.jobs.lineage import Ancestor, Lineage
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.result_index import Header, read_without_payload
from shared.checkpoint_names import step_of
from shared.errors import SchemaError
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
        return Compared(checkpoint=name, step=step, label=checkpoint_label(step, epoch, name))

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
        return self._kept("gram", self.checkpoint, self.own_comparisons(), slice(None))

    def own_weights(self) -> np.ndarray | None:
        """(places, 32) digests of this checkpoint's weights, where an older comparison kept them."""
        return self._kept("weights", self.checkpoint, self.own_comparisons(), slice(None))

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
        pair = Lineage(own=ancestor.keys, earlier=(before,)).circuits
        headers = [header for _, header in self.search.comparisons(ancestor.checkpoint) if header.circuits == pair]
        return next((header.transfer for header in headers if header.transfer is not None), None)

    def _kept_of(self, name: str, ancestor: Ancestor, rows: slice) -> np.ndarray | None:
        if not ancestor.gram or self.search is None:
            return None
        return self._kept(name, ancestor.checkpoint, self.search.comparisons(ancestor.checkpoint), rows)

    def _kept(
        self, name: str, checkpoint: str, comparisons: list[tuple[str, Header]], rows: slice
    ) -> np.ndarray | None:
        """A tensor of the newest readable comparison."""
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
            with safe_open(path, "numpy") as file:
                parts = {name: file.get_slice(name) for name in names}
                return {name: part[slice(*rows.indices(part.get_shape()[0]))] for name, part in parts.items()}
        except (OSError, SafetensorError) as error:
            self._unreadable(checkpoint, analysis, error)
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
            self._unreadable(checkpoint, analysis, error)
            return None

    def _unreadable(self, checkpoint: str, analysis: str, error: Exception) -> None:
        note = (
            f"The {analysis} result of {checkpoint} cannot be read ({type(error).__name__}), so what needs it is "
            "left out; analyse both checkpoints again with --force."
        )
        if note not in self.notes:
            self.notes.append(note)
