"""The typed results of the shown checkpoint and of the baseline, as alerts and headline numbers need them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.reading import cached
from dashboard.reading.overview import changes_since
from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.errors import SchemaError
from shared.findings.alerts import Flips
from shared.findings.comparison import ComparisonResult
from shared.findings.evolution import EvolutionResult
from shared.findings.layers import LayersResult
from shared.findings.progress import ProgressResult
from shared.findings.tokens import TokensResult
from shared.notices import standing
from shared.records import Notice
from shared.results import ResultRecord


@dataclass(frozen=True)
class Facts:
    """What is known about one checkpoint; None for what is missing or unreadable."""

    tokens: TokensResult | None = None
    layers: LayersResult | None = None
    comparison: ComparisonResult | None = None
    progress: ProgressResult | None = None
    evolution: EvolutionResult | None = None
    label: str = ""
    """Of the checkpoint: "epoch 3"."""
    first_progress: ProgressResult | None = None
    """Of the baseline; None when the baseline is the checkpoint itself."""
    first_label: str = ""
    against_progress: ProgressResult | None = None
    """Of the checkpoint that this one is compared with; None where that is itself, or has none."""
    against_label: str = ""
    against_step: int = 0
    flips: dict[str, Flips] = field(default_factory=dict)
    """What flipped since then: "fnr", "accuracy", "pairs" (`shared.views.overview.change`)."""
    unreadable: frozenset[str] = frozenset()
    """Analyses whose result exists and cannot be read; their tabs say why."""
    records: dict[str, ResultRecord] = field(default_factory=dict)
    """The readable results by analysis."""
    notices: tuple[Notice, ...] = ()
    """What stands of the notices of the checkpoint's newest result."""


def gather(snapshot: Snapshot, view: CheckpointView | None, against: CheckpointView | None = None) -> Facts:
    """Read what exists about `view`, beside `against`; nothing here raises for a damaged result."""
    if view is None:
        return Facts()
    first = snapshot.first_with("progress")
    before = first if first is not None and first.name != view.name else None

    def typed(name: str, of: CheckpointView | None = view):
        return cached.typed(of.results.get(name), name) if of is not None else None

    records = _records(view)
    found = {name: typed(name) for name in ("tokens", "layers", "comparison", "progress", "evolution")}
    return Facts(
        **found,
        unreadable=frozenset(name for name, result in found.items() if result is None and name in view.results),
        label=view.label,
        against_progress=typed("progress", against),
        against_label=against.label if against else "",
        against_step=against.step if against else 0,
        flips=changes_since(snapshot, against, view),
        first_progress=typed("progress", before),
        first_label=before.label if before else "",
        records=records,
        notices=_notices(snapshot, records),
    )


def _notices(snapshot: Snapshot, records: dict[str, ResultRecord]) -> tuple[Notice, ...]:
    newest = max(records.values(), key=lambda record: record.created_at, default=None)
    return () if newest is None else tuple(standing(snapshot.run, newest.notices))


def _records(view: CheckpointView) -> dict[str, ResultRecord]:
    found = {}
    for name, file in view.results.items():
        try:
            found[name] = cached.load(file)
        except (SchemaError, OSError):
            continue  # the tab of this analysis says why
    return found
