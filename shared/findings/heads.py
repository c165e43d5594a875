"""Which attention heads carry the verdict: the typed result of `heads`."""

from __future__ import annotations

from pydantic import model_validator

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part, require_length
from shared.findings.units import Agreement, JointAblation, Reference, UnitAblation


class AttendedToken(Part):
    """A token that a head attends to, over all probe prompts."""

    token: str
    """As text, lower case; special tokens by their name, e.g. "[CLS]"."""
    share: float
    """Share of the head's attention that this token gets in the prompts that hold it (mean over real queries)."""
    lift: float
    """That share / the share under even attention: above 1 the head looks for it."""
    prompts: int
    sink: bool
    """A special or first token: attention rests there when a head has nothing to do."""


class HeadRow(Part):
    """One head that is shown."""

    layer: int
    head: int
    frozen: bool
    effect: Interval
    """Class-signed attribution patching, nats (as for neurons)."""
    effect_integrated: float
    disputed: bool
    ablation: UnitAblation
    attends: list[AttendedToken]
    """By lift, strongest first; at most 8."""
    sink_share: float | None
    """Share of attention on special tokens and the first token; None, as the next two, where not known."""
    self_share: float | None
    previous_share: float | None
    """On the token before."""
    read_attends: list[AttendedToken]
    """The same from the position that the verdict is read at only; empty with mean pooling."""

    @property
    def name(self) -> str:
        return f"L{self.layer}.H{self.head}"


class HeadsResult(Part):
    """Result of the analysis `heads`."""

    layers: int
    heads: int
    kv_heads: int
    frozen_boundary: int
    n_safe: int
    n_unsafe: int
    n_effect: int
    n_pairs: int
    reference: Reference
    steps: int
    explained: ToExplain
    """The separation on the prompts that heads are removed on. Where it is not claimable, none is removed."""
    effect: list[list[float]]
    """layers x heads, class-signed effect by attribution, nats."""
    measured: int
    """Heads that were measured one by one to choose from, because those that gradients name lose too little; 0
    where the gradients were enough."""
    top: list[HeadRow]
    """Chosen on one half of the prompts and measured on the other; by what is lost, most first."""
    joint: JointAblation | None
    random_drops: list[float]
    """What random single units of the same layers lose, nats."""
    agreement: Agreement | None
    notes: list[str]

    @model_validator(mode="after")
    def _one_entry_a_layer(self) -> HeadsResult:
        require_length("effects", self.effect, self.layers)
        return self
