"""Where everything of a pipeline lies, and whether it is there whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from journeys.progress import SETTLED, read_progress
from shared.metrics import read_metrics
from shared.run import Run

CAUSES = 3
"""Checkpoints whose causes are told; of more, how many."""


@dataclass(frozen=True)
class Judge:
    """A run of the pipeline, which may not be there yet."""

    path: Path

    @property
    def begun(self) -> bool:
        return (self.path / "run.json").is_file()

    @property
    def trained(self) -> bool:
        """Whether the trainer came to its end: it judges the test split last."""
        if not self.begun:
            return False
        run = Run.at(self.path)
        return bool(run.checkpoints()) and any(line.split == "test" for line in read_metrics(run))

    @property
    def settled(self) -> bool:
        """Whether the analyzer is through with every checkpoint, for good or ill."""
        return self.trained and read_progress(Run.at(self.path)).settled

    @property
    def analysed(self) -> bool:
        """Whether every checkpoint that was wanted has its results."""
        return self.settled and not read_progress(Run.at(self.path)).failed

    def why_not_analysed(self) -> str:
        """What the analyzer says of the checkpoints that it could not analyse; empty where there are none."""
        failed = read_progress(Run.at(self.path)).failed if self.begun else []
        causes = [f"{each.checkpoint}: {each.cause or each.state}" for each in failed]
        more = f" And {len(causes) - CAUSES} more." if len(causes) > CAUSES else ""
        return f"{len(causes)} not analysed. {' '.join(causes[:CAUSES])}{more}" if causes else ""

    def share_trained(self) -> float | None:
        """Of the planned optimizer steps."""
        if not self.begun:
            return None
        progress = read_progress(Run.at(self.path))
        steps = progress.record.steps if progress.record else None
        return min(1.0, progress.step / steps) if steps else None

    def share_analysed(self) -> float | None:
        """Of the checkpoints that are there."""
        if not self.begun:
            return None
        rows = read_progress(Run.at(self.path)).rows
        through = [row for row in rows if row.status is not None and row.status.state in SETTLED]
        return len(through) / len(rows) if rows else None

    def evaluation(self, data: str) -> Path | None:
        """Predictions of its newest evaluation on prompts of that name; None where there is none."""
        found = self._newest(f"evaluations/*/{data}/evaluation.json")
        return found and found.with_name("predictions.csv")

    def attack(self, file: str) -> Path | None:
        """A file beside its newest archive of attacks; None where there is no archive."""
        archive = self._newest("attacks/*/archive.json")
        return archive and archive.with_name(file)

    def _newest(self, pattern: str) -> Path | None:
        found = [*(self.path / "_midwatch").glob(pattern)]
        return max(found, key=lambda path: path.stat().st_mtime, default=None)


@dataclass(frozen=True)
class Places:
    """Everything below the pipeline's directory."""

    root: Path

    @property
    def prepared(self) -> Path:
        return self.root / "prepared"

    @property
    def is_prepared(self) -> bool:
        return (self.prepared / "card.json").is_file()

    @property
    def judge(self) -> Judge:
        return Judge(self.root / "judge")

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def retrained(self, number: int) -> Judge:
        """The judge of round `number`, 1 and on; of round 0, the first."""
        return Judge(self.root / f"round-{number}" / "judge") if number else self.judge

    def additions(self, number: int) -> list[Path]:
        """What was found before round `number`; a file that holds nothing is none."""
        found = [self.retrained(earlier).attack("additions.jsonl") for earlier in range(number)]
        return [path for path in found if path is not None and path.is_file() and path.stat().st_size]

    def control(self, number: int) -> Judge:
        """The same recipe without what the attacks found."""
        return Judge(self.root / f"round-{number}" / "control")
