"""An asked prompt among the probe set: where its score lies, and which probes the judge sees as much alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analyzer.jobs.result_index import StoreIndex
from analyzer.model.hooked_pass import ForwardPass, record
from analyzer.session.opened import Opened
from shared.errors import SchemaError, ScoresNotFinite
from shared.findings.asked import AmongProbes, NearProbe
from shared.prompts.conversation import as_judged
from shared.prompts.probes import ProbeSet, read_probes
from shared.records import Probe
from shared.results import ResultStore

NEAREST = 8
"""Probes that are named."""


@dataclass(frozen=True)
class ProbeSide:
    """The probe set as this judge sees it; what is asked of it twice is computed once."""

    opened: Opened

    @cached_property
    def read(self) -> ProbeSet:
        return read_probes(self.opened.job.probes)

    @cached_property
    def probes(self) -> list[Probe]:
        return as_judged(self.read.probes, self.opened.judge.template)

    @cached_property
    def seen(self) -> ForwardPass | None:
        """One pass over the probe set; None where the judge gives no number for some of it."""
        encoded = self.opened.judge.encode([probe.text for probe in self.probes])
        try:
            return record(
                self.opened.judge, encoded, self.opened.batch_tokens, progress=self.opened.progress("probes")
            )
        except ScoresNotFinite:
            return None

    @cached_property
    def committed(self) -> np.ndarray | None:
        """(probes,) scores as the committed calibration has them; None where there is none of these weights."""
        job, store = self.opened.job, ResultStore(self.opened.run.results)
        index = StoreIndex(store)
        for key in index.keys(job.checkpoint, "calibration"):
            header = index.header(job.checkpoint, "calibration", key)
            if header is None or header.digest != self.opened.digest.digest:
                continue
            try:
                result = store.load(job.checkpoint, "calibration", key)
                scores = store.tensors(result).get("scores")
            except (OSError, SchemaError):
                continue
            if result.probe_digest == self.read.digest and scores is not None and len(scores) == len(self.probes):
                return scores.astype(float)
        return None

    def among(self, score: float) -> AmongProbes | None:
        """Where a score lies among those of the probes; None without any."""
        scores = self.committed
        source = "result" if scores is not None else "scored"
        if scores is None:
            scores = None if self.seen is None else self.seen.scores.astype(float)
        if scores is None or not self.probes:
            return None
        sides: dict[str, list[float]] = {}
        for label in ("safe", "unsafe"):
            mine = scores[[probe.label == label for probe in self.probes]]
            sides[label] = sorted(mine[np.isfinite(mine)].tolist())
        return AmongProbes(
            source=source,
            probe_digest=self.read.digest,
            safe=sides["safe"],
            unsafe=sides["unsafe"],
            below_safe=_below(score, sides["safe"]),
            below_unsafe=_below(score, sides["unsafe"]),
        )

    def nearest(self, pooled: np.ndarray) -> list[NearProbe]:
        """The probes whose last state is most like `pooled` (d_model,), less the mean of all; the nearest first."""
        if self.seen is None or not self.probes:
            return []
        table = self.seen.pooled[-1].astype(float)  # (probes, d_model)
        middle = table.mean(0)
        table, own = table - middle, pooled.astype(float) - middle
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(own)
        similar = (table @ own) / np.maximum(lengths, 1e-12)
        order = np.argsort(-similar, kind="stable")[:NEAREST]
        return [
            NearProbe(
                probe_id=self.read.probes[place].id,
                text=self.read.probes[place].text,
                label=self.read.probes[place].label,
                category=self.read.probes[place].category,
                score=float(self.seen.scores[place]),
                similarity=float(np.clip(similar[place], -1, 1)),
            )
            for place in order
        ]


def _below(score: float, scores: list[float]) -> float | None:
    return float(np.mean(np.array(scores) < score)) if scores else None
