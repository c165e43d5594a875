"""Reading what an overview knows of a run from its files."""

from __future__ import annotations

import os
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
from shared.results_index import ResultFile, newest_result
from shared.run import Run
from shared.views.overview.facts import READS, CheckpointFacts, facts_of, with_sets
from shared.views.overview.kept_facts import keep, kept, key_of
from shared.views.overview.standing import newest_judged


def facts_of_run(run: Run, *, to_keep: bool = False) -> list[CheckpointFacts]:
    """Every checkpoint with results, in the run's order; what cannot be read is named, and hides nothing else.

    Results that were read for an overview before are not read again (`kept_facts`); `to_keep` writes down what had
    to be read now, for who may write in the run.
    """
    store, evaluations = ResultStore(run.results), evaluations_of(run)
    places = store.places()
    facts, anew = [], []
    for name in store.checkpoints():
        step = step_at(name, places)
        key = key_of(step, {analysis: _newest(store, name, analysis) for analysis in READS})
        known = kept(run, name, key)
        if known is None:
            known = _facts(store, name, step)
            anew += [] if known.unreadable else [(known, key)]
        facts.append(with_sets(known, evaluations.get(name, {})))
    if to_keep:
        keep(run, anew)
    return facts


def _newest(store: ResultStore, checkpoint: str, analysis: str) -> ResultFile | None:
    folder = f"{store.root}/{checkpoint}/{analysis}"
    try:
        with os.scandir(folder) as entries:
            return newest_result(folder, [entry.name for entry in entries if not entry.name.startswith(".")])
    except OSError:
        return None


def _facts(store: ResultStore, name: str, step: int) -> CheckpointFacts:
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
    return facts_of(bare, records, tensors)


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
