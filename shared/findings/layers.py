"""How the residual stream and the score build up: the typed result of `layers`."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part, require_length
from shared.records import Label


class SampleLayers(Part):
    """One prompt's way through the layers. "Residual" lists have layers + 1 entries: embeddings first."""

    probe_id: str
    text: str
    label: Label
    score: float
    residual_norm: list[float]
    """Mean over real tokens of the L2 norm of the residual stream."""
    attention_write: list[float] | None
    """The same of what each layer's attention adds; one entry a layer. None where the parts are unknown."""
    mlp_write: list[float] | None
    lens: list[float] | None
    """Score read early: the judge's own final norm, pooling and head on the residual stream, nats."""


class LensBand(Part):
    """The logit lens over all probe prompts of one class: mean and 95 % interval of the mean by layer."""

    label: Label
    count: int
    score: list[Interval]


class LayersResult(Part):
    """Result of the analysis `layers`."""

    to_explain: ToExplain | None
    """The judge's own separation: mean score of unsafe prompts less that of safe ones; None without both."""
    layers: int
    frozen_boundary: int
    """Index of the first layer that trains; 0 when nothing is frozen, `layers` when every layer is."""
    frozen_from: Literal["bytes", "declared", "unknown"]
    """bytes: tensors identical to another checkpoint of the run; declared: run.json; unknown: neither yet."""
    embeddings_frozen: bool | None
    pooling: str
    """What the head reads: "cls", "last_token", "mean"."""
    norm_position: Literal["pre", "post", "sandwich", "branch", "unknown"]
    samples: list[SampleLayers]
    bands: list[LensBand]
    notes: list[str]
    """What could not be computed, and why."""

    @model_validator(mode="after")
    def _one_entry_a_layer(self) -> LayersResult:
        for sample in self.samples:
            for values in (sample.attention_write, sample.mlp_write):
                require_length("writes", values, self.layers)
            for values in (sample.residual_norm, sample.lens):
                require_length("norms and lens", values, self.layers + 1)
        for band in self.bands:
            require_length("bands", band.score, self.layers + 1)
        return self
