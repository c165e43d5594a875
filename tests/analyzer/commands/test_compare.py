"""`midwatch compare`: the sentence, the tests and the flipped prompts, from results alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.results import ResultStore
from shared.run import Run
from tests.making.commands_here import midwatch
from tests.making.compared_runs import compared_run
from tests.making.fake_run import make_fake_run
from tests.making.judged_run import scores_with


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    judges = [scores_with(40, 4, 1), scores_with(4, 5, 2), scores_with(5, 5, 3)]
    return compared_run(tmp_path_factory.mktemp("compare") / "run", judges)


def test_it_prints_the_sentence_the_test_and_what_flipped(run: Run) -> None:
    done = midwatch("compare", run.path, "--epochs", "1,2")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert said.startswith(
        "Epoch 2 is right more often than epoch 1: 36 verdicts fixed and 1 broken of the same 128"
    )
    assert "This is safe prompt number 4." in said and "part at layer 3" in said and "better (p < 0.0001)" in said


def test_the_same_for_programs(run: Run) -> None:
    found = json.loads(midwatch("compare", run.path, "--epochs", "1,2", "--json").stdout)
    assert found["command"] == "compare" and found["path"] == str(run.path)
    told = found["result"]
    assert (told["there"]["name"], told["here"]["name"], told["prompts"]) == ("epoch 1", "epoch 2", 128)
    assert (told["tests"]["accuracy"]["better"], told["tests"]["accuracy"]["worse"]) == (36, 1)
    outcomes = [row["outcome"] for row in told["flipped"]]
    assert (outcomes.count("fixed"), outcomes.count("broken")) == (36, 1)
    assert all((row["score_here"] > 0) != (row["score_there"] > 0) for row in told["flipped"])
    assert told["layers"].startswith("The read-outs of epoch 2 and epoch 1 part at layer 3")


def test_the_last_against_the_first_where_nothing_is_said(run: Run) -> None:
    told = json.loads(midwatch("compare", run.path, "--json").stdout)["result"]
    assert (told["there"]["name"], told["here"]["name"]) == ("epoch 1", "epoch 3")


def test_two_checkpoints_of_one_epoch_are_told_by_their_steps(tmp_path: Path) -> None:
    run = compared_run(tmp_path / "run", [scores_with(40, 4, 1), scores_with(4, 5, 2)])
    store = ResultStore(run.results)
    record = store.newest("checkpoint-240", "progress")
    assert record is not None
    tensors = store.tensors(record)
    store.remove(record.checkpoint, "progress", record.key)
    store.commit(record.model_copy(update={"epoch": 1.0}), tensors)
    done = midwatch("compare", run.path, "--epochs", "checkpoint-120,checkpoint-240", "--json")
    told = json.loads(done.stdout)["result"]
    names = [told[side]["name"] for side in ("there", "here")]
    assert names == ["epoch 1 (step 120)", "epoch 1 (step 240)"]
    assert told["numbers"] and all(row[name] for row in told["numbers"] for name in names)


def test_two_runs_are_named(run: Run, tmp_path: Path) -> None:
    other = compared_run(tmp_path / "copy", [scores_with(6, 5, 2)])
    done = midwatch("compare", run.path, "--epochs", "2,1", "--with", other.path, "--json")
    told = json.loads(done.stdout)["result"]
    assert (told["there"]["name"], told["here"]["name"]) == ("epoch 2 of run", "epoch 1 of copy")
    assert told["sentence"].startswith("Epoch 1 of copy and epoch 2 of run cannot be told apart")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--epochs", "2,2"), 2, "these are one checkpoint"),
        (("--epochs", "1,2,3"), 2, "give two checkpoints, such as 2,7"),
        (("--epochs", "1,"), 2, "give two checkpoints"),
        (("--epochs", "1,9"), 2, "there is no such checkpoint; there are epoch 1 (step 120)"),
        (("--with", "/nowhere/at/all"), 2, "is not a directory"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    done = midwatch("compare", run.path, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_run_without_results_or_without_scores_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty" / "checkpoint-1").mkdir(parents=True)
    nothing = midwatch("compare", tmp_path / "empty")
    assert nothing.returncode == 1 and "midwatch analyze" in nothing.stderr
    bare = make_fake_run(tmp_path / "bare", epochs=2)
    assert (
        "kept no scores of single prompts; analyse it again with --force" in midwatch("compare", bare.path).stderr
    )
