"""Which readers of a circuit share a residual stream, and when their streams part.

Two readers have the same stream for as long as the circuit keeps the same edges into both, from all sources that
have written so far. Nothing is assumed about the model: what is shared is shared exactly. Where one edge of a whole
graph is cut, two streams do; where a circuit is sparse, most readers share the corrupted one for most of the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.patching.graph import Graph

WORD = 48
"""Writers whose kept edges are told apart at a time, as bits of one integer."""


@dataclass(frozen=True)
class Step:
    """What one block's writing does to the streams of those who have not read yet."""

    parents: np.ndarray
    """(streams after,) which stream each one goes on from."""
    kept: np.ndarray
    """(streams after, writers) bool: whose own values each gets; of all others the corrupted ones."""


@dataclass(frozen=True)
class LayerStreamPlan:
    """One layer: who reads which stream, and what is written then."""

    heads: tuple[tuple[int, tuple[int, ...]], ...]
    """(stream, heads that read it); empty where no head reads anything."""
    attention: Step
    """Its writers are the heads that read, in order."""
    mlp: int | None
    """The stream that the MLP reads, beside the heads one of those that they read; None: it reads none."""
    mlp_writes: Step

    @property
    def active_heads(self) -> list[int]:
        """In order."""
        return sorted(head for _, group in self.heads for head in group)


@dataclass(frozen=True)
class StreamPlan:
    """A circuit as streams; the verdict reads the last one that is left."""

    entry: np.ndarray
    """(streams,) bool: whether each begins at the prompt's own input, or at the corrupted one."""
    layers: tuple[LayerStreamPlan, ...]
    mask: np.ndarray
    """(sources, targets) bool: the circuit."""

    def writers(self, graph: Graph) -> list[int]:
        """The sources that read something, in the order in which they write."""
        found = []
        for number, layer in enumerate(self.layers):
            found += [graph.head_sources(number).start + head for head in layer.active_heads]
            found += [] if layer.mlp is None else [graph.mlp_source(number)]
        return found

    @property
    def most(self) -> int:
        """Streams that there are at any one time."""
        parted = [len(step.parents) for layer in self.layers for step in (layer.attention, layer.mlp_writes)]
        return max([len(self.entry), *parted])

    @property
    def copies(self) -> int:
        """Streams that are written to, over all blocks."""
        return sum(len(step.parents) for layer in self.layers for step in (layer.attention, layer.mlp_writes))

    @property
    def sums(self) -> int:
        """Sources that are summed over where every block's readers go through all that is written before."""
        written = np.cumsum([1, *(len(layer.active_heads) + (layer.mlp is not None) for layer in self.layers)])
        return int(2 * written[:-1].sum())


def stream_plan(mask: np.ndarray, graph: Graph) -> StreamPlan:
    """The streams of a circuit: `mask` (sources, targets) bool."""
    active = np.asarray(mask.any(0))
    active[graph.verdict] = True
    readers = _Readers(mask, np.flatnonzero(active))
    entry = readers.split([0]).kept[:, 0]
    layers = []
    for number in range(graph.layers):
        targets, sources = graph.head_targets(number), graph.head_sources(number)
        place = graph.mlp_target(number)
        reading = readers.leave(targets.start, targets.stop)
        mlp = readers.leave(place, place + 1) if graph.parallel else {}
        attention = readers.split([sources.start + target - targets.start for target in reading])
        heads = {
            stream: tuple(target - targets.start for target, own in reading.items() if own == stream)
            for stream in sorted(set(reading.values()))
        }
        mlp = mlp if graph.parallel else readers.leave(place, place + 1)
        written = readers.split([graph.mlp_source(number)] if mlp else [])
        layers.append(LayerStreamPlan(tuple(heads.items()), attention, next(iter(mlp.values()), None), written))
    return StreamPlan(entry, tuple(layers), mask)


class _Readers:
    """The targets that have not read yet, and the stream that each of them would read now."""

    def __init__(self, mask: np.ndarray, targets: np.ndarray) -> None:
        self.mask, self.targets = mask, targets
        self.streams = np.zeros(len(targets), dtype=np.int64)

    def leave(self, start: int, stop: int) -> dict[int, int]:
        """Target -> stream of the readers `start` to `stop` - 1, which come next; they need no stream after."""
        count = int(np.searchsorted(self.targets, stop))
        found = dict(zip(self.targets[:count].tolist(), self.streams[:count].tolist(), strict=True))
        self.targets, self.streams = self.targets[count:], self.streams[count:]
        return {target: stream for target, stream in found.items() if target >= start}

    def split(self, sources: list[int]) -> Step:
        """Part the streams by who keeps the edges from these sources, and forget those that nobody will read."""
        kept = self.mask[np.array(sources, dtype=int)][:, self.targets]  # (writers, readers)
        before = self.streams
        numbers = np.unique(before, return_inverse=True)[1]
        for part in (kept[start : start + WORD] for start in range(0, len(kept), WORD)):
            code = np.unique((1 << np.arange(len(part))) @ part, return_inverse=True)[1]
            numbers = np.unique(numbers * (int(code.max()) + 1) + code, return_inverse=True)[1]
        last = len(numbers) - 1 - np.unique(numbers[::-1], return_index=True)[1]  # reader of each stream
        order = np.argsort(last)
        self.streams = np.argsort(order)[numbers]
        return Step(before[last[order]], kept[:, last[order]].T)
