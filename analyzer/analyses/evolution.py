"""Evolution: what changed since the checkpoint before, and since the first one of the run.

Compared are committed results, whose keys are part of this one's key (`analyzer/jobs/lineage.py`), so that it is
made anew when an earlier checkpoint is analysed later.
1. Attribution drift: Spearman correlation of token attributions, prompt by prompt (`drift`).
2. Linear CKA of the pooled residual stream at each point, unbiased, from Gram matrices (`cka`).
3. Verdicts on the same prompts: which flipped, and how far unsafe and safe prompts moved apart (`verdicts`). That
   is what there is to explain: where it may be chance, nothing is said of what changed most. Of the same weights,
   config and tokenizer nothing is compared at all.
4. Significant neurons with an effect by attribution and the strongest edges: kept, born, lost, with Jaccard index
   (`set_change`), edges only where a circuit can be claimed at both checkpoints. A neuron is established when it
   has one here and at the checkpoint before, but at none known before those; it has vanished when it has one at
   neither of the two, but did at both before them.
5. Transfer: the previous checkpoint's circuit, run in this judge (`transfer`).
6. Frozen layers: the same bytes as at the first checkpoint must give the same activations (`frozen_check`).
7. Alerts: verdicts that got worse or turned round beyond chance, and unusual newest steps of some numbers
   (`alerts`, `unusual_step`).

Only the Gram matrices, the digests of weights and the transfer need the model; they are kept and taken over by the
next comparison of the same checkpoint (`remembered`).

Summary: alerts (how many alarms), and where they are defined drift_previous, drift_first (1 - mean Spearman),
cka_previous_last, cka_first_last (last layer), neurons_jaccard, edges_jaccard (to the previous checkpoint),
transfer_kept. Tensors: "gram" (points, n, n) float32, over at most `cka_prompts` probes; "weights" (layers
+ 2, 32) uint8, SHA-256 of the weights of embeddings, each layer and head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.evolution.changes import Changes, Measured
from analyzer.evolution.transfer import TENSORS, transfer
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.session.context import Context
from analyzer.session.frozen_layers import weights_by_place
from analyzer.session.probe_choice import spread
from shared.errors import CannotCompute, SchemaError
from shared.findings.cka import gram
from shared.findings.evolution import EvolutionResult, Transfer
from shared.findings.parts import typed_result
from shared.records import Probe
from shared.results import ResultRecord
from shared.settings import Settings

NO_TRANSFER = "The previous checkpoint's circuit was not run here: "
"""How the note about a transfer that cannot be measured begins."""


class EvolutionSettings(Settings):
    """How checkpoints are compared."""

    cka_prompts: int = Field(256, ge=4, le=2048)
    """Probe prompts behind CKA, at most."""
    n_edges: int = Field(100, ge=1)
    """Strongest edges that are compared, at most; never more than a tenth of the graph."""
    transfer_prompts: int = Field(64, ge=2)
    """Prompts that the previous checkpoint's circuit is run on, at most."""
    random: int = Field(5, ge=5, le=100)
    """Random circuits beside it, the control."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of each interval."""


@computes("evolution", EvolutionSettings, version=5)
def evolution(context: Context, settings: EvolutionSettings) -> Outcome:
    """Compare this checkpoint; what only the model can tell is measured here."""
    kept = context.earlier.own_gram()
    found, notes = _transfer(context, settings)
    measured = Measured(
        frozen_boundary=context.frozen_boundary,
        gram=kept if kept is not None else _gram(context, settings.cka_prompts),
        weights=_weights(context),
        transfer=found,
        notes=notes,
    )
    return compared(context.earlier, measured, context.probe_set, settings, context.seed)


def compared(
    earlier: EarlierResults, measured: Measured, probes: Sequence[Probe], settings: EvolutionSettings, seed: int
) -> Outcome:
    """The comparison itself, which needs no model."""
    result = Changes(earlier, measured, probes, settings.n_edges, settings.bootstraps, seed).result()
    return Outcome(result, _summary(result), {"gram": measured.gram, "weights": measured.weights})


def remembered(earlier: EarlierResults) -> tuple[ResultRecord, Measured] | None:
    """An older comparison of this very content that measured all that is needed now; None without one."""
    pair, store = earlier.lineage.circuits, earlier.search.index.store if earlier.search is not None else None
    for key, header in earlier.own_comparisons():
        if store is None or (pair is not None and header.circuits != pair):
            continue
        try:
            record = store.load(earlier.checkpoint, "evolution", key)
            result = typed_result(record, EvolutionResult)
        except (OSError, SchemaError):
            continue
        kept, weights = earlier.own_gram(), earlier.own_weights()
        if kept is None or weights is None:
            return None
        notes = tuple(note for note in result.notes if note.startswith(NO_TRANSFER)) if pair is not None else ()
        found = result.transfer if pair is not None else None
        return record, Measured(result.frozen_boundary, kept, weights, found, notes)
    return None


def _weights(context: Context) -> np.ndarray:
    """Digests of this checkpoint's weights by place; one row, which says nothing, where it has no files."""
    if context.digest is None:
        return np.zeros((1, 32), dtype=np.uint8)
    return weights_by_place(context.digest, context.judge)


def _gram(context: Context, count: int) -> np.ndarray:
    """(points, n, n) of the probes that are compared, the same ones at every checkpoint; NaN of those left out."""
    everyone = context.probe_set
    compared = set(spread(everyone, count)) if len(everyone) > count else set(range(len(everyone)))
    places = context.places or list(range(len(everyone)))
    rows = [row for row, place in enumerate(places) if place in compared]
    found = gram(context.forward.pooled[:, rows])
    whole = np.full((len(found), len(compared), len(compared)), np.nan, dtype=found.dtype)
    at = np.searchsorted(sorted(compared), [places[row] for row in rows])
    whole[:, at[:, None], at] = found
    return whole


def _transfer(context: Context, settings: EvolutionSettings) -> tuple[Transfer | None, tuple[str, ...]]:
    """What the previous circuit keeps here, or why that is not known."""
    earlier = context.earlier
    previous = earlier.lineage.previous
    if previous is None or earlier.lineage.circuits is None:
        return None, ()
    before, own = earlier.tensors(previous, "circuits", TENSORS), earlier.own("circuits", TENSORS)
    if before is None or own is None:
        return None, (f"{NO_TRANSFER}a circuits result cannot be read.",)
    try:
        return transfer(context, before, own, settings.random, settings.transfer_prompts), ()
    except CannotCompute as error:
        return None, (f"{NO_TRANSFER}{error}",)


def _summary(result: EvolutionResult) -> dict[str, float]:
    """Only what is defined."""
    found = {
        "alerts": float(sum(alert.severity == "alarm" for alert in result.alerts)),
        "drift_previous": 1 - result.drift_to_previous.value if result.drift_to_previous else None,
        "drift_first": 1 - result.drift_to_first.value if result.drift_to_first else None,
        "cka_previous_last": result.cka_to_previous[-1] if result.cka_to_previous else None,
        "cka_first_last": result.cka_to_first[-1] if result.cka_to_first else None,
        "neurons_jaccard": result.neurons_to_previous.jaccard if result.neurons_to_previous else None,
        "edges_jaccard": result.edges_to_previous.jaccard if result.edges_to_previous else None,
        "transfer_kept": result.transfer.kept.value if result.transfer else None,
    }
    return {name: value for name, value in found.items() if value is not None}
