"""A whole attack with a language model: its texts apart from what counts, and its search the one without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.tasks import Mutator, SecondJudge
from shared.findings.attack_sentences import rewordings
from shared.records import JudgeRecord
from tests.analyzer.attack.test_attack import TASK, job, make, place
from tests.making.job_bench import Bench
from tests.making.tiny import save_tiny_judge

ONE = TASK.model_copy(update={"transfer": False, "labels": ("unsafe",), "budget": 100})


def second(path: Path) -> SecondJudge:
    return SecondJudge(
        name="b/last", directory=path, files=list(fingerprint(path)), record=JudgeRecord(max_length=32)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Mutator]:
    folder = tmp_path_factory.mktemp("reworded")
    lm = save_tiny_judge(folder / "lm", "llama", causal=True, initializer_range=0.5)
    other = save_tiny_judge(folder / "other", seed=5)
    return make(folder), Mutator(name="lm", directory=lm, texts=12, second=second(other))


def test_what_a_model_writes_is_kept_apart_and_the_search_before_it_stays(made: tuple[Bench, Mutator]) -> None:
    bench, mutator = made
    events = bench.do(job(bench, ONE.model_copy(update={"mutator": mutator})))
    assert not [event for event in events if event.cause], events
    where, archive = place(bench), place(bench).read_archive()
    found = archive.reworded
    assert found is not None and found.model == "lm" and found.second == "b/last"
    assert 0 < found.unconfirmed == found.texts <= 12 and found.confirmed == {} == dict.fromkeys(found.trusted)
    apart = [json.loads(line) for line in where.unconfirmed.read_text("utf-8").splitlines()]
    counted = {json.loads(line)["prompt"] for line in where.attacks.read_text("utf-8").splitlines()}
    assert len(apart) == found.unconfirmed and not counted & {row["prompt"] for row in apart}
    assert "nobody confirmed a label" in rewordings(archive) and rewordings(archive) in where.page.read_text(
        "utf-8"
    )
    (direction,) = archive.directions
    assert 88 < direction.evaluations <= 100
    stamp = where.archive.stat().st_mtime_ns
    bench.do(job(bench, ONE.model_copy(update={"mutator": mutator})))
    assert where.archive.stat().st_mtime_ns == stamp, "the same again is read"
    bench.do(job(bench, ONE.model_copy(update={"budget": direction.evaluations - found.texts})))
    plain = place(bench).read_archive()
    assert plain.reworded is None and not where.unconfirmed.exists()
    assert plain.directions[0].cells == direction.cells, "what nobody confirmed changed no cell"


def test_a_second_judge_of_the_same_weights_ends_the_attack_before_it_begins(made: tuple[Bench, Mutator]) -> None:
    bench, mutator = made
    same = mutator.model_copy(update={"second": second(bench.run / "checkpoint-10")})
    (event,) = [e for e in bench.do(job(bench, ONE.model_copy(update={"mutator": same, "force": True}))) if e.cause]
    assert event.kind == "refused" and "weights of the judge under attack" in event.cause


def test_a_model_that_is_gone_meanwhile_is_said(made: tuple[Bench, Mutator], tmp_path: Path) -> None:
    bench, mutator = made
    gone = mutator.model_copy(update={"directory": tmp_path / "gone"})
    (event,) = [e for e in bench.do(job(bench, ONE.model_copy(update={"mutator": gone}))) if e.cause]
    assert event.kind == "refused" and "no language model at" in event.cause
