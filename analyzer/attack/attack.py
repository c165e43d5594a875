"""One attack, top to bottom: seeds, search, failures, what is inside them, other checkpoints; then the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analyzer.attack import failures as found_by
from analyzer.attack.candidates import Candidates
from analyzer.attack.examples import examples, read_through
from analyzer.attack.frames import techniques
from analyzer.attack.gradients import estimator
from analyzer.attack.material import Material
from analyzer.attack.resumed import PaidScorer
from analyzer.attack.reworded import write_unconfirmed
from analyzer.attack.rewording import rewording_key, rewording_of
from analyzer.attack.scorer import scorer
from analyzer.attack.search import Search, Trial, qd_score, wrongness
from analyzer.attack.seeds import Seed
from analyzer.attack.training_sets import HELD_OUT, additions, fresh, line
from analyzer.attack.transfer import elsewhere, hold, with_later
from analyzer.checkpoints.gate import peek_epoch
from analyzer.jobs.tasks import AttackTask
from analyzer.session.opened import Opened
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import separation, unit_of
from shared.attacks import AttackPlace, write_lines
from shared.checkpoint_places import step_at
from shared.errors import SchemaError, UsageError
from shared.findings.attack import AttackArchive, Direction, Failure, Hold
from shared.findings.claims import ToExplain
from shared.notices import newest_notices
from shared.own_folders import make_directory
from shared.pages.attack import draw_attack
from shared.pages.index import write_index
from shared.records import Label
from shared.results import checkpoint_label

BOOTSTRAPS = 1000
"""Draws of the interval of what the judge tells apart."""


def attack(opened: Opened, task: AttackTask, material: Material) -> None:
    """Raises UsageError where every seed is judged wrongly, or an archive of another version is in the way."""
    place = AttackPlace(opened.run, opened.job.checkpoint)
    search_key = material.key(task, opened.digest.digest)
    key = search_key if task.mutator is None else rewording_key(search_key, task.mutator)
    if not task.force and _is_there(place, key, task):
        return
    make_directory(place.folder)
    whole = Attack(opened, task, material, place, key, search_key)
    whole.carry_out()


def _is_there(place: AttackPlace, key: str, task: AttackTask) -> bool:
    """Whether this very search was done. Raises UsageError for an archive that cannot be read."""
    try:
        archive = place.read_archive()
    except FileNotFoundError:
        return False
    except SchemaError as error:
        raise UsageError(str(error)) from error
    return (archive.key, archive.budget) == (key, task.budget)


class Attack:
    """One attack being carried out."""

    def __init__(
        self, opened: Opened, task: AttackTask, material: Material, place: AttackPlace, key: str, search_key: str
    ) -> None:
        self.opened, self.task, self.material, self.place, self.key = opened, task, material, place, key
        judge, tokens = opened.judge, opened.batch_tokens
        estimates = estimator(judge, tokens) if task.gradients else None
        self.scorer = PaidScorer(scorer(judge, tokens), place.search, search_key, estimates)
        self.rewording = (
            None
            if task.mutator is None
            else rewording_of(opened, task.mutator, len(task.labels), place, material.seeds)
        )
        self.trials: list[Trial] = []
        self.layers: int | None = None

    def carry_out(self) -> None:
        """Search, look inside, verify, try elsewhere, write. The archive is written last but for the page."""
        scores = self.scorer([seed.text for seed in self.material.seeds])
        directions = [
            direction
            for number, label in enumerate(self.task.labels)
            if (direction := self._direction(label, number, scores)) is not None
        ]
        if not directions:
            raise UsageError("The judge gets every seed wrong as it is, so there is nothing to attack.")
        self.opened.verify()
        directions, holds, notes = self._tried_elsewhere(directions)
        self._write(directions, holds, notes, self._told_apart(scores))

    def _told_apart(self, scores: np.ndarray) -> ToExplain:
        """How far the judge tells the seeds' labels apart."""
        prompts = [seed.prompt for seed in self.material.seeds]
        groups = independent_groups(prompts)
        clusters = Clusters(groups.tolist(), BOOTSTRAPS, self.task.seed)
        unsafe = np.array([prompt.label == "unsafe" for prompt in prompts])
        return separation(scores.astype(float), unsafe, clusters, unit_of(prompts, groups))

    def _direction(self, label: Label, number: int, scores: np.ndarray) -> Direction | None:
        """The search from seeds of one label; None where the judge gets none of them right."""
        wrong = wrongness(scores, label)
        own = [place for place, seed in enumerate(self.material.seeds) if seed.label == label]
        right = [place for place in own if wrong[place] < 0]
        if not right:
            return None
        budget = self._budget(number)
        search = self._searched(label, budget, [self.material.seeds[place] for place in right], wrong[right])
        surest, alike = found_by.distinct(search.failures())
        failures, trials = self._read_again(surest)
        self.trials += trials
        return Direction(
            label=label,
            seeds=len(own),
            right=len(right),
            evaluations=min(search.evaluations, budget),
            gradients=search.gradients,
            exhausted=search.exhausted,
            risks=search.candidates.risks,
            cells=found_by.cells(search),
            qd_score=qd_score(search.elites()),
            failures=failures,
            near_duplicates=alike,
            unconfirmed_on_reading=len(surest) - len(failures),
            by_risk=found_by.by_risk(search),
            by_technique=found_by.by_technique(search),
            any=found_by.by_any(search),
            examples=examples(self.opened.judge, failures, self.opened.batch_tokens),
        )

    def _budget(self, number: int) -> int:
        """Evaluations of one direction."""
        labels, budget = len(self.task.labels), self.task.budget
        return budget * (number + 1) // labels - budget * number // labels

    def _searched(self, label: Label, budget: int, seeds: Sequence[Seed], wrong: np.ndarray) -> Search:
        """The search by rules, and what a language model adds to it, in one budget."""
        told = self.opened.progress(f"{label} seeds")
        estimates = self.scorer.changes if self.task.gradients else None
        search = Search(Candidates(seeds, wrong), label, self.scorer, self.task.seed, estimator=estimates)
        search.run(budget - (0 if self.rewording is None else self.rewording.each), lambda done: told(done, budget))
        if self.rewording is not None:
            self.rewording.join(search, self.task.seed, self.opened.progress(f"rewording {label} seeds"))
        return search

    def _read_again(self, surest: Sequence[Trial]) -> tuple[list[Failure], list[Trial]]:
        """The failures as one hooked pass reads them: only what it finds wrong again counts."""
        if not surest:
            return [], []
        texts = [trial.derivation.text for trial in surest]
        seeds = list(dict.fromkeys(trial.derivation.seed.text for trial in surest))
        read = read_through(self.opened.judge, [*texts, *seeds], self.opened.batch_tokens)
        self.layers = None if read.lens is None else read.layers
        failures, trials = [], []
        for row, trial in enumerate(surest):
            seed = len(texts) + seeds.index(trial.derivation.seed.text)
            sign = 1 if trial.derivation.seed.label == "unsafe" else -1
            if read.scores[row] * sign >= 0:
                continue
            from_, right = (
                (None, None)
                if read.lens is None
                else (found_by.keeps_from(read.lens[row], -sign), found_by.keeps_from(read.lens[seed], sign))
            )
            scores = float(read.scores[seed]), float(read.scores[row])
            failures.append(found_by.failure(trial, *scores, from_, right))
            trials.append(trial)
        return failures, trials

    def _tried_elsewhere(self, directions: list[Direction]) -> tuple[list[Direction], list[Hold], list[str]]:
        """The failures of each direction at every other checkpoint, too."""
        failures = [failure for direction in directions for failure in direction.failures]
        if not failures or not self.task.transfer:
            return directions, [], []
        texts = [*(failure.text for failure in failures), *(failure.seed for failure in failures)]
        scores, notes = elsewhere(self.opened, texts)
        scores[self.opened.job.checkpoint] = np.array(
            [*(failure.score for failure in failures), *(failure.seed_score for failure in failures)]
        )
        run, places, count = self.opened.run, self.opened.run.places(), len(failures)
        holds = [
            hold(name, step_at(name, places), peek_epoch(run, name), failures, values[:count], values[count:])
            for name, values in scores.items()
        ]
        later = with_later(failures, {name: values[:count] for name, values in scores.items()})
        done, filled = 0, []
        for direction in directions:
            own = later[done : done + len(direction.failures)]
            filled.append(direction.model_copy(update={"failures": own}))
            done += len(own)
        return filled, sorted(holds, key=lambda each: each.step), notes

    def _write(
        self, directions: list[Direction], holds: list[Hold], notes: list[str], told_apart: ToExplain
    ) -> None:
        place, seed = self.place, self.task.seed
        write_lines(place.attacks, [line(trial.derivation, trial.vector) for trial in self.trials])
        added, unseen = 0, 0
        for path in (place.additions, place.fresh, place.unconfirmed, place.archive):
            _forget(path)
        if self.material.may_train:
            added = write_lines(place.additions, additions(self.trials, self.material.seeds, seed))
            if self.material.unseen:
                unseen = write_lines(place.fresh, fresh(self.material.unseen, seed))
        if self.rewording is not None:
            write_unconfirmed(place, self.rewording)
        place.write_archive(
            AttackArchive(
                checkpoint=place.checkpoint,
                label=checkpoint_label(self.opened.job.step, self.opened.job.epoch, place.checkpoint),
                step=self.opened.job.step,
                key=self.key,
                seeds_from=self.material.source,
                to_explain=told_apart,
                budget=self.task.budget,
                seed=seed,
                techniques=list(techniques()),
                reworded=None if self.rewording is None else self.rewording.summary(),
                held_out_techniques=list(HELD_OUT),
                layers=self.layers,
                directions=directions,
                holds=holds,
                additions=added,
                fresh=unseen,
                notes=[*self.material.notes, *notes, *self.opened.job.warnings, *self.opened.warnings],
            )
        )
        draw_attack(self.opened.run, place.checkpoint)
        write_index(self.opened.run, newest_notices(self.opened.run))


def _forget(path: Path) -> None:
    """Remove what another search left, so that nothing of it stands beside the new."""
    path.unlink(missing_ok=True)
