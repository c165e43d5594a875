"""How far safe and unsafe prompts part, layer by layer: the typed result of `comparison`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import model_validator

from shared.findings.claims import ToExplain
from shared.findings.parts import Interval, Part, layer_name, require_length


class PointComparison(Part):
    """Safe against unsafe at one point of the residual stream, on the pooled representation."""

    distance: Interval
    """d', less its bias: distance between class means / sqrt(trace of the pooled covariance); 0 where they do not
    differ by more than their own variance. Student's t over groups of prompts, jackknife."""
    distance_noise: float
    """95th percentile of d' under shuffled labels: the noise floor."""
    cosine: float | None
    """Cosine of the raw class means; None where a mean is zero."""
    auroc: Interval
    """Cross-validated linear-probe AUROC, folds grouped by contrast pair and template, mean over the splits; the
    interval is over groups of prompts and splits."""
    auroc_of_splits: list[float]
    """The same in each split alone."""
    control_mean: float
    control_p95: float
    """The same probe with shuffled labels, each in one split: mean and 95th percentile over the shuffles."""
    pair_cosine: float | None
    """Mean cosine of each contrast pair's difference with the mean of the others; None below two pairs."""
    pair_accuracy: Interval | None
    """Share of pairs whose unsafe twin the held-out probe ranks above its safe twin (Wilson interval)."""


class ComparisonResult(Part):
    """Result of the analysis `comparison`. `points` has layers + 1 entries: embeddings first."""

    to_explain: ToExplain
    """The judge's own separation: mean score of unsafe prompts less that of safe ones."""
    layers: int
    frozen_boundary: int
    pooling: str
    n_safe: int
    n_unsafe: int
    n_pairs: int
    folds: int
    splits: int
    """Times that the folds were drawn."""
    shuffles: int
    points: list[PointComparison]
    divergence_by_split: list[int | None]
    """Of each split of the folds that has probes: the first of 2 consecutive points whose AUROC interval there
    clears the control's 95th percentile, as a layer index, -1 for the embeddings, None for none."""
    divergence_layer: int | None
    """The layer that more than half of the splits name; None where they do not agree on one, or where the judge
    itself has nothing to tell apart (never 0 for "none")."""
    decision_auroc: Interval
    """AUROC of the judge's own score, for comparison with the probes."""
    notes: list[str]

    @model_validator(mode="after")
    def _one_point_a_layer(self) -> ComparisonResult:
        require_length("points", self.points, self.layers + 1)
        return self

    @property
    def naming(self) -> list[tuple[int | None, int]]:
        """What the splits name, and how many of them, the most first."""
        return Counter(self.divergence_by_split).most_common()


def agreed(by_split: Sequence[int | None]) -> int | None:
    """The layer that more than half of the splits name; None where that is none of them."""
    if not by_split:
        return None
    layer, count = Counter(by_split).most_common(1)[0]
    return layer if 2 * count > len(by_split) else None


def no_divergence(result: ComparisonResult) -> str:
    """Why no divergence layer is named, of a judge that has something to tell apart; what the splits name."""
    layer, count = result.naming[0] if result.naming else (None, 0)
    splits = len(result.divergence_by_split)
    if layer is None and 2 * count > splits:
        return f"no probe clears its control in two layers in a row, in {count} of {splits} splits"
    named = ", ".join(f"{layer_name(one)} in {times}" for one, times in result.naming)
    return f"the splits do not agree on a layer: {named} of {splits}"


def agreement(result: ComparisonResult) -> str:
    """In how many splits the divergence layer is the one: "in 8 of 10 splits"."""
    count = dict(result.naming).get(result.divergence_layer, 0)
    return f"in {count} of {len(result.divergence_by_split)} splits"
