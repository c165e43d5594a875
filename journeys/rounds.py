"""Whether a round of retraining helped: the retrained judge beside its control, on prompts neither has seen.

On fresh attacks (unseen seeds, unseen frames): FNR of both at the false-positive rate that the control has at its
own threshold, since a judge that flags more misses less whatever it has learnt; and AUC. On the old test prompts:
accuracy. Differences come with 95 % intervals, percentile bootstrap over groups (a seed's mutations are right or
wrong together), both judges on the same draws.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from journeys.places import Judge, Places
from shared.files import write_record
from shared.records import Frozen
from shared.roc import auc, tpr_at

DRAWS = 1000
"""Bootstrap draws."""


class Change(Frozen):
    """One number of both judges, and the retrained one's less the control's."""

    control: float
    retrained: float
    low: float
    high: float
    """95 % interval of the difference."""

    @property
    def difference(self) -> float:
        return self.retrained - self.control

    def __str__(self) -> str:
        return (
            f"{self.retrained:.3f} against the control's {self.control:.3f} "
            f"({self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}])"
        )


class RoundRecord(Frozen):
    """round-N/round.json."""

    schema_version: int = 1
    additions: int
    """Prompts that joined the training."""
    fresh: int
    """Fresh attacks, both labels."""
    fpr: float
    """The control's false-positive rate on them, at its own threshold."""
    fnr: Change
    """At that rate."""
    auc: Change
    test_accuracy: Change


class Judged(NamedTuple):
    """Predictions of one judge, (prompts,) each."""

    scores: NDArray[np.float64]
    unsafe: NDArray[np.bool_]
    groups: NDArray[np.str_]

    def rows(self, chosen: NDArray[np.int64]) -> Judged:
        """Those prompts, in that order."""
        return Judged(self.scores[chosen], self.unsafe[chosen], self.groups[chosen])


def compare_rounds(places: Places, rounds: int) -> Iterator[str]:
    """A sentence or two for each round whose judges are both evaluated; its record is written beside them."""
    for number in range(1, rounds + 1):
        added = sum(len(path.read_text("utf-8").splitlines()) for path in places.additions(number))
        record = compare(places.retrained(number), places.control(number), added)
        if record is not None:
            write_record(places.root / f"round-{number}" / "round.json", record)
            yield f"Round {number}: {told(record)}"


def told(record: RoundRecord) -> str:
    """What came of it."""
    return (
        f"{record.additions} prompts added; on {record.fresh} fresh attacks FNR at FPR {record.fpr:.3f} is "
        f"{record.fnr}, AUC {record.auc}; accuracy on the test prompts {record.test_accuracy}."
    )


def compare(retrained: Judge, control: Judge, additions: int) -> RoundRecord | None:
    """Both judges' predictions side by side; None where one was not evaluated, or lacks a class."""
    paths = [judge.evaluation(data) for data in ("fresh", "test") for judge in (retrained, control)]
    if any(path is None for path in paths):
        return None
    new, old, new_test, old_test = (read_predictions(path) for path in paths if path is not None)
    if not (new.unsafe.any() and (~new.unsafe).any()) or not np.array_equal(new.unsafe, old.unsafe):
        return None
    fpr = float((old.scores > 0)[~old.unsafe].mean())
    return RoundRecord(
        additions=additions,
        fresh=len(new.unsafe),
        fpr=fpr,
        fnr=_change(new, old, fnr_at_controls_fpr),
        auc=_change(new, old, aucs),
        test_accuracy=_change(new_test, old_test, accuracies),
    )


def read_predictions(path: Path) -> Judged:
    """predictions.csv of `midwatch evaluate`."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Judged(
        np.array([float(row["score"]) for row in rows]),
        np.array([row["label"] == "unsafe" for row in rows], bool),
        np.array([row["group"] or f"prompt {number}" for number, row in enumerate(rows)]),
    )


def fnr_at_controls_fpr(new: Judged, control: Judged) -> tuple[float, float]:
    """(retrained, control), both at the rate that the control has at its own threshold."""
    fpr = float((control.scores > 0)[~control.unsafe].mean())
    return 1 - tpr_at(new.scores, new.unsafe, fpr), 1 - tpr_at(control.scores, control.unsafe, fpr)


def aucs(new: Judged, control: Judged) -> tuple[float, float]:
    """(retrained, control)."""
    return auc(new.scores, new.unsafe), auc(control.scores, control.unsafe)


def accuracies(new: Judged, control: Judged) -> tuple[float, float]:
    """(retrained, control), each at its own threshold."""
    return float(((new.scores > 0) == new.unsafe).mean()), float(((control.scores > 0) == control.unsafe).mean())


def _change(new: Judged, control: Judged, measure: Callable[[Judged, Judged], tuple[float, float]]) -> Change:
    """Both values, and the interval of their difference."""
    differences = []
    for rows in _draws(new.groups):
        one, other = new.rows(rows), control.rows(rows)
        if one.unsafe.any() and (~one.unsafe).any():
            mine, its = measure(one, other)
            differences.append(mine - its)
    low, high = np.quantile(differences, [0.025, 0.975]).tolist()
    retrained, controls = measure(new, control)
    return Change(control=controls, retrained=retrained, low=low, high=high)


def _draws(groups: NDArray[np.str_]) -> Iterator[NDArray[np.int64]]:
    """Rows of each bootstrap sample of whole groups; the same for the same groups."""
    _, member = np.unique(groups, return_inverse=True)
    rows = [np.flatnonzero(member == group) for group in range(member.max() + 1)]
    random = np.random.default_rng(0)
    for _ in range(DRAWS):
        yield np.concatenate([rows[group] for group in random.integers(len(rows), size=len(rows))])
