"""What changed since earlier checkpoints: the typed result of `evolution`."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from shared.findings.alerts import Alert, Flips
from shared.findings.claims import CHANCE, FEWEST_GROUPS, ToExplain
from shared.findings.parts import Interval, Part, require_length
from shared.records import Label

Same = Literal["judge", "weights", "nothing"]


class Compared(Part):
    """Another checkpoint of the run that this one is compared with."""

    checkpoint: str
    step: int
    label: str
    """ "epoch 2" """
    digest: str = ""
    """Of its weights, config and tokenizer; empty in results of before this was kept."""


class AttributionDrift(Part):
    """One attributed prompt, then and now."""

    probe_id: str
    label: Label
    to_previous: float | None
    """Spearman correlation of its token attributions; None without enough different tokens."""
    to_first: float | None


class SetChange(Part):
    """A set of named units or edges, then and now."""

    before: int
    now: int
    kept: int
    born: list[str]
    """Names, strongest first; at most 20."""
    lost: list[str]
    jaccard: float | None
    """kept / (before + now - kept); None when both are empty."""


class Transfer(Part):
    """The previous checkpoint's smallest circuit, run in this judge."""

    edges: int
    kept: Interval
    """m(C) / m(full): share of this judge's separation that it keeps; 0 is none, below 0 reversed."""
    own: float
    """What this judge's own circuit with as many edges keeps, in-sample."""
    random: list[float]
    """What random circuits with as many edges keep."""
    above_random: Interval
    """How much more of the separation than these, on the mean, is kept."""
    above_left: Interval | None = None
    """Of an encoder-decoder how much more is kept than with every edge of the encoder cut; None of other judges."""

    @property
    def works(self) -> bool:
        """Whether what is kept is clear of 0, of random circuits, and of what is left without the encoder."""
        beats_none = self.above_left is None or self.above_left.low > 0
        return self.kept.low > 0 and self.above_random.low > 0 and beats_none


class EvolutionResult(Part):
    """Result of the analysis `evolution`."""

    previous: Compared | None
    """None for the first analysed checkpoint."""
    first: Compared | None
    same: Same
    """What is the same bytes as at the previous checkpoint: weights, config and tokenizer; the weights alone; or
    neither. With the same judge nothing else is compared with it."""
    verdicts: Flips | None
    """Since the previous checkpoint; None without progress results of both."""
    change: ToExplain | None
    """How far unsafe and safe prompts moved apart since then: mean change of the class-signed score."""
    shift: Interval | None
    """Mean change of all prompts' score since then, nats; positive is towards unsafe."""
    frozen_check: Literal["pass", "fail", "not_possible"]
    """Whether layers with the same bytes as at the first checkpoint give the same activations as there."""
    frozen_check_detail: str
    layers: int
    frozen_boundary: int
    n_cka: int
    """Probe prompts behind CKA."""
    cka_to_previous: list[float] | None
    """layers + 1 entries, embeddings first: unbiased linear CKA of the pooled residual stream."""
    cka_to_first: list[float] | None
    drift: list[AttributionDrift]
    drift_to_previous: Interval | None
    """Mean Spearman correlation over prompts."""
    drift_to_first: Interval | None
    divergence_layer: int | None
    divergence_previous: int | None
    divergence_first: int | None
    neurons_to_previous: SetChange | None
    """Significant neurons with effect; None without neuron maps of both."""
    neurons_to_first: SetChange | None
    neurons_established: list[str]
    """Born: significant with effect here and at the checkpoint before, and at none before those two."""
    neurons_vanished: list[str]
    """Died: neither here nor at the checkpoint before, but at both checkpoints before those."""
    edges_to_previous: SetChange | None
    """Of the strongest `n_edges` edges; None where no circuit can be claimed at one of the two checkpoints."""
    edges_to_first: SetChange | None
    n_edges: int
    """0 where none are compared."""
    transfer: Transfer | None
    """None without circuits of both checkpoints."""
    alerts: list[Alert]
    seen: int
    """Earlier checkpoints known when this was computed."""
    notes: list[str]

    @property
    def claimable(self) -> bool:
        """Whether something changed since the previous checkpoint that is not chance: only then is it said what
        changed most."""
        flips = self.verdicts
        counted = flips is not None and flips.worse + flips.better >= FEWEST_GROUPS and flips.p_value < CHANCE
        return self.same != "judge" and (counted or (self.change is not None and self.change.claimable))

    @model_validator(mode="after")
    def _one_entry_a_layer(self) -> EvolutionResult:
        for values in (self.cka_to_previous, self.cka_to_first):
            require_length("CKA values", values, self.layers + 1)
        return self
