"""The whole attack in a worker, on a tiny judge: the same bytes after a kill, every failure wrong on reload."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analyzer.attack import attack as room
from analyzer.attack.scorer import scorer
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Failure, Job, Neighbour, WorkerOptions
from analyzer.jobs.tasks import AttackTask
from analyzer.model.loading import load_judge
from shared.attacks import AttackPlace
from shared.prompts.load import load_prompts
from shared.prompts.prompt_files import write_prompts
from shared.records import JudgeRecord
from shared.run import Run
from tests.making.job_bench import Bench
from tests.making.runs import describe, make_old
from tests.making.tiny import save_tiny_judge

PROMPTS = load_prompts("shipped")
TASK = AttackTask(budget=200, gradients=True)


def make(folder: Path, template: Path | None = None) -> Bench:
    """A run of two checkpoints with test prompts of its own."""
    if template is None:  # wide weights: verdicts of both kinds
        template = save_tiny_judge(folder / "template", initializer_range=1.0)
    bench = Bench(describe(folder / "run"), template, WorkerOptions())
    for step in (10, 20):
        make_old(bench.add(step))
    write_prompts(bench.run / "test.jsonl", PROMPTS[::40])
    return bench


def job(bench: Bench, task: AttackTask = TASK) -> Job:
    other = bench.run / "checkpoint-20"
    others = [Neighbour(checkpoint=other.name, directory=other, files=list(fingerprint(other)))]
    return bench.job(10, task=task, others=others)


def place(bench: Bench) -> AttackPlace:
    return AttackPlace(Run.at(bench.run), "checkpoint-10")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = make(tmp_path_factory.mktemp("attacked"))
    events = bench.do(job(bench))
    assert not [event for event in events if event.cause], events
    return bench


def test_every_failure_is_judged_wrongly_by_the_judge_loaded_anew(attacked: Bench) -> None:
    archive = place(attacked).read_archive()
    judge = load_judge(attacked.run / "checkpoint-10", JudgeRecord(max_length=32), device="cpu")
    scores = scorer(judge, 512)([failure.text for failure in archive.failures])
    assert len(archive.failures) > 20
    for failure, score in zip(archive.failures, scores, strict=True):
        assert (score < 0) == (failure.label == "unsafe"), failure.text
        assert score == pytest.approx(failure.score, abs=1e-4)


def test_its_files_say_the_same_and_are_read_as_data(attacked: Bench) -> None:
    where, archive = place(attacked), place(attacked).read_archive()
    prompts = load_prompts(str(where.attacks))
    assert [(p.text, p.label) for p in prompts] == [(f.text, f.label) for f in archive.failures]
    assert {prompt.source for prompt in prompts} == {"midwatch attack"}
    assert sum(direction.evaluations for direction in archive.directions) == 200
    assert not where.additions.exists() and not where.fresh.exists(), "the test split trains nothing"
    assert any("may join a training" in note for note in archive.notes)


def test_the_page_and_the_index_link_it(attacked: Bench) -> None:
    page = place(attacked).page.read_text("utf-8")
    assert "Open-ended testing" in page and "nats for the wrong verdict" in page
    assert place(attacked).page.name in (attacked.run / "training_visualizations" / "index.html").read_text("utf-8")


def test_another_checkpoints_scores_are_those_of_its_own_judge(attacked: Bench) -> None:
    archive = place(attacked).read_archive()
    judge = load_judge(attacked.run / "checkpoint-20", JudgeRecord(max_length=32), device="cpu")
    scores = scorer(judge, 512)([failure.text for failure in archive.failures])
    assert np.allclose(scores, [failure.later["checkpoint-20"] for failure in archive.failures], atol=1e-3)
    assert [hold.step for hold in archive.holds] == [10, 20] and archive.holds[0].fooled.value == 1


def test_a_search_that_was_killed_goes_on_and_ends_in_the_same_bytes(
    attacked: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make(tmp_path, attacked.template)
    count = {"scored": 0, "until": 150}
    real = room.scorer

    def counting(judge, batch_tokens):
        scores = real(judge, batch_tokens)

        def counted(texts):
            if count["scored"] > count["until"]:
                raise KeyboardInterrupt
            count["scored"] += len(texts)
            return scores(texts)

        return counted

    monkeypatch.setattr(room, "scorer", counting)
    with pytest.raises(KeyboardInterrupt):
        bench.do(job(bench))
    assert place(bench).search.exists() and not place(bench).archive.exists()
    paid, count["until"] = count["scored"], 10**6
    bench.do(job(bench))
    assert place(bench).search.read_text().splitlines() == place(attacked).search.read_text().splitlines()
    for name in ("archive", "attacks"):
        ours, theirs = (getattr(place(one), name).read_text().splitlines() for one in (bench, attacked))
        assert ours == theirs, name
    seeds = len(json.loads(place(bench).search.read_text())["scores"])
    assert count["scored"] == seeds, "nothing was scored twice"
    assert 0 < paid < count["scored"]


def test_the_same_search_again_reads_what_is_there(attacked: Bench) -> None:
    before = place(attacked).archive.stat().st_mtime_ns
    attacked.do(job(attacked))
    assert place(attacked).archive.stat().st_mtime_ns == before


def test_training_prompts_give_additions_and_fresh_prompts_of_groups_unseen(tmp_path: Path) -> None:
    bench = make(tmp_path)
    rows = [
        json.dumps({"prompt": p.text, "label": p.label, "category": p.category, "group": p.group})
        for p in PROMPTS[1::40]
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    bench.do(job(bench, TASK.model_copy(update={"source": str(tmp_path / "train.jsonl"), "transfer": False})))
    where, archive = place(bench), place(bench).read_archive()
    added, fresh = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (where.additions, where.fresh)
    )
    assert len(added) == archive.additions > 0 and len(fresh) == archive.fresh > 0
    assert not {row["seed"] for row in fresh} & {row["seed"] for row in added}
    bare = {row["group"].rsplit(":", 1)[-1] for row in fresh}
    assert not bare & {p.group.rsplit(":", 1)[-1] for p in PROMPTS[1::40]}
    assert len(load_prompts(str(where.additions))) == len(added)


def test_an_archive_of_another_version_is_said_and_left(attacked: Bench, tmp_path: Path) -> None:
    bench = make(tmp_path)
    old = place(bench).archive
    old.parent.mkdir(parents=True)
    old.write_text('{"schema_version": 99}')
    (event,) = [event for event in bench.do(job(bench)) if event.cause]
    assert event.kind == "refused" and "version 99" in event.cause and "delete it" in event.cause
    assert old.read_text() == '{"schema_version": 99}'


def test_without_any_prompts_the_sentence_says_what_to_give(tmp_path: Path) -> None:
    bench = make(tmp_path)
    (bench.run / "test.jsonl").unlink()
    (event,) = [event for event in bench.do(job(bench)) if event.cause]
    assert event.kind == "refused" and "--data FILE" in event.cause


def test_without_pyribs_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(tmp_path)
    monkeypatch.setattr("analyzer.attack.room.find_spec", lambda name: None)
    (event,) = [event for event in bench.do(job(bench)) if event.cause]
    assert event.kind == "refused" and "midwatch[attack]" in event.cause


def test_a_checkpoint_that_changes_meanwhile_leaves_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make(tmp_path)
    real = room.read_through

    def meddling(*args):
        (bench.run / "checkpoint-10" / "config.json").write_text("{}")
        return real(*args)

    monkeypatch.setattr(room, "read_through", meddling)
    assert bench.failure(job(bench)).failure == Failure.CHANGED
    assert not place(bench).archive.exists() and not place(bench).attacks.exists()
