"""A run with real processes around it that are killed, stopped or refused, and what must hold afterwards."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from analyzer.worker.drawing import LOCK
from shared.results import ResultStore
from shared.run import Run
from tests.making.fork_server import Forked, ForkServer
from tests.making.runs import snapshot
from tests.making.supervised import WANTED

ANALYZER = "tests.making.supervised"
PAGES = {"index.html", "pages.js", "plotly.min.js", "training_progress.html"}


@dataclass
class Scene:
    """One run and whoever works on it."""

    folder: Path
    run: Path
    forks: ForkServer

    def __post_init__(self) -> None:
        self.steps, self.said = self.folder / "steps.txt", self.folder / "said.txt"

    def analyze(self, who: str = "", at: int = 0, act: str = "kill") -> int:
        """An analyzer to its end; its exit code. `who` is it whose steps are noted and who is struck at one."""
        return self.analyzer(who, at, act).wait()

    def analyzer(
        self, who: str = "", at: int = 0, act: str = "kill", mode: str = "once", said: Path | None = None
    ) -> Forked:
        """An analyzer that works; see `analyze`."""
        struck: dict[str, tuple[str, str, str]] = dict.fromkeys(("supervisor", "worker"), ("", "0", act))
        if who:
            struck[who] = (str(self.steps), str(at), act)
        log, number, act = struck["worker"]
        words = str(self.run), str(self.forks.path), number, act, log, mode
        start = str(self.run), *struck["supervisor"], ANALYZER
        return self.forks.start(*start, *words, output=said or self.said)

    def announce(self, step: int, at: int, act: str = "kill") -> int:
        """The trainer's callback to its end; its exit code."""
        struck = str(self.run), str(self.steps), str(at), act
        words = "tests.making.announcing", str(self.run), str(step)
        return self.forks.start(*struck, *words, output=self.said).wait()

    def taken(self) -> list[str]:
        """The steps that were noted."""
        return self.steps.read_text().splitlines() if self.steps.exists() else []

    def one_of_each(self) -> list[int]:
        """Where a step of each kind comes first, of those that were just noted."""
        first: dict[str, int] = {}
        for number, name in enumerate(self.taken(), 1):
            first.setdefault(name, number)
        return sorted(first.values())

    def restart(self) -> None:
        """Another analyzer, to whom nothing happens, finds what there is to do at once, and all holds."""
        assert self.analyze() == 0, self.told()
        last = json.loads(self.said.read_text().splitlines()[-1])
        assert last["looks"] <= 2, self.told()
        self.check()

    def check(self) -> None:
        """One committed result for each analysis, whole and drawn; nothing half-made, nothing left."""
        run = Run.at(self.run)
        store, found = ResultStore(run.results), Counter()
        for path in run.results.glob("*/*/*"):
            record = store.load(path.parts[-3], path.parts[-2], path.name)
            store.tensors(record)
            found[record.checkpoint, record.analysis] += 1
        expected = {(name, analysis): 1 for name in run.checkpoints() for analysis in WANTED}
        assert found == expected, self.told()
        assert litter(self.run) == [], self.told()
        shown = {path.name for path in run.visualizations.iterdir()}
        assert shown >= PAGES, self.told()

    def told(self) -> str:
        """For a failed test: the last step, and what was said."""
        return "\n".join([*self.taken()[-1:], self.said.read_text() if self.said.exists() else ""])


def litter(run: Path) -> list[str]:
    """What nobody needs any more: half-made files and folders, pins, attempts, a lease; one lock stays a while."""
    found = Run.at(run)
    hidden = [path for top in (found.midwatch, found.visualizations) for path in top.rglob(".*")]
    kept = [*found.pins.glob("*"), *found.attempts.glob("*"), *found.lease.parent.glob("lease*")]
    return sorted({path.relative_to(run).as_posix() for path in [*hidden, *kept] if not path.name.startswith(LOCK)})


def checkpoints_of(run: Path) -> dict[str, tuple[int, int, bytes]]:
    """The trainer's files, byte by byte with their times."""
    return {name: seen for path in run.glob("checkpoint-*") for name, seen in snapshot(path).items()}
