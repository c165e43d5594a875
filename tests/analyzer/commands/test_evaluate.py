"""`midwatch evaluate` as people type it: what it prints, where everything lies, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.commands.evaluation_table import show
from shared.evaluations import EvaluationPlace
from shared.prompts.prompt_files import write_prompts
from shared.run import Run
from tests.making.commands_here import midwatch, midwatch_here
from tests.making.fake_evaluation import fake_evaluation
from tests.making.judges import random_probes
from tests.making.runs import add_checkpoint, describe, judge_template, make_old, snapshot


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    path = describe(folder / "run")
    for step in (10, 20):
        add_checkpoint(path, step, judge_template(folder), step / 10)
    write_prompts(path / "test.jsonl", random_probes(12, pairs=2))
    return path


def test_the_own_test_split_without_a_word(run: Path) -> None:
    done = midwatch("evaluate", run, "--device", "cpu", "--mistakes", "0")
    assert done.returncode == 0, done.stderr
    place = EvaluationPlace(Run.at(run), "checkpoint-20", "test")
    assert "Evaluation of run, epoch 2, on its held-out test prompts (the last one)" in done.stdout
    for said in ("recall (TPR)", "Trigger gap", str(place.page), str(place.record), str(place.predictions)):
        assert said in done.stdout
    assert place.read().data.labelled == 24 and place.page.is_file()
    assert place.predictions.read_text(encoding="utf-8").count("\n") >= 25


def test_a_foreign_read_only_run_is_evaluated_elsewhere_and_left_alone(run: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    add_checkpoint(theirs, 30, judge_template(run.parent), 3.0, announced=False)
    make_old(theirs / "checkpoint-30")
    prompts = tmp_path / "mine.csv"
    prompts.write_text("text,label\n" + "".join(f"how do i bake {i},{'un' * (i % 2)}safe\n" for i in range(8)))
    before, out = snapshot(theirs), tmp_path / "out"
    theirs.chmod(0o555)
    try:
        done = midwatch_here("evaluate", theirs, "--data", prompts, "--out", out, "--checkpoint", "last")
    finally:
        theirs.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert snapshot(theirs) == before
    place = EvaluationPlace(Run.at(theirs, out), "checkpoint-30", "mine")
    found = place.read()
    assert found.data.labelled == 8 and place.page.is_relative_to(out) and found.chosen == ""
    assert Run.at(out).path == theirs, "the directory that --out made is about that run"
    assert any("keeps no baselines" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere.jsonl"], "does not exist"),
        (["--data", "empty.jsonl"], "holds no prompts"),
        (["--checkpoint", "7"], "there is no such checkpoint; there are epoch 1 (step 10), epoch 2 (step 20)"),
        (["--checkpoint", "best"], "--checkpoint last, an epoch or a step"),
        (["--mistakes", "-1"], "--mistakes"),
    ],
)
def test_mistakes_are_one_sentence_and_nothing_is_written(
    run: Path, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    done = midwatch_here("evaluate", run, "--out", tmp_path / "out", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr and not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    again = midwatch_here("evaluate", run, "--out", tmp_path / "mine", *words)
    assert again.returncode == 2 and list((tmp_path / "mine").iterdir()) == [], "the user's own folder stays"


def test_a_run_without_test_prompts_says_to_give_some(run: Path, tmp_path: Path) -> None:
    bare = describe(tmp_path / "bare")
    add_checkpoint(bare, 10, judge_template(run.parent), 1.0)
    done = midwatch_here("evaluate", bare)
    assert done.returncode == 2
    assert (
        done.stderr
        == "midwatch: bare keeps no test split of its own (test.jsonl); give prompts with --data FILE.\n"
    )


def test_what_is_printed_stands_in_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = fake_evaluation(text="[red]no markup[/red]")
    show(EvaluationPlace(Run(tmp_path, tmp_path), "checkpoint-10", "test"), found)
    told = capsys.readouterr().out
    assert "The judge is right more often than TF-IDF" in told and "TF-IDF" in told.splitlines()[2]
    assert "[red]no markup[/red]" in told and "At FPR 1 %" in told
    assert f"{found.verdicts.rates['auc'].value:.2f} [" in told  # type: ignore[union-attr]


def test_evaluation_json_is_what_its_document_says(tmp_path: Path) -> None:
    place = EvaluationPlace(Run(tmp_path, tmp_path), "checkpoint-10", "test")
    place.write(fake_evaluation())
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in json.loads(place.record.read_text(encoding="utf-8")):
        assert f"`{name}`" in text, name
