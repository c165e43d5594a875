"""Reading what an overview knows of a run from its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from shared.checkpoint_places import step_at
from shared.errors import SchemaError
from shared.evaluations import all_evaluations
from shared.findings.evaluation import Evaluation
from shared.prompts.groups import group_numbers
from shared.prompts.of_run import probe_set_of
from shared.results import ResultRecord, ResultStore, checkpoint_label
from shared.run import Run
from shared.views.overview.facts import READS, CheckpointFacts, facts_of
from shared.views.overview.standing import newest_judged


def facts_of_run(run: Run) -> list[CheckpointFacts]:
    """Every checkpoint with results, in the run's order; what cannot be read is named, and hides nothing else."""
    store, evaluations = ResultStore(run.results), evaluations_of(run)
    places = store.places()
    return [_facts(store, name, step_at(name, places), evaluations.get(name, {})) for name in store.checkpoints()]


def _facts(store: ResultStore, name: str, step: int, evaluations: Mapping[str, Evaluation]) -> CheckpointFacts:
    records: dict[str, ResultRecord] = {}
    unreadable = []
    for analysis in READS:
        try:
            found = store.newest(name, analysis)
        except (SchemaError, OSError):
            unreadable.append(analysis)
            continue
        if found is not None:
            records[analysis] = found
    first = next(iter(records.values()), None)
    epoch = first.epoch if first else None
    bare = CheckpointFacts(name, step, epoch, checkpoint_label(step, epoch, name), unreadable=tuple(unreadable))
    tensors: Mapping[str, np.ndarray] = {}
    with suppress(SchemaError, OSError):  # its rates are known; only the paired test is not
        tensors = store.tensors(records["progress"]) if "progress" in records else {}
    return facts_of(bare, records, tensors, evaluations)


def evaluations_of(run: Run) -> dict[str, dict[str, Evaluation]]:
    """Checkpoint -> name of the prompts -> what was measured on them; unreadable ones are left out."""
    found: dict[str, dict[str, Evaluation]] = {}
    for place in all_evaluations(run):
        try:
            found.setdefault(place.checkpoint, {})[place.data] = place.read()
        except (SchemaError, OSError):
            continue  # the page Evaluation says why
    return found


def groups_of(run: Run, facts: Sequence[CheckpointFacts]) -> list[int] | None:
    """The independent group of each prompt of the probe set that the newest judged checkpoint was judged on."""
    newest = newest_judged(facts)
    probes = probe_set_of(run, newest.probe_digest) if newest is not None else None
    return None if probes is None else group_numbers(probes.probes)
