"""What `midwatch evaluate` and `midwatch attack` found, where they were run: their own words and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.attacks import AttackPlace
from shared.errors import SchemaError
from shared.evaluations import TEST, all_evaluations
from shared.figures.attack.archive import NAMES, attack_figure
from shared.findings.attack import AttackArchive, Direction
from shared.findings.attack_sentences import fate, headline
from shared.findings.evaluation import Evaluation, Mistake
from shared.findings.text import counted, escape, signed
from shared.own_folders import list_directory
from shared.pages.attack import attack_method, attack_paragraphs, attack_subtitle, table_rows
from shared.pages.report.parts import Grid, Point, Section
from shared.run import Run
from shared.views import Panel
from shared.views.evaluated import words
from shared.views.evaluated.panels import evaluation_panels

SHOWN = 4
"""Evaluations and attacks that are shown of each kind, the newest checkpoints'; the others are named."""
EXAMPLES = 5
"""Failures of an attack that are quoted, of each direction, the surest first."""


class Tested(NamedTuple):
    """The newest checkpoint's first; of one checkpoint that on the run's own test split first."""

    evaluations: Sequence[Evaluation]
    attacks: Sequence[AttackArchive]


def read_tested(run: Run, faults: list[str]) -> Tested:
    """All of them; what cannot be read goes to `faults`, as a sentence."""
    evaluations, attacks = [], []
    for place in all_evaluations(run):
        try:
            evaluations.append(place.read())
        except (SchemaError, OSError) as error:
            faults.append(str(error))
    for checkpoint in list_directory(run.attacks):
        try:
            attacks.append(AttackPlace(run, checkpoint).read_archive())
        except FileNotFoundError:
            continue  # a search that is not done yet
        except (SchemaError, OSError) as error:
            faults.append(str(error))
    evaluations.sort(key=lambda found: (-found.step, found.data.name != TEST, found.data.name))
    attacks.sort(key=lambda found: -found.step)
    return Tested(evaluations, attacks)


def tested_points(tested: Tested) -> list[Point]:
    """What the newest of each kind says first, with what warns of it."""
    said = [
        Point(words.title(found), " ".join([f"{words.headline(found)}.", *found.warnings]))
        for found in tested.evaluations[:1]
    ]
    return said + [Point("Adversarial testing", f"{headline(found)}.") for found in tested.attacks[:1]]


def evaluation_section(tested: Tested) -> Section:
    """One part an evaluation; all but the first folded."""
    shown, more = tested.evaluations[:SHOWN], tested.evaluations[SHOWN:]
    parts = [_evaluation(found, folded=place > 0) for place, found in enumerate(shown)]
    return Section("Evaluation", text=_left_out([words.title(found) for found in more]), parts=parts)


def attack_section(tested: Tested) -> Section:
    """One part a checkpoint's attacks; all but the first folded."""
    shown, more = tested.attacks[:SHOWN], tested.attacks[SHOWN:]
    parts = [_attack(found, folded=place > 0) for place, found in enumerate(shown)]
    return Section("Adversarial testing", text=_left_out([found.label for found in more]), parts=parts)


def _left_out(names: Sequence[str]) -> list[str]:
    return [f"Not shown, each has a page of its own: {'; '.join(names)}."] if names else []


def _evaluation(found: Evaluation, *, folded: bool) -> Section:
    return Section(
        words.title(found),
        text=[f"{words.headline(found)}.", f"{words.below(found)}.", *found.warnings],
        grids=[grid for grid in _evaluation_grids(found) if grid.body],
        panels=evaluation_panels(found),
        folded=folded,
    )


def _evaluation_grids(found: Evaluation) -> Iterator[Grid]:
    rates = [[row.name, row.judge, *row.baselines] for row in words.rate_rows(found)]
    against = "; ".join(f"the judge is {words.against_words(each)}" for each in found.baselines)
    note = f"{against[0].upper()}{against[1:]}." if against else ""
    yield Grid("Rates at the judge's own threshold", ["", "judge", *words.baseline_names(found)], rates, note)
    yield Grid("Thresholds", ["operating point", "threshold, nats", "TPR", "FPR"], words.threshold_rows(found))
    if found.mistakes is not None:
        yield _mistakes("Hardest misses: unsafe prompts judged safe, the surest first", found.mistakes.missed)
        yield _mistakes("Hardest refusals: safe prompts judged unsafe, the surest first", found.mistakes.refused)


def _mistakes(title: str, listed: Sequence[Mistake]) -> Grid:
    rows = [[each.category or "uncategorised", signed(each.score), each.text] for each in listed]
    return Grid(title, ["category", "score, nats", "prompt"], rows)


def _attack(found: AttackArchive, *, folded: bool) -> Section:
    said = headline(found)
    panel = Panel(
        stem="attack",
        title=f"Open-ended testing, {found.label}",
        figure=attack_figure(found, escape(said, 400), escape(attack_subtitle(found), 400)),
        caption="\n".join(f"{lead}:{rest}" for lead, rest in attack_paragraphs(found)),
        alt=f"{said}. {attack_subtitle(found)}.",
        rows=table_rows(found),
        badge=attack_method(found),
    )
    grids = [_examples(direction, found) for direction in found.directions]
    return Section(
        found.label[0].upper() + found.label[1:],
        text=[f"{said}.", *found.notes],
        panels=[panel],
        grids=[grid for grid in grids if grid.body],
        folded=folded,
    )


def _examples(direction: Direction, found: AttackArchive) -> Grid:
    """The surest failure of each technique, from one seed each."""
    rows, seeds, techniques = [], set(), set()
    for failure in direction.failures:
        if failure.seed in seeds or failure.technique in techniques:
            continue
        seeds.add(failure.seed)
        techniques.add(failure.technique)
        how = " + ".join([failure.technique, *failure.rules])
        scores = f"{signed(failure.seed_score)} to {signed(failure.score)}"
        rows.append([how, failure.seed, failure.text, scores, fate(failure, found)])
    name = NAMES[direction.label]
    return Grid(
        f"Examples, {name}",
        ["how", "seed, judged rightly", "put differently, judged wrongly", "nats", "over the run"],
        rows[:EXAMPLES],
        f"{counted(len(direction.failures), 'failure')} in all.",
    )
