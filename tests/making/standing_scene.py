"""One sound and complete checkpoint on disk, and all that is known of its run when its standing is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer.checkpoints.digest import compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate, Verdict
from analyzer.checkpoints.pins import PinStore
from analyzer.checkpoints.soundness import validate
from analyzer.jobs.keys import key_settings, note_drawn
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Failure
from analyzer.jobs.result_index import StoreIndex
from analyzer.supervisor.attempts import Ledger
from analyzer.supervisor.checkpoint_row import Row, RunFacts, Standing
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.run_description import Description
from analyzer.supervisor.schedule import Point
from shared.records import RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from tests.making.fake_worker import COMPUTATIONS

NOW = 1_000_000.0

NAME = "checkpoint-10"

POINT = Point(NAME, 10, 1.0)

PROBES = "p" * 64


@dataclass
class Scene:
    """One checkpoint of numbers that is sound and complete, and all that is known of its run."""

    run: Run
    plan: Plan
    standing: Standing
    facts: RunFacts

    @classmethod
    def at(cls, path: Path, **plan: Any) -> Scene:
        run, known = Run.at(path), Plan(**plan)
        standing = Standing(
            run, known, PinStore(run.pins, 2**20), Ledger(run.attempts), StoreIndex(ResultStore(run.results))
        )
        description = Description(run, known, record=RunRecord(), probe_digest=PROBES)
        search = LineageSearch(standing.index, COMPUTATIONS, RunRecord().judge, PROBES)
        facts = RunFacts(description, COMPUTATIONS, {}, search, frozenset(), frozenset(), False, NOW)
        return cls(run, known, standing, facts)

    @property
    def candidate(self) -> Candidate:
        source = self.run.path / NAME
        return Candidate(NAME, 10, 1.0, source, fingerprint(source), complete_at=NOW)

    def row(self, **changes: Any) -> Row:
        facts = self.facts._replace(**changes)
        found = self.standing.row(POINT, Verdict(self.candidate), facts)
        assert found is not None
        return found

    def commit(self, *names: str, drawn: bool = True) -> None:
        """Results as the worker leaves them."""
        candidate, search, store = self.candidate, self.facts.search, self.standing.index.store
        assert search is not None
        weights = validate(candidate.source)
        digest = compute_digest(candidate.source, weights, NAME, candidate.files, self.run.digests)
        keys = search.keys({name: COMPUTATIONS[name] for name in names}, digest.digest)
        for name, key in keys.items():
            settings = key_settings(COMPUTATIONS[name], RunRecord().judge)
            store.commit(
                ResultRecord(
                    analysis=name,
                    analysis_version=1,
                    checkpoint=NAME,
                    step=10,
                    key=key,
                    checkpoint_digest=digest.digest,
                    probe_digest=PROBES,
                    settings=settings,
                )
            )
        if drawn:
            note_drawn(self.run, NAME, set(keys.values()))

    def fail(self, *failures: Failure, at: float = NOW - 1) -> None:
        """Attempts that ended so, each."""
        identity = self.row().identity
        for failure in failures:
            self.standing.ledger.start(NAME, identity, at)
            self.standing.ledger.fail(NAME, failure, f"It was {failure}.", at)

    def cut_off(self) -> None:
        weights = self.run.path / NAME / "model.safetensors"
        os.truncate(weights, weights.stat().st_size - 1)
