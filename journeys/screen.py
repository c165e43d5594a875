"""The demo's screen: two progress bars with the time left, and a table of checkpoints; without a terminal, a line
for each event."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from journeys.pace import NOTHING_KNOWN, Left, Pace, in_words
from journeys.progress import SETTLED, Progress, Row
from shared.records import CheckpointState

COLUMNS = (("val", "accuracy"), ("val", "f1"), ("val", "auc"), ("contrast", "accuracy"))
HEADINGS = ("accuracy", "F1", "AUC", "contrast pairs")

WORTH_A_LINE = (CheckpointState.RUNNING, CheckpointState.RETRYING, *SETTLED)
"""States that the plain screen tells; waiting goes without saying."""


class LiveScreen:
    """Redraws itself in place on a terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._pace = Pace()

    def __enter__(self) -> Callable[[Progress, bool], None]:
        self._live.__enter__()
        return self._show

    def __exit__(self, *exception: object) -> None:
        self._live.__exit__(None, None, None)

    def _show(self, progress: Progress, trained: bool) -> None:
        self._live.update(draw(progress, trained, self._pace.look(progress, trained)))


class PlainScreen:
    """One line when something has happened, for logs and pipes."""

    def __init__(self, console: Console, pace: Pace | None = None) -> None:
        self._console = console
        self._pace = pace or Pace()
        self._said: set[str] = set()

    def __enter__(self) -> Callable[[Progress, bool], None]:
        return self._show

    def __exit__(self, *exception: object) -> None:
        pass

    def _show(self, progress: Progress, trained: bool) -> None:
        left = self._pace.look(progress, trained)
        for row in progress.rows:
            if row.values.get("val"):
                self._say(f"{row.label}: trained, {numbers(row)}")
            if row.status is not None and row.status.state in WORTH_A_LINE:
                cause = f" ({row.status.cause})" if row.status.cause else ""
                ending = in_words(left.analysis) if row.status.state in SETTLED else ""
                self._say(f"{row.label}: analysis {row.status.state}{cause}", ending)

    def _say(self, line: str, ending: str = "") -> None:
        if line not in self._said:
            self._said.add(line)
            self._console.print(line + ending, markup=False, highlight=False, soft_wrap=True)


def screen(console: Console) -> LiveScreen | PlainScreen:
    """The screen that suits where the output goes."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def draw(progress: Progress, trained: bool, left: Left = NOTHING_KNOWN) -> Group:
    """Everything at one moment, for one screen."""
    return Group(_bars(progress, trained, left), Text(), _table(progress))


def numbers(row: Row) -> str:
    """ "accuracy 0.912, F1 0.910, ..." of one checkpoint, on the validation split and the contrast pairs."""
    found = [
        f"{heading} {row.values[split][name]:.3f}"
        for heading, (split, name) in zip(HEADINGS, COLUMNS, strict=True)
        if name in row.values.get(split, {})
    ]
    return ", ".join(found)


def _bars(progress: Progress, trained: bool, left: Left) -> Table:
    grid = Table.grid(padding=(0, 2))
    steps = progress.record.steps if progress.record else None
    share = 1.0 if trained else progress.step / steps if steps else 0.0
    loss = f"loss {progress.loss:.3f}" if progress.loss is not None else "preparing"
    text = (
        "done"
        if trained
        else f"step {progress.step} of {steps or '?'}, epoch {progress.epoch:.1f}, {loss}{in_words(left.training)}"
    )
    grid.add_row("training", ProgressBar(1.0, min(share, 1.0), width=30), text)
    known = max(len(progress.rows), 1)
    doing = "waiting for a checkpoint"
    if progress.status is not None and progress.status.running is not None:
        doing = f"{progress.status.running.checkpoint}: {progress.status.running.analysis}"
    elif progress.rows and progress.settled:
        doing = "up to date"
    grid.add_row(
        "analysis",
        ProgressBar(known, progress.analysed, width=30),
        f"{progress.analysed} of {len(progress.rows)} checkpoints, {doing}{in_words(left.analysis)}",
    )
    return grid


def _table(progress: Progress) -> Table:
    table = Table("checkpoint", *HEADINGS, "analysis", box=None, pad_edge=False)
    for row in progress.rows:
        cells = [
            f"{row.values[split][name]:.3f}" if name in row.values.get(split, {}) else "" for split, name in COLUMNS
        ]
        state = str(row.status.state) if row.status else "not seen yet"
        table.add_row(row.label, *cells, Text(state))
    return table
