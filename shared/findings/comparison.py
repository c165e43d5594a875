"""How far safe and unsafe prompts part, layer by layer: the typed result of `comparison`."""

from __future__ import annotations

from pydantic import model_validator

from shared.findings.parts import Interval, Part, require_length


class PointComparison(Part):
    """Safe against unsafe at one point of the residual stream, on the pooled representation."""

    distance: Interval
    """d': distance between class means / sqrt(trace of the pooled covariance); bootstrap over groups of prompts."""
    distance_noise: float
    """95th percentile of d' under shuffled labels: the noise floor."""
    cosine: float | None
    """Cosine of the raw class means; None where a mean is zero."""
    auroc: Interval
    """Cross-validated linear-probe AUROC, folds grouped by contrast pair and template; bootstrap interval."""
    control_mean: float
    control_p95: float
    """The same probe with shuffled labels: mean and 95th percentile over the shuffles."""
    pair_cosine: float | None
    """Mean cosine of each contrast pair's difference with the mean of the others; None below two pairs."""
    pair_accuracy: Interval | None
    """Share of pairs whose unsafe twin the held-out probe ranks above its safe twin (Wilson interval)."""


class ComparisonResult(Part):
    """Result of the analysis `comparison`. `points` has layers + 1 entries: embeddings first."""

    layers: int
    frozen_boundary: int
    pooling: str
    n_safe: int
    n_unsafe: int
    n_pairs: int
    folds: int
    shuffles: int
    bootstraps: int
    points: list[PointComparison]
    divergence_layer: int | None
    """First of 2 consecutive points whose AUROC interval clears the control's 95th percentile: a layer index,
    -1 for the embeddings; None when there is none (never 0 for "none")."""
    decision_auroc: Interval
    """AUROC of the judge's own score, for comparison with the probes."""
    notes: list[str]

    @model_validator(mode="after")
    def _one_point_a_layer(self) -> ComparisonResult:
        require_length("points", self.points, self.layers + 1)
        return self
