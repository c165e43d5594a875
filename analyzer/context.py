"""What every computation gets: the judge, the probe set, and passes over it that the analyses share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.earlier import Earlier
from analyzer.memo import Memo

if TYPE_CHECKING:
    import numpy as np

    from analyzer.encode import Encoded
    from analyzer.gradients import GradientPass
    from analyzer.judge import Judge
    from analyzer.passes import ForwardPass
    from analyzer.prefix import FrozenPrefix
    from analyzer.readings import Readings
    from shared.records import MetricsLine, Probe, RunRecord


OF_UNITS = frozenset({"neurons", "heads", "circuits"})
"""Analyses that ablate units or patch them, and so need their means."""


def ignore_progress(done: int, total: int) -> None:
    """The default: nobody watches."""


@dataclass
class Context:
    """One checkpoint's analysis. The analyses of a suite share one Context, and so its cached passes."""

    judge: Judge
    probes: list[Probe]
    step: int
    run: RunRecord
    metrics: list[MetricsLine] = field(default_factory=list)
    """metrics.jsonl, or for a foreign run what trainer_state.json logged; up to this step."""
    frozen_boundary: int = 0
    frozen_from: str = "unknown"
    embeddings_frozen: bool | None = None
    reference_norms: np.ndarray | None = None
    """Residual norms (probes, layers + 1) of the run's first analysed checkpoint, for the frozen check (tensor
    "residual_norms" of its `layers` result); None when there is no earlier one on this probe set."""
    leak_count: int | None = None
    seed: int = 0
    batch_tokens: int = 4096
    """Token budget of one batch (prompts x padded length); halved by the worker when memory runs out."""
    progress: Callable[[int, int], None] = ignore_progress
    """Called with (done, total) inside a long analysis."""
    suite: frozenset[str] = frozenset()
    """Names of the analyses of this job: the shared passes record what these need, and nothing else."""
    prefix: FrozenPrefix | None = None
    """What is known already of the layers below the frozen boundary; None computes every layer."""
    earlier: Earlier = field(default_factory=Earlier)
    """What earlier checkpoints of the run have to be compared with; by default nothing."""
    memo: Memo = field(default_factory=Memo)
    """Statistics of exactly these numbers that were computed before, at another checkpoint maybe."""
    _forward: ForwardPass | None = None
    _gradients: dict[tuple[int, int], GradientPass] = field(default_factory=dict)

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
        from analyzer.analyses import CannotCompute

        if self.judge.anatomy.wiring is None:
            reason = " ".join(self.judge.anatomy.notes)
            raise CannotCompute(
                f"Heads and neurons of the model family {self.judge.anatomy.family!r} are not known: {reason}"
            )
        found = self.forward
        if found.unit_means is None:
            found = self._forward = self._pass(means=True)
        return found

    @cached_property
    def readings(self) -> Readings:
        """Each neuron's reading of every prompt; raises CannotCompute as `with_units` does."""
        from analyzer.readings import neuron_readings

        self.with_units()  # says what is wrong with the judge before the slower pass
        return neuron_readings(self.judge, self.encoded, self.batch_tokens, progress=self.progress)

    @cached_property
    def encoded(self) -> list[Encoded]:
        """The probe set as the judge reads it."""
        from analyzer.encode import encode

        judge = self.judge
        return encode(judge.tokenizer, [probe.text for probe in self.probes], judge.max_length, judge.template)

    def _pass(self, *, means: bool) -> ForwardPass:
        from analyzer.analyses import CannotCompute
        from analyzer.passes import record

        if not self.probes:
            raise CannotCompute(
                "The probe set is empty, so nothing can be computed on it; write probes.jsonl first."
            )
        begin = record if self.prefix is None else self.prefix.record
        return begin(self.judge, self.encoded, self.batch_tokens, means=means, progress=self.progress)

    def gradients(self, steps: int, prompts: int, *, edges: bool = False) -> GradientPass:
        """The forward and backward passes that neurons, heads and circuits share, made at first use.

        `steps` of the integrated gradient, over at most `prompts` prompts; with `edges` also edges are scored, as
        they are anyway where the suite has circuits. Raises CannotCompute where the judge's heads and neurons are
        not known, or the probe set lacks a class.
        """
        found = self._gradients.get((steps, prompts))
        wiring = self.judge.anatomy.wiring
        if found is None or (edges and found.edges is None and wiring is not None and wiring.has_edges):
            from analyzer.gradients import gradient_pass

            wanted = edges or "circuits" in self.suite
            found = self._gradients[steps, prompts] = gradient_pass(self, steps, prompts, edges=wanted)
        return found
