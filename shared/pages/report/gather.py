"""Everything that a report tells of a run, read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.checkpoint_places import step_at
from shared.errors import SchemaError, UsageError
from shared.files import read_record
from shared.findings.alerts import Alert
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import typed_result
from shared.notices import newest_notices
from shared.pages.render import panels_over_run
from shared.pages.report.choice import Best, chosen
from shared.pages.report.tested import Tested, read_tested
from shared.prompts.probes import ProbeSet, read_probes
from shared.records import Notice, RunRecord, Status
from shared.results import ResultRecord, ResultStore, checkpoint_label
from shared.run import Run
from shared.status_file import read_status
from shared.views import Panel, all_views


@dataclass(frozen=True)
class Shown:
    """A checkpoint that is shown in full."""

    name: str
    why: str
    """ "newest, best by validation auc"; empty for one that is nothing of the kind """
    label: str
    records: Mapping[str, ResultRecord]
    """By analysis, in the views' order."""

    @property
    def title(self) -> str:
        return f"{self.label} ({self.why})" if self.why else self.label


@dataclass(frozen=True)
class Material:
    """One run, as its files say."""

    run: Run
    record: RunRecord | None
    """None where nobody described the run, or not readably."""
    status: Status | None
    notices: Sequence[Notice]
    checkpoints: Sequence[str]
    """Those with results, by step."""
    shown: Sequence[Shown]
    """The newest first."""
    over_run: Sequence[Panel]
    alerts: Sequence[tuple[str, Alert]]
    """With the label of the checkpoint that each was raised at."""
    probes: ProbeSet | None
    """The probe set of the newest results; None where it is not there any more."""
    tested: Tested
    """Evaluations and attacks."""
    faults: Sequence[str]
    """Sentences: results that cannot be read."""

    @property
    def newest(self) -> Shown:
        return self.shown[0]


def gather(run: Run, best: Best | None) -> Material:
    """Read the run. Raises RunError where it has no result."""
    faults: list[str] = []
    store = ResultStore(run.results)
    shown = [show(store, name, why, faults) for name, why in chosen(run, best)]
    first = next((record for each in shown for record in each.records.values()), None)
    return Material(
        run=run,
        record=_record(run),
        status=_status(run),
        notices=newest_notices(run),
        checkpoints=store.checkpoints(),
        shown=shown,
        over_run=[panel for panel, _ in panels_over_run(run)],
        alerts=list(_alerts(store)),
        probes=_probes(run, first.probe_digest if first else ""),
        tested=read_tested(run, faults),
        faults=faults,
    )


def show(store: ResultStore, name: str, why: str, faults: list[str]) -> Shown:
    """The newest readable results of a checkpoint; what cannot be read goes to `faults`, as a sentence."""
    records: dict[str, ResultRecord] = {}
    for view in all_views():
        try:
            found = store.newest(name, view.name)
        except SchemaError as error:
            faults.append(str(error))
            continue
        if found is not None:
            records[view.name] = found
    known = next(iter(records.values()), None)
    step = step_at(name, store.places())
    label = known.label if known else checkpoint_label(step, None, name)
    return Shown(name, why, label, records)


def _record(run: Run) -> RunRecord | None:
    try:
        return read_record(run.record, RunRecord)
    except (OSError, SchemaError):
        return None


def _status(run: Run) -> Status | None:
    try:
        return read_status(run.status)
    except (OSError, SchemaError):
        return None


def _alerts(store: ResultStore) -> Iterator[tuple[str, Alert]]:
    for record in store.history("evolution"):
        try:
            result = typed_result(record, EvolutionResult)
        except SchemaError:
            continue  # what spans the run names it
        yield from ((record.label, alert) for alert in result.alerts)


def _probes(run: Run, digest: str) -> ProbeSet | None:
    for path in (run.probes, run.assumed_probes):
        try:
            found = read_probes(path)
        except (OSError, UsageError):
            continue
        if found.digest == digest:
            return found
    return None
