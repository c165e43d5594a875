"""The pipeline's screen: every stage with its state, how far it is, and the time left; plain lines without a
terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from journeys.stage import State
from journeys.stage_runner import Shown
from shared.findings.text import duration

Show = Callable[[Sequence[Shown]], None]
MARKS = {State.WAITING: "·", State.RUNNING: "▶", State.DONE: "✓", State.SKIPPED: "–", State.FAILED: "✗",
         State.MISSED: "✗"}  # fmt: skip
REDRAW_S = 0.4
"""Shortest time between two drawings."""


@contextmanager
def pipeline_screen(console: Console) -> Iterator[Show]:
    """What shows the rows: in place on a terminal, else a line for each change."""
    if not console.is_terminal:
        yield PlainLines(console)
        return
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        drawn = [0.0]

        def show(rows: Sequence[Shown]) -> None:
            if time.monotonic() - drawn[0] >= REDRAW_S or all(row.state is not State.RUNNING for row in rows):
                drawn[0] = time.monotonic()
                live.update(draw(rows))

        yield show


class PlainLines:
    """One line when a stage's state has changed, and with the time left for all of them when one begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, State] = {}

    def __call__(self, rows: Sequence[Shown]) -> None:
        for row in rows:
            if row.state is not State.WAITING and self._said.get(row.stage.name) is not row.state:
                self._said[row.stage.name] = row.state
                left = time_left(rows) if row.state is State.RUNNING else 0.0
                ending = f", about {duration(left)} left in all" if left else ""
                self._console.print(f"{row.stage.name}: {words(row)}{ending}")


def draw(rows: Sequence[Shown]) -> Group:
    """Everything at one moment, for one screen."""
    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(MARKS[row.state], row.stage.name, _bar(row), Text(words(row)))
    through = sum(row.state not in (State.WAITING, State.RUNNING) for row in rows)
    left = time_left(rows)
    ending = f", about {duration(left)} left" if left else ""
    return Group(Text(f"{through} of {len(rows)} stages{ending}"), Text(), table)


def words(row: Shown) -> str:
    """What is to be said of a stage at this moment."""
    if row.state is State.SKIPPED:
        return f"skipped ({row.cause})"
    if row.state is State.MISSED:
        return f"left out: {row.cause}"
    if row.state is State.FAILED:
        return f"failed: {row.cause}"
    if row.state is State.DONE:
        return "done before" if row.earlier else f"done in {row.seconds:.0f} s"
    return str(row.state) if row.state is State.WAITING or row.seconds < 1 else f"running, {row.seconds:.0f} s"


def time_left(rows: Sequence[Shown]) -> float:
    """Seconds until the last stage ends, roughly: from what was done of a running one where that is known, else
    from what stages usually take. Stages that run beside each other count as the longer one."""
    alone = {row.stage.name: _left(row) for row in rows}
    total = 0.0
    for row in rows:
        if row.stage.beside:
            continue
        beside = [alone[other.stage.name] for other in rows if other.stage.beside == row.stage.name]
        total += max([alone[row.stage.name], *beside])
    return total


def _left(row: Shown) -> float:
    if row.state is State.WAITING:
        return 0.0 if row.stage.skipped else row.stage.usual_s
    if row.state is not State.RUNNING:
        return 0.0
    share = row.stage.share()
    gained = (share or 0.0) - row.share_at_start
    if share is None or gained <= 0:
        return max(0.0, row.stage.usual_s - row.seconds)
    return row.seconds / gained * (1 - share)


def _bar(row: Shown) -> ProgressBar:
    share = 1.0 if row.state is State.DONE else (row.stage.share() or 0.0) if row.state is State.RUNNING else 0.0
    return ProgressBar(1.0, share, width=20)
