"""What every computation gets: the judge, the probe set, and passes over it that the analyses share."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.messages import BATCH_TOKENS
from analyzer.model.batches import Encoded
from analyzer.model.hooked_pass import ForwardPass, Progress, record, unwatched
from analyzer.model.judge import known_neurons, known_wiring
from analyzer.model.neuron_readings import Readings, neuron_readings
from analyzer.session.content_cache import ContentCache
from shared.errors import CannotCompute
from shared.prompts.conversation import as_judged

if TYPE_CHECKING:
    from analyzer.checkpoints.digest import ContentDigest
    from analyzer.model.judge import Judge
    from analyzer.session.frozen_prefix import FrozenPrefix
    from shared.records import MetricsLine, Probe, RunRecord


OF_UNITS = frozenset({"neurons", "heads", "circuits"})
"""Analyses that ablate units or patch them, and so need their means."""


@dataclass
class Context:
    """One checkpoint's analysis. The analyses of a suite share one Context, and so its cached passes."""

    judge: Judge
    probes: list[Probe]
    """Those of the probe set for which the judge gives a number (`session/left_out.py`)."""
    step: int
    run: RunRecord
    metrics: list[MetricsLine] = field(default_factory=list)
    """metrics.jsonl, or for a foreign run what trainer_state.json logged; up to this step."""
    frozen_boundary: int = 0
    frozen_from: str = "unknown"
    embeddings_frozen: bool | None = None
    digest: ContentDigest | None = None
    """Of the checkpoint's files; None where there are none."""
    leak_count: int | None = None
    pairs: list[Probe] = field(default_factory=list)
    """Further contrast pairs beside the probes, twins next to each other: only circuits are scored and run on
    them."""
    seed: int = 0
    batch_tokens: int = BATCH_TOKENS
    """Token budget of one batch (prompts x padded length); halved by the worker when memory runs out."""
    progress: Progress = unwatched
    """Called with (done, total) inside a long analysis."""
    suite: frozenset[str] = frozenset()
    """Names of the analyses of this job: the shared passes record what these need, and nothing else."""
    prefix: FrozenPrefix | None = None
    """What is known already of the layers below the frozen boundary; None computes every layer."""
    earlier: EarlierResults = field(default_factory=EarlierResults)
    """What earlier checkpoints of the run have to be compared with; by default nothing."""
    cache: ContentCache = field(default_factory=ContentCache)
    """Statistics of exactly these numbers that were computed before, at another checkpoint maybe."""
    whole: list[Probe] = field(default_factory=list)
    """The probe set, where some of it is left out."""
    places: list[int] = field(default_factory=list)
    """Of each of `probes`, its place in `whole`."""
    left_out: list[str] = field(default_factory=list)
    """A sentence, for every result, on what is left out."""
    pair_scores: np.ndarray | None = None
    """(pairs,) scores of the further contrast pairs that align, NaN of others; None until they are asked for."""
    kept: dict[Hashable, Any] = field(default_factory=dict)
    """What one analysis computed and others of the job use too, under a key of its maker's."""
    _forward: ForwardPass | None = None

    def __post_init__(self) -> None:
        """From here on the text of a probe is all that the judge reads of it, a response included."""
        self.probes = as_judged(self.probes, self.judge.template)
        self.pairs = as_judged(self.pairs, self.judge.template)

    @property
    def probe_set(self) -> list[Probe]:
        """All prompts, also those that are left out: what checkpoints are compared on, in the same order at all."""
        return self.whole or self.probes

    def in_probe_set(self, values: np.ndarray, *axes: int) -> np.ndarray:
        """Values of `probes` (the first axis, or `axes`) as values of the whole probe set; NaN of what is left
        out."""
        if not self.whole:
            return values
        for axis in axes or (0,):
            shape = list(values.shape)
            shape[axis] = len(self.whole)
            spread = np.full(shape, np.nan, dtype=values.dtype)
            np.moveaxis(spread, axis, 0)[self.places] = np.moveaxis(values, axis, 0)
            values = spread
        return values

    @property
    def forward(self) -> ForwardPass:
        """The one hooked forward pass over the probe set, made at first use; it records what the suite needs."""
        if self._forward is None:
            self._forward = self._pass(means=bool(self.suite & OF_UNITS))
        return self._forward

    def with_units(self) -> ForwardPass:
        """`forward` with `unit_means`.

        It is `forward` itself where the suite is known; else another pass is made, and kept. Raises CannotCompute
        where heads and neurons are unknown.
        """
        known_wiring(self.judge)
        found = self.forward
        if found.unit_means is None:
            found = self._forward = self._pass(means=True)
        return found

    @cached_property
    def readings(self) -> Readings:
        """Each neuron's reading of every prompt; raises CannotCompute as `with_units` does."""
        known_neurons(self.judge)
        self.with_units()  # says what is wrong with the judge before the slower pass
        return neuron_readings(self.judge, self.encoded, self.batch_tokens, progress=self.progress)

    @cached_property
    def encoded(self) -> list[Encoded]:
        """The probe set as the judge reads it."""
        return self.judge.encode([probe.text for probe in self.probes])

    @cached_property
    def encoded_pairs(self) -> list[Encoded]:
        """The further contrast pairs as the judge reads them."""
        return self.judge.encode([probe.text for probe in self.pairs])

    def _pass(self, *, means: bool) -> ForwardPass:
        if not self.probes:
            raise CannotCompute(
                "The probe set is empty, so nothing can be computed on it; write probes.jsonl first."
            )
        begin = record if self.prefix is None else self.prefix.record
        return begin(self.judge, self.encoded, self.batch_tokens, means=means, progress=self.progress)
