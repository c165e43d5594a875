"""Sets up who rewords and who confirms: the language model, the second judge, a person's verdicts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from analyzer.attack.found_mutator import digest_of, find_mutator
from analyzer.attack.label_checks import SecondOpinion, read_verdicts, same_weights, trusted_labels
from analyzer.attack.mutator import load_mutator
from analyzer.attack.reworded import KeptWriter, Rewording, Writer
from analyzer.attack.scorer import scorer
from analyzer.jobs.family import told_family
from analyzer.model.loading import load_judge
from shared.attacks import AttackPlace
from shared.errors import UsageError

if TYPE_CHECKING:
    from analyzer.attack.seeds import Seed
    from analyzer.jobs.tasks import Mutator, SecondJudge
    from analyzer.model.judge import Judge
    from analyzer.session.opened import Opened


def rewording_of(
    opened: Opened, mutator: Mutator, labels: int, place: AttackPlace, seeds: Sequence[Seed]
) -> Rewording:
    """Everything but the language model itself, which is loaded when something is to be written.

    Raises UsageError where the model is not there, the CSV is none, or the second judge is the one under attack.
    """
    folder = find_mutator(str(mutator.directory))
    told = {} if mutator.confirmed is None else read_verdicts(mutator.confirmed)
    if place.to_confirm.is_file():
        read_verdicts(place.to_confirm)  # what cannot be kept in the end is said before anything is computed
    second = None if mutator.second is None else _second(opened, mutator, mutator.second, seeds)
    key = hashlib.sha256(json.dumps([mutator.name, digest_of(folder)]).encode()).hexdigest()[:20]

    @cache
    def writer() -> Writer:
        return load_mutator(folder, opened.judge.device).reword

    return Rewording(
        name=mutator.name,
        writer=KeptWriter(writer, place.written, key),
        second=second,
        told=told,
        each=max(1, mutator.texts // labels),
    )


def rewording_key(search_key: str, mutator: Mutator) -> str:
    """Digest of everything that an archive with rewordings depends on but the budget.

    Raises UsageError where the language model, or the CSV, is not there.
    """
    told = {} if mutator.confirmed is None else read_verdicts(mutator.confirmed)
    second = (
        None if mutator.second is None else [mutator.second.name, [list(file) for file in mutator.second.files]]
    )
    parts = [search_key, digest_of(find_mutator(str(mutator.directory))), mutator.texts, mutator.margin, second]
    text = json.dumps([*parts, sorted(told.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _second(opened: Opened, mutator: Mutator, given: SecondJudge, seeds: Sequence[Seed]) -> SecondOpinion:
    judge = load_judge(given.directory, given.record, device=opened.judge.device, family=told_family(given.family))
    refuse_same(opened.judge, judge, given.name)
    score = scorer(judge, opened.batch_tokens)
    scores = score([seed.text for seed in seeds])
    return SecondOpinion(
        given.name, score, mutator.margin, trusted_labels(scores, [seed.label for seed in seeds], mutator.margin)
    )


def refuse_same(judge: Judge, second: Judge, name: str) -> None:
    """Raises UsageError where the two have the same weights: a judge cannot vouch against itself."""
    if same_weights(judge, second):
        raise UsageError(
            f"--second-judge {name} has the weights of the judge under attack, so it confirms nothing; give a "
            "judge that was trained apart."
        )
