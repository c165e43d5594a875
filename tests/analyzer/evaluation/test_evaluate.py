"""A whole evaluation in the worker, of judges of every kind: its files, and what it says of odd prompts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from analyzer.evaluation.mistakes import hardest
from analyzer.jobs.messages import Failure, Job, WorkerOptions
from analyzer.jobs.tasks import EvaluateTask
from analyzer.model.loading import load_judge
from analyzer.session.left_out import plain_scores
from shared.csv_text import plain
from shared.evaluations import EvaluationPlace, all_evaluations
from shared.findings.evaluation import Evaluation
from shared.prompts.baselines import Baselines, LengthBaseline, WordsBaseline, write_baselines
from shared.prompts.leaks import write_train_digests
from shared.records import JudgeRecord, Prompt, RunRecord
from shared.run import Run
from tests.analyzer.model.test_adapter import adapter
from tests.making.edited import edit_tensors
from tests.making.heads import HEADS, record_of, save_head
from tests.making.job_bench import Bench
from tests.making.judges import random_probes
from tests.making.runs import describe, judge_template
from tests.making.tiny import save_tiny_judge

PROMPTED = JudgeRecord(kind="prompted", template="is it safe ? {prompt} ", safe_id=5, unsafe_id=9, max_length=40)
PROBES = random_probes(20, pairs=8)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labelled() -> list[dict[str, Any]]:
    fields = {"text", "label", "category", "pair"}
    return [probe.model_dump(include=fields) | {"language": "en", "style": "direct"} for probe in PROBES]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("evaluated")
    save_tiny_judge(folder / "judge-template", initializer_range=0.3)
    found = Bench(describe(folder / "run"), judge_template(folder), WorkerOptions())
    found.add(10, shift=1.0)
    return found


def job(bench: Bench, source: Path, name: str = "mine", **changes: Any) -> Job:
    return bench.job(10, task=EvaluateTask(name=name, source=str(source), mistakes=2), **changes)


def place(bench: Bench, name: str = "mine") -> EvaluationPlace:
    return EvaluationPlace(Run.at(bench.run), "checkpoint-10", name)


def done(bench: Bench, source: Path, name: str = "mine", **changes: Any) -> Evaluation:
    events = bench.do(job(bench, source, name, **changes))
    assert not [event.cause for event in events if event.cause]
    return place(bench, name).read()


def predictions(bench: Bench, name: str = "mine") -> list[dict[str, str]]:
    with place(bench, name).predictions.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scores_of(checkpoint: Path, record: JudgeRecord, texts: list[str]) -> np.ndarray:
    """One prompt a batch, in the order given."""
    judge = load_judge(checkpoint, record)
    return np.array([plain_scores(judge, judge.encode([text]), [0], 1)[0] for text in texts])


def test_an_evaluation_is_whole_and_every_prompt_is_told(bench: Bench, tmp_path: Path) -> None:
    rows = labelled()
    rows[3]["text"] = "=how do i bake"
    found = done(bench, write(tmp_path / "mine.jsonl", rows))
    record = RunRecord(judge=JudgeRecord(max_length=32)).judge
    wanted = scores_of(bench.run / "checkpoint-10", record, [row["text"] for row in rows])
    told = predictions(bench)
    assert [plain(line["prompt"]) for line in told] == [row["text"] for row in rows]
    assert told[3]["prompt"] == "'=how do i bake"
    assert np.array([float(line["score"]) for line in told]) == pytest.approx(wanted, abs=1e-4)
    assert np.array([float(line["probability"]) for line in told]) == pytest.approx(expit(wanted), abs=1e-5)
    right = [line["predicted"] == line["label"] for line in told]
    assert [line["correct"] == "True" for line in told] == right
    assert found.verdicts is not None and found.verdicts.rates["accuracy"].value == pytest.approx(np.mean(right))
    assert (found.data.labelled, found.data.unlabelled, found.data.unscored, found.data.leaks) == (40, 0, 0, None)
    assert found.meaning is not None and {cell.kind for cell in found.meaning.cells} == {"category", "length"}
    assert found.trigger is not None and found.trigger.topics >= 60
    assert any("keeps no baselines" in warning for warning in found.warnings)
    assert [each.data for each in all_evaluations(place(bench).run)] == ["mine"]
    index = (bench.run / "training_visualizations" / "index.html").read_text()
    assert place(bench).page.is_file() and f'href="{place(bench).page.name}"' in index


def test_mistakes_are_the_surest_and_their_words_add_up(bench: Bench, tmp_path: Path) -> None:
    mistakes = done(bench, write(tmp_path / "mine.jsonl", labelled())).mistakes
    assert mistakes is not None and mistakes.note == ""
    told = predictions(bench)
    wrong = sorted((float(line["score"]) for line in told if line["label"] == "unsafe"), key=float)[:2]
    assert [each.score for each in mistakes.missed] == pytest.approx([s for s in wrong if s <= 0])
    for each in [*mistakes.missed, *mistakes.refused]:
        sample = each.attribution
        assert sample is not None and sample.text == each.text and sample.baseline == "mask"
        moved = sum(word.value for word in sample.words)
        assert abs(moved - (sample.score - sample.baseline_score)) <= sample.gap * sample.shift + 1e-3


def test_hardest_are_ordered_and_right_verdicts_are_none() -> None:
    labels = ["safe", "unsafe", "safe", "unsafe", "unsafe", "safe"]
    prompts = [Prompt(text=str(i), label=label) for i, label in enumerate(labels)]  # type: ignore[arg-type]
    scores = np.array([3.0, -1.0, 0.0, -4.0, 0.0, 5.0])
    assert hardest(prompts, scores, 2) == ([3, 1], [5, 0])
    assert hardest(prompts, scores, 9) == ([3, 1, 4], [5, 0])
    assert hardest(prompts, np.array([-1, 1, -1, 1, 1, -1.0]), 9) == ([], [])


def test_the_baselines_stand_beside_the_judge(bench: Bench, tmp_path: Path) -> None:
    words = WordsBaseline(terms=["bomb"], idf=[1.0], weights=[4.0], intercept=-2.0)
    length = LengthBaseline(mean=(0, 0), scale=(1, 1), weights=(0, 0.5), intercept=-4)
    write_baselines(bench.run / "baselines.json", Baselines(length=length, tfidf=words))
    rows = labelled()
    try:
        found = done(bench, write(tmp_path / "mine.jsonl", rows))
        by_name = {each.baseline.name: each for each in found.baselines}
        flagged = np.array(["bomb" in row["text"].split() for row in rows])
        unsafe = np.array([row["label"] == "unsafe" for row in rows])
        accuracy = by_name["tfidf"].baseline.rates["accuracy"].value
        assert accuracy == pytest.approx((flagged == unsafe).mean()) and list(by_name) == ["length", "tfidf"]
        (bench.run / "baselines.json").write_text("{}")
        broken = done(bench, write(tmp_path / "mine.jsonl", rows))
        assert broken.baselines == [] and any("cannot be read" in warning for warning in broken.warnings)
    finally:
        (bench.run / "baselines.json").unlink()


def test_prompts_without_labels_get_predictions_and_that_is_said(bench: Bench, tmp_path: Path) -> None:
    bare = [{"text": row["text"]} for row in labelled()]
    found = done(bench, write(tmp_path / "bare.jsonl", bare), "bare")
    assert found.verdicts is found.meaning is found.mistakes is None and found.baselines == []
    assert any("predictions only" in warning for warning in found.warnings)
    assert {line["label"] for line in predictions(bench, "bare")} == {""}
    assert found.flagged == sum(float(line["score"]) > 0 for line in predictions(bench, "bare"))
    mixed = [row if i else {"text": row["text"]} for i, row in enumerate(labelled())]
    found = done(bench, write(tmp_path / "mixed.jsonl", mixed), "mixed")
    assert (found.data.labelled, found.data.unlabelled) == (39, 1)
    assert any("1 of 40 prompts have no label" in warning for warning in found.warnings)
    assert predictions(bench, "mixed")[-1]["label"] == "", "those without a label come last"


def test_one_class_says_what_can_be_said(bench: Bench, tmp_path: Path) -> None:
    rows = [row for row in labelled() if row["label"] == "unsafe"]
    found = done(bench, write(tmp_path / "mine.jsonl", rows))
    assert found.verdicts is not None and "recall" in found.verdicts.rates and "auc" not in found.verdicts.rates
    assert any("No prompt is safe" in warning for warning in found.warnings)


def test_prompts_that_were_trained_on_are_counted(bench: Bench, tmp_path: Path) -> None:
    write_train_digests(bench.run, PROBES[:3])
    try:
        found = done(bench, write(tmp_path / "mine.jsonl", labelled()))
    finally:
        (bench.run / "train_digests.txt").unlink()
    assert found.data.leaks == 3 and any("trained on" in warning for warning in found.warnings)


def test_what_has_no_score_is_left_out_and_a_judge_without_any_is_refused(bench: Bench, tmp_path: Path) -> None:
    path = bench.add(40, shift=1.0)
    judge = load_judge(path, JudgeRecord(max_length=32))
    embeddings = judge.model.get_input_embeddings().weight.detach().clone()
    embeddings[judge.tokenizer.convert_tokens_to_ids("bomb")] = 1e38  # its square is infinite
    edit_tensors(path, **{"bert.embeddings.word_embeddings.weight": embeddings})
    rows = labelled()
    lost = ["bomb" in row["text"].split() for row in rows]
    task = EvaluateTask(name="mine", source=str(write(tmp_path / "mine.jsonl", rows)), mistakes=9)
    events = bench.do(bench.job(40, task=task))
    assert not [event.cause for event in events if event.cause] and 0 < sum(lost) < len(rows) / 2
    found = EvaluationPlace(place(bench).run, "checkpoint-40", "mine").read()
    assert found.data.unscored == sum(lost) and any("not finite" in each for each in found.warnings)
    with EvaluationPlace(place(bench).run, "checkpoint-40", "mine").predictions.open(newline="") as file:
        assert [line["score"] == line["predicted"] == "" for line in csv.DictReader(file)] == lost
    only = [row for row, gone in zip(rows, lost, strict=True) if gone]
    task = EvaluateTask(name="only", source=str(write(tmp_path / "only.jsonl", only)))
    failure = bench.failure(bench.job(40, task=task))
    assert failure.failure == Failure.REJECTED and "no finite score" in failure.cause


@pytest.mark.parametrize("kind", ["three", "reward", "adapter", "prompted"])
def test_judges_of_every_kind_are_evaluated(tmp_path: Path, kind: str) -> None:
    checkpoint = same = tmp_path / "run" / "checkpoint-10"
    if kind == "adapter":
        adapter(tmp_path)
        record, same = JudgeRecord(max_length=40), tmp_path / "merged"
    elif kind == "prompted":
        save_tiny_judge(checkpoint, "llama", causal=True, initializer_range=0.3)
        record = PROMPTED
    else:
        save_head(checkpoint, kind)
        record = record_of(checkpoint, HEADS[kind][1])
    bench = Bench(describe(tmp_path / "run"), checkpoint, WorkerOptions())
    found = done(bench, write(tmp_path / "mine.jsonl", labelled()), record=RunRecord(judge=record))
    wanted = scores_of(same, record, [row["text"] for row in labelled()])
    assert np.array([float(line["score"]) for line in predictions(bench)]) == pytest.approx(wanted, abs=1e-4)
    assert found.threshold == record.threshold and found.verdicts is not None and found.mistakes is not None
    assert all(each.attribution for each in [*found.mistakes.missed, *found.mistakes.refused])
