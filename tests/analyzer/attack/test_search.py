"""The search: it repeats itself, keeps its budget, and its archive is what a plain loop over its trials gives."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.attack.candidates import same
from analyzer.attack.failures import MARGIN, by_technique, cells, distinct, keeps_from
from analyzer.attack.search import Search, qd_score
from tests.making.attack_search import by_hash, candidates, searched


@pytest.fixture(scope="module")
def search() -> Search:
    return searched(300)


def test_the_same_seed_finds_the_same_and_another_something_else(search: Search) -> None:
    again, other = searched(300), searched(300, seed=1)
    assert [trial.vector for trial in again.trials] == [trial.vector for trial in search.trials]
    assert [trial.vector for trial in other.trials] != [trial.vector for trial in search.trials]


def test_a_search_in_two_runs_is_the_search_in_one(search: Search) -> None:
    parts = searched(128)
    parts.run(300)
    assert [trial.vector for trial in parts.trials] == [trial.vector for trial in search.trials]


def test_the_budget_is_kept_and_no_text_is_scored_twice(search: Search) -> None:
    scored: list[str] = []

    def scorer(texts):
        scored.extend(texts)
        return by_hash(texts)

    assert len(searched(300, scorer=scorer).trials) == 300 == len(search.trials)
    assert len({same(text) for text in scored}) == len(scored) < 300 + 32


def test_the_archive_holds_the_best_of_each_cell_as_a_plain_loop_finds_it(search: Search) -> None:
    """pyribs' archive against a dictionary; the last batch may hold more than the budget counts."""
    whole = searched(320)
    best: dict[tuple[str, str], float] = {}
    for trial in whole.trials:
        best[trial.cell] = max(best.get(trial.cell, -np.inf), trial.fitness)
    data = whole.archive.data()
    ribs = {tuple(cell): fitness for cell, fitness in zip(data["measures"], data["objective"], strict=True)}
    assert ribs == best == {trial.cell: trial.fitness for trial in whole.elites()}
    assert qd_score(whole.elites()) == pytest.approx(sum(max(value, 0) for value in best.values()))
    texts = dict(zip(map(tuple, data["measures"]), data["text"], strict=True))
    assert texts == {trial.cell: trial.derivation.text for trial in whole.elites()}


def test_it_starts_only_from_seeds_that_the_judge_gets_right(search: Search) -> None:
    assert (candidates().fitness < 0).all()
    assert all(by_hash([trial.derivation.seed.text])[0] > 0 for trial in search.trials)


def test_failures_are_one_of_each_seed_and_technique_the_surest_first(search: Search) -> None:
    failures = search.failures()
    keys = [(trial.derivation.seed.text, trial.derivation.technique) for trial in failures]
    assert len(set(keys)) == len(keys) > 20
    assert [trial.fitness for trial in failures] == sorted((trial.fitness for trial in failures), reverse=True)
    for key, trial in zip(keys, failures, strict=True):
        rivals = [t for t in search.trials if (t.derivation.seed.text, t.derivation.technique) == key]
        assert trial.fitness == max(t.fitness for t in rivals) > 0


def test_near_duplicates_of_a_surer_failure_are_rejected(search: Search) -> None:
    failures = search.failures()
    kept, left_out = distinct([*failures, *failures])
    assert left_out >= len(kept)
    bags = [frozenset(trial.derivation.text.lower().split()) for trial in kept]
    assert len(set(bags)) == len(bags) and all(trial.fitness >= MARGIN for trial in kept)


def test_success_counts_each_seed_once(search: Search) -> None:
    for success in by_technique(search):
        tried = [trial for trial in search.trials if trial.cell[1] == success.name]
        assert success.tried == len({trial.derivation.seed.text for trial in tried})
        wrong = {trial.derivation.seed.text for trial in tried if trial.fitness >= MARGIN}
        assert success.broken == len(wrong) and success.share.low <= success.share.value <= success.share.high


def test_every_cell_is_told_of_also_those_that_no_frame_reaches(search: Search) -> None:
    found = cells(search)
    assert len(found) == 10 * len(search.candidates.risks)
    assert sum(cell.tried for cell in found) == len(search.trials)
    assert all((cell.best is None) == (cell.tried == 0) for cell in found)


def test_a_judge_that_nothing_fools_leaves_an_archive_without_failures() -> None:
    search = searched(100, scorer=lambda texts: np.full(len(texts), 3.0, np.float32))
    assert search.failures() == [] and qd_score(search.elites()) == 0 and len(search.trials) == 100


@pytest.mark.parametrize(
    ("lens", "sign", "layer"),
    [([1, 1, -1, -1], -1, 1), ([-1, -1, -1, -1], -1, -1), ([1, 1, 1, -1], -1, 2), ([1, 1, 1, 1], -1, None)],
)
def test_the_layer_from_which_a_sign_stays(lens: list[float], sign: int, layer: int | None) -> None:
    assert keeps_from(np.array(lens), sign) == layer
