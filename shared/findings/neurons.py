"""Which MLP neurons carry the verdict: the typed result of `neurons`."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part, require_length
from shared.findings.removal_curve import RemovalCurve
from shared.findings.units import Agreement, Reference, UnitAblation
from shared.records import Label

Reading = Literal["max", "mean"]


class TokenInContext(Part):
    """A token on which a neuron is strongly active, with the text around it (real characters, not pieces)."""

    probe_id: str
    label: Label
    before: str
    token: str
    after: str
    activation: float


class NeuronRow(Part):
    """One neuron that is shown."""

    layer: int
    neuron: int
    frozen: bool
    """Whether its layer is frozen."""
    auroc: float
    """Of its per-prompt reading, unsafe above safe; 0.5 when constant."""
    q_value: float
    """Two-sided Mann-Whitney p (tie-corrected), Benjamini-Hochberg over all neurons of the model."""
    mean_safe: float
    mean_unsafe: float
    effect: Interval
    """Class-signed attribution patching: nats of separation that its departure from the reference carries."""
    effect_integrated: float
    """The same from the mean gradient along the way from the reference to the prompt."""
    disputed: bool
    """Plain and integrated gradient disagree in sign, or by more than a factor of 2."""
    ablation: UnitAblation
    tokens: list[TokenInContext]
    """Strongest first; at most 5, from different prompts."""

    @property
    def name(self) -> str:
        return f"L{self.layer}.N{self.neuron}"


class LayerNeurons(Part):
    """One layer in the map. Neuron indices have no order, so that a layer is shown by rank."""

    layer: int
    frozen: bool
    significant: int
    effect_by_rank: list[float]
    """|effect| from the strongest neuron to the weakest, means of equal bins (at most 256), nats."""
    auroc_by_rank: list[float]
    """|AUROC - 0.5| likewise, ranked by itself."""


class NeuronsResult(Part):
    """Result of the analysis `neurons`."""

    layers: int
    frozen_boundary: int
    neurons_per_layer: int
    n_safe: int
    n_unsafe: int
    n_effect: int
    """Prompts whose effect was measured."""
    n_pairs: int
    """Contrast pairs among them; 0 where the reference is the mean."""
    reference: Reference
    reading: Reading
    """How a neuron's activations over a prompt's real tokens become one number."""
    steps: int
    """Steps of the integrated gradient."""
    explained: ToExplain
    """The separation on the prompts of the curve. Where it is not claimable, no neuron is removed."""
    fdr: float
    tested: int
    """Neurons that are not constant."""
    constant: int
    significant: int
    shuffled_significant: list[int]
    """Control: how many are significant after each shuffle of the labels."""
    by_layer: list[LayerNeurons]
    top: list[NeuronRow]
    """Chosen on four fifths of the prompts and measured on the fifth; by what is lost, most first."""
    decoys: list[NeuronRow]
    """The most selective significant neurons without which less than a hundredth of the separation is lost."""
    curve: RemovalCurve | None
    random_drops: list[float]
    """What random single units of the same layers lose, nats."""
    agreement: Agreement | None
    share_of_strongest: float | None
    """|effect| of the strongest neuron / sum of |effect| over all."""
    notes: list[str]

    @model_validator(mode="after")
    def _one_entry_a_layer(self) -> NeuronsResult:
        require_length("layers", self.by_layer, self.layers)
        return self
