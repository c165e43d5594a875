"""One checkpoint against the ones before it, from committed results and two measurements of its own; no model.

What is missing here or there (an advanced analysis in a basic run, a gone checkpoint) leaves its part out, and a
note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyzer.circuits.masks import mask_of_first, ranked
from analyzer.evolution.alerts import all_alerts, answer_alerts, step_alerts
from analyzer.evolution.drift import TENSORS, Tokens, correlations, drift_rows, mean_correlation
from analyzer.evolution.frozen_check import first_changed, frozen_check
from analyzer.evolution.series import Numbers, numbers_of
from analyzer.evolution.set_change import established, named_strongest, neuron_name, set_change, vanished
from analyzer.evolution.transfer import TENSORS as CIRCUITS
from analyzer.evolution.verdicts import TENSORS as VERDICTS
from analyzer.evolution.verdicts import Verdicts, verdicts_of
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.lineage import Ancestor
from analyzer.patching.graph import Graph
from analyzer.statistics.unusual_step import ENOUGH
from shared.findings.alerts import Alert
from shared.findings.cka import LEAST, cka_by_point, known_prompts
from shared.findings.evolution import EvolutionResult, Same, SetChange, Transfer
from shared.records import Probe

PARTS = (
    ("progress", "what became of its verdicts", True),
    ("tokens", "attribution drift", True),
    ("comparison", "the divergence layer", True),
    ("neurons", "the change of its neurons", False),
    ("circuits", "the change of its circuit", False),
)
"""Source analysis, what is made from it, and whether every suite has it."""


@dataclass(frozen=True)
class Measured:
    """What only the model can tell of one checkpoint; kept with the result, and taken over by the next one."""

    frozen_boundary: int
    gram: np.ndarray
    """(points, n, n)"""
    weights: np.ndarray
    """(places, 32) digests of the weights of embeddings, layers and head."""
    transfer: Transfer | None
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> int:
        return len(self.gram) - 1


class NeuronMap(NamedTuple):
    """(layers, neurons) each."""

    with_effect: np.ndarray
    effect: np.ndarray


@dataclass
class Changes:
    """One comparison being made."""

    earlier: EarlierResults
    measured: Measured
    probes: Sequence[Probe]
    n_edges: int
    bootstraps: int
    seed: int

    def result(self) -> EvolutionResult:
        earlier, measured = self.earlier, self.measured
        first_one, previous = earlier.lineage.first, self._compared_with
        verdicts, (checked, detail) = self._verdicts, frozen_check(earlier, measured.weights)
        to_previous, to_first = self._drift(previous), self._drift(first_one)
        neurons_before, neurons_first = self._neurons(previous), self._neurons(first_one)
        born, died = self._established()
        edges = self._edges(previous), self._edges(first_one)
        return EvolutionResult(
            previous=earlier.compared(earlier.lineage.previous),
            first=earlier.compared(first_one),
            same=self._same,
            verdicts=verdicts.flips if verdicts is not None else None,
            change=verdicts.change() if verdicts is not None else None,
            shift=verdicts.shift() if verdicts is not None else None,
            frozen_check=checked,
            frozen_check_detail=detail,
            layers=measured.layers,
            frozen_boundary=self._boundary(),
            n_cka=self._n_cka(),
            cka_to_previous=self._cka(previous),
            cka_to_first=self._cka(first_one),
            drift=drift_rows(to_previous, to_first, self.probes),
            drift_to_previous=mean_correlation(to_previous, self.probes, self.bootstraps, self.seed),
            drift_to_first=mean_correlation(to_first, self.probes, self.bootstraps, self.seed),
            divergence_layer=_layer(earlier.own_summary("comparison")),
            divergence_previous=_layer(self._summary(previous, "comparison")),
            divergence_first=_layer(self._summary(first_one, "comparison")),
            neurons_to_previous=neurons_before,
            neurons_to_first=neurons_first,
            neurons_established=born,
            neurons_vanished=died,
            edges_to_previous=edges[0],
            edges_to_first=edges[1],
            n_edges=self._counted_edges if any(edges) else 0,
            transfer=measured.transfer if previous is not None else None,
            alerts=self._alerts(),
            seen=len(earlier.lineage.earlier),
            notes=[*measured.notes, *self._left_out(), *earlier.notes],
        )

    @cached_property
    def _same(self) -> Same:
        previous = self.earlier.lineage.previous
        if previous is None:
            return "nothing"
        if self.earlier.same_content(previous):
            return "judge"
        before = self.earlier.weights(previous)
        own = self.measured.weights
        return "weights" if before is not None and len(own) > 1 and np.array_equal(before, own) else "nothing"

    @property
    def _compared_with(self) -> Ancestor | None:
        """The checkpoint before, where it is another judge: of the same one there is nothing to say."""
        return None if self._same == "judge" else self.earlier.lineage.previous

    def _boundary(self) -> int:
        """The first layer whose weights differ between this checkpoint and any earlier one."""
        own = self.measured.weights
        others = [self.earlier.weights(ancestor) for ancestor in self.earlier.lineage.earlier]
        told = [each for each in others if each is not None and each.shape == own.shape and (each != own).any()]
        if not told or len(own) < 3:
            return self.measured.frozen_boundary
        return min(first_changed(own, each) for each in told)

    @cached_property
    def _verdicts(self) -> Verdicts | None:
        previous = self._compared_with
        if previous is None:
            return None
        before, now = self.earlier.tensors(previous, "progress", VERDICTS), self.earlier.own("progress", VERDICTS)
        return verdicts_of(before, now, self.probes, self.bootstraps, self.seed)

    def _summary(self, ancestor: Ancestor | None, analysis: str) -> dict[str, float] | None:
        return self.earlier.summary(ancestor, analysis) if ancestor is not None else None

    def _n_cka(self) -> int:
        """Prompts behind CKA: those known at all the checkpoints that are compared."""
        others = [each for each in (self._compared_with, self.earlier.lineage.first) if each is not None]
        grams = [self.measured.gram, *(self.earlier.gram(each) for each in others)]
        known = [known_prompts(each) for each in grams if each is not None and each.shape == grams[0].shape]
        return int(np.logical_and.reduce(known).sum())

    def _cka(self, ancestor: Ancestor | None) -> list[float] | None:
        before = self.earlier.gram(ancestor) if ancestor is not None else None
        return cka_by_point(self.measured.gram, before) if before is not None else None

    @cached_property
    def _tokens(self) -> Tokens | None:
        return self.earlier.own("tokens", TENSORS)

    def _drift(self, ancestor: Ancestor | None) -> dict[int, float]:
        if ancestor is None or self._tokens is None:
            return {}
        before = self.earlier.tensors(ancestor, "tokens", TENSORS)
        return correlations(self._tokens, before) if before is not None else {}

    @cached_property
    def _own_map(self) -> NeuronMap | None:
        return _neuron_map(self.earlier.own("neurons", NeuronMap._fields))

    @cached_property
    def _maps(self) -> dict[str, NeuronMap]:
        """Neuron maps of earlier checkpoints, oldest first; only those of this one's shape."""
        own = self._own_map
        found = {}
        for ancestor in self.earlier.lineage.earlier if own is not None else ():
            there = _neuron_map(self.earlier.tensors(ancestor, "neurons", NeuronMap._fields))
            if own is not None and there is not None and there.with_effect.shape == own.with_effect.shape:
                found[ancestor.checkpoint] = there
        return found

    def _neurons(self, ancestor: Ancestor | None) -> SetChange | None:
        own = self._own_map
        before = self._maps.get(ancestor.checkpoint) if ancestor is not None else None
        if own is None or before is None:
            return None
        return set_change(own.with_effect, before.with_effect, own.effect, before.effect, neuron_name)

    def _established(self) -> tuple[list[str], list[str]]:
        """Neurons born for good, and gone for good."""
        previous, own = self.earlier.lineage.previous, self._own_map
        if own is None or previous is None or previous.checkpoint not in self._maps:
            return [], []
        maps = [*self._maps.values(), own]
        with_effect = [each.with_effect for each in maps]
        died = named_strongest(vanished(with_effect), maps[max(0, len(maps) - 3)].effect, neuron_name)
        return named_strongest(established(with_effect), own.effect, neuron_name), died

    @cached_property
    def _circuit(self) -> dict[str, np.ndarray] | None:
        """Edge scores of this checkpoint, NaN where there is no edge, and its smallest circuit."""
        return self.earlier.own("circuits", CIRCUITS)

    def _circuit_of(self, ancestor: Ancestor | None) -> dict[str, np.ndarray] | None:
        return self.earlier.tensors(ancestor, "circuits", CIRCUITS) if ancestor is not None else None

    @property
    def _scores(self) -> np.ndarray | None:
        return self._circuit["scores"] if self._circuit is not None else None

    @property
    def _counted_edges(self) -> int:
        """The set of strongest edges holds at most a tenth of the graph."""
        return 0 if self._scores is None else counted_edges(self._scores, self.n_edges)

    def _edges(self, ancestor: Ancestor | None) -> SetChange | None:
        """None where no circuit can be claimed here or there: then which edges are strongest is noise."""
        before = self._circuit_of(ancestor)
        if before is None or self._scores is None or self._circuit is None or not before["smallest"].any():
            return None
        now, before = self._scores, before["scores"]
        if not self._circuit["smallest"].any() or before.shape != now.shape:
            return None
        heads = (len(now) - 1) // max(1, self.measured.layers) - 1
        graph, count = Graph(self.measured.layers, heads), self._counted_edges

        def name(place: tuple[int, ...]) -> str:
            return " → ".join([graph.source_name(place[0]), *map(graph.target_name, place[1:])])

        here, there = (mask_of_first(ranked(scores, signed=False), count, scores.shape) for scores in (now, before))
        return set_change(here, there, now, before, name)

    def _numbers(self) -> Numbers:
        """The watched numbers over the window and this checkpoint."""
        transfer = self.measured.transfer
        maps = [self._maps.get(ancestor.checkpoint) for ancestor in self.earlier.lineage.window]
        counts = [None if m is None else float(m.with_effect.sum()) for m in [*maps, self._own_map]]
        kept = transfer.kept.value if transfer is not None else None
        return numbers_of(self.earlier, self.measured.gram, self._tokens, counts, kept, self.probes)

    def _alerts(self) -> list[Alert]:
        """None where this is the same judge as at the checkpoint before."""
        previous = self.earlier.compared(self._compared_with)
        if previous is None:
            return []
        names, steps = (previous.label, self.earlier.label), len(self.earlier.lineage.earlier)
        found = []
        if len(self.earlier.lineage.window) > ENOUGH:
            numbers = self._numbers()
            found = step_alerts(self.measured.layers, numbers.series, numbers.errors, *names)
        before, now = (
            (summary or {}).get("answer_mass")
            for summary in (self._summary(self._compared_with, "progress"), self.earlier.own_summary("progress"))
        )
        return [*answer_alerts(before, now, *names), *all_alerts(self._verdicts, steps, found, *names)]

    def _left_out(self) -> Iterator[str]:
        """Sentences about what could not be compared."""
        lineage = self.earlier.lineage
        others = {ancestor.checkpoint: ancestor for ancestor in (lineage.first, lineage.previous) if ancestor}
        if not others:
            return
        for analysis, what, basic in PARTS:
            if analysis in lineage.own:
                lacking = [name for name, ancestor in others.items() if analysis not in ancestor.keys]
            elif basic:
                lacking = ["this checkpoint"]
            else:
                continue
            for name in lacking:
                yield f"No {analysis} result of {name} with these settings and probes: {what} is left out."
        yield from self._without_cka(list(others.values()))

    def _without_cka(self, others: list[Ancestor]) -> Iterator[str]:
        gram = self.measured.gram
        if known_prompts(gram).sum() < LEAST:
            yield f"CKA needs at least {LEAST} probe prompts."
            return
        for ancestor in others:
            if not ancestor.gram:
                yield f"The representations of {ancestor.checkpoint} were not kept: CKA with it is left out."
        constant = [point for point in range(len(gram)) if not np.nan_to_num(gram[point]).any()]
        if constant:
            where = "the embeddings" if constant == [0] else f"{len(constant)} points"
            yield f"At {where} every prompt has the same pooled vector: CKA says nothing there and is given as 1."


def counted_edges(scores: np.ndarray, wanted: int) -> int:
    """How many strongest edges are compared: `wanted`, or a tenth of those that there are."""
    return min(wanted, max(1, int(np.isfinite(scores).sum()) // 10))


def _neuron_map(found: dict[str, np.ndarray] | None) -> NeuronMap | None:
    return NeuronMap(found["with_effect"].astype(bool), found["effect"]) if found is not None else None


def _layer(summary: dict[str, float] | None) -> int | None:
    found = (summary or {}).get("divergence_layer")
    return None if found is None else round(found)
