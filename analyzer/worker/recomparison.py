"""A comparison made anew without the model: what it measured is kept, only what it looks at has changed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from analyzer.analyses import Outcome
from analyzer.analyses.evolution import EvolutionSettings, compared, remembered
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.keys import key_settings
from analyzer.jobs.messages import Computation, Job
from shared.records import Probe
from shared.results import ResultRecord, payload_of
from shared.version import __version__


def compared_again(
    earlier: EarlierResults, computation: Computation, key: str, job: Job, probes: Sequence[Probe]
) -> tuple[ResultRecord, Outcome] | None:
    """The comparison with the provenance of the older one that measured it; None when the model has to."""
    started = time.perf_counter()
    found = remembered(earlier)
    if found is None:
        return None
    older, measured = found
    settings = EvolutionSettings.model_validate(computation.settings)
    outcome = compared(earlier, measured, probes, settings, older.seed)
    record = older.model_copy(
        update={
            "key": key,
            "epoch": job.epoch,
            "settings": key_settings(computation, job.record.judge),
            "analyzer_version": __version__,
            "created_at": time.time(),
            "duration_s": time.perf_counter() - started,
            "summary": dict(outcome.summary),
            "payload": payload_of(outcome.result),
        }
    )
    return record, outcome


def superseded(earlier: EarlierResults, key: str) -> list[str]:
    """Keys of older comparisons of this content that knew less than the one with `key`.

    One made from other results of this checkpoint (computed with other settings) is not among them.
    """
    if earlier.search is None:
        return []
    known = earlier.lineage.own.items()
    comparisons = earlier.search.comparisons(earlier.checkpoint, earlier.digest)
    return [other for other, header in comparisons if other != key and header.own.items() <= known]
