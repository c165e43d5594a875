"""What everything about a run begins with: the notices of its newest results, as far as they still stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.errors import SchemaError
from shared.files import read_record
from shared.records import Notice, RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run

PROBES_ASSUMED = (
    "No probe set was given, so these are the prompts that ship with Midwatch; whether the training saw them "
    "cannot be checked. `midwatch init` gives others."
)
"""What every result on the shipped probe set of a run that nobody described says; a result computed on a probe set
that was given has another key, and does not say it."""


def standing(run: Run, notices: Sequence[Notice]) -> list[Notice]:
    """Those of a result that still stand: how a verdict is read was perhaps only assumed and has been said since,
    which changes no number and so computes no result anew."""
    if not any(notice.kind == "assumed" for notice in notices):
        return list(notices)
    try:
        assumed = read_record(run.record, RunRecord).judge.assumed
    except (OSError, SchemaError):
        return list(notices)  # nobody has described the run, or not readably
    stays = {*assumed, PROBES_ASSUMED}
    return [notice for notice in notices if notice.kind != "assumed" or notice.sentence in stays]


def settled(run: Run, notices: Iterable[Notice]) -> set[str]:
    """Sentences of those that do not stand any more."""
    unique = list({notice.sentence: notice for notice in notices}.values())
    return {notice.sentence for notice in unique} - {notice.sentence for notice in standing(run, unique)}


def newest_notices(run: Run) -> list[Notice]:
    """Of the newest checkpoint with results, by what was committed last: its other results may be older than
    somebody's correction. Empty without a result."""
    store = ResultStore(run.results)
    for checkpoint in reversed(store.checkpoints()):
        records = _newest_of(store, checkpoint)
        if records:
            return standing(run, max(records, key=lambda record: record.created_at).notices)
    return []


def _newest_of(store: ResultStore, checkpoint: str) -> list[ResultRecord]:
    """The newest readable result of each analysis."""
    found = []
    for analysis in sorted(path.name for path in (store.root / checkpoint).iterdir() if path.is_dir()):
        try:
            found.append(store.newest(checkpoint, analysis))
        except (SchemaError, OSError):
            continue  # reported where it is shown
    return [record for record in found if record is not None]
