"""What a comparison reads: both sides, cached by the stamps of the files that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from dashboard.reading import cached
from dashboard.reading.overview import probes_of
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared import views
from shared.errors import SchemaError
from shared.findings.circuits import CircuitsResult
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import typed_result
from shared.results import ResultRecord
from shared.results_index import ResultFile
from shared.views import Panel
from shared.views.compare.circuits import overlap, overlap_sentence, transfer_sentence
from shared.views.compare.compared import Compared, compare
from shared.views.compare.layers import ByLayer, Readouts, by_layer, layers_panel
from shared.views.compare.side import Side, assembled
from shared.views.compare.tokens import Attributed, attributed, token_panels
from shared.views.compare.units import heads_panel, neurons_panel

Found = TypeVar("Found")


@dataclass(frozen=True)
class End:
    """One end of a comparison as the page knows it."""

    snapshot: Snapshot
    view: CheckpointView
    name: str
    """ "epoch 7", or with its run; may hold data."""

    @property
    def stamp(self) -> str:
        """Changes with everything that a comparison reads of this end."""
        run = self.snapshot.run
        files = [f"{file.path}:{file.mtime_ns}" for _, file in sorted(self.view.results.items())]
        return "|".join(
            [self.name, *files, *(str(cached.stamp(path)) for path in (run.record, run.probes, run.assumed_probes))]
        )

    def file(self, analysis: str) -> ResultFile:
        return self.view.results[analysis]

    def record(self, analysis: str) -> ResultRecord:
        """Raises SchemaError or OSError."""
        return cached.load(self.file(analysis))


def compared_of(there: End, here: End) -> Compared:
    """Both paired and tested; nothing here raises for a damaged result."""
    return _kept(f"{there.stamp}\n{here.stamp}", "compared", lambda: compare(_side(there), _side(here)))


@st.cache_resource(show_spinner=False, max_entries=24)
def _kept(key: str, what: str, _make: Callable[[], Found]) -> Found:
    return _make()


def _side(end: End) -> Side:
    results: dict[str, ResultRecord] = {}
    problem: Exception | None = None
    for view in views.all_views():
        file = end.view.results.get(view.name)
        if file is None:
            continue
        try:
            results[view.name] = cached.load(file)
        except (SchemaError, OSError) as error:
            problem = error if view.name == "progress" else problem
    file, progress = end.view.results.get("progress"), results.get("progress")
    read = {name: cached.whole_tensor(file, name) for name in ("scores", "labels")}
    tensors = {name: found for name, found in read.items() if found is not None}
    probes = probes_of(end.snapshot.run, progress.probe_digest) if progress is not None else []
    return assembled(end.name, cached.run_record(end.snapshot.run), results, tensors, probes, problem)


def layers(found: Compared, there: End, here: End) -> list[Panel] | str:
    """The figure of layers, or why there is none, as one sentence. Raises SchemaError or OSError."""

    def make() -> list[Panel] | str:
        if found.paired is None:
            return "Layers are compared on the prompts of both, and these cannot be matched."
        ends = (_readouts(there, found.there), _readouts(here, found.here))
        layered = by_layer(found.paired, *ends)
        return [layers_panel(layered, found.paired, *ends)] if isinstance(layered, ByLayer) else layered

    return _kept(f"{there.stamp}\n{here.stamp}", "layers", make)


def _readouts(end: End, side: Side) -> Readouts:
    record, verdicts, changed = end.record("layers"), side.results.get("progress"), side.results.get("evolution")
    gram = None
    if verdicts is not None and changed is not None and changed.fits(verdicts):
        gram = cached.whole_tensor(end.file("evolution"), "gram")
    prompts = len(side.judged.probes) if side.judged is not None else 0
    if gram is not None and (gram.ndim != 3 or gram.shape[1] != prompts):
        gram = None  # of a part of the probe set: which prompts is not kept
    fits = verdicts is not None and record.fits(verdicts)
    return Readouts(record, cached.whole_tensor(end.file("layers"), "lens"), gram, fits)


def prompts_of_both(there: End, here: End) -> Sequence[Attributed]:
    """The prompts whose words both have attributed. Raises SchemaError or OSError."""
    results = [cached.typed(end.file("tokens"), "tokens") for end in (there, here)]
    return attributed(*results) if all(each is not None for each in results) else []


def tokens(there: End, here: End, prompt: str) -> list[Panel]:
    """The figures of one prompt's words. Raises SchemaError or OSError."""
    names = (there.name, here.name)
    return _kept(
        f"{there.stamp}\n{here.stamp}",
        f"tokens {prompt}",
        lambda: token_panels(there.record("tokens"), here.record("tokens"), prompt, names),
    )


def heads(there: End, here: End) -> list[Panel] | str:
    """The maps of heads, or why there are none. Raises SchemaError or OSError."""

    def make() -> list[Panel] | str:
        before, now = (cached.whole_tensor(end.file("heads"), "effect_error") for end in (there, here))
        names = there.name, here.name
        return _listed(heads_panel(there.record("heads"), here.record("heads"), names, (before, now)))

    return _kept(f"{there.stamp}\n{here.stamp}", "heads", make)


def neurons(there: End, here: End) -> list[Panel] | str:
    """The maps of neurons, or why there are none. Raises SchemaError or OSError."""

    def make() -> list[Panel] | str:
        return _listed(neurons_panel(there.record("neurons"), here.record("neurons"), (there.name, here.name)))

    return _kept(f"{there.stamp}\n{here.stamp}", "neurons", make)


def _listed(found: Panel | str) -> list[Panel] | str:
    return found if isinstance(found, str) else [found]


def circuits(there: End, here: End, edges: int) -> tuple[list[Panel], list[str]]:
    """The figure of edges kept, new and lost, and what is said of the circuits. Raises SchemaError or OSError."""
    names, same_run = (there.name, here.name), there.snapshot.run.out == here.snapshot.run.out
    before, now = (typed_result(end.record("circuits"), CircuitsResult) for end in (there, here))
    found = overlap(before, now, names)
    said = [found.rstrip(".") if isinstance(found, str) else overlap_sentence(found, names, now)]
    if not isinstance(found, str):
        changed = _evolution_of(here) if same_run else None
        digest = there.record("circuits").checkpoint_digest
        said.append(transfer_sentence(changed, there.view.name, digest, names).rstrip("."))
    panels = cached.panels(here.file("circuits"), "circuits", there.file("circuits"), edges)
    return panels, said


def _evolution_of(end: End) -> EvolutionResult | None:
    """The checkpoint's own comparison with the one before it; None without, or where it cannot be read."""
    try:
        return typed_result(end.record("evolution"), EvolutionResult) if "evolution" in end.view.results else None
    except (SchemaError, OSError):
        return None
