"""Where one checkpoint stands: each step of the way in its order, each one before those that come after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.checkpoints.base_model import BasePlaces
from analyzer.checkpoints.gate import Verdict
from analyzer.jobs.family import Family
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Failure
from analyzer.supervisor.attempts import MAX_ATTEMPTS
from analyzer.supervisor.checkpoint_row import Row
from shared.records import CheckpointState, JudgeRecord, RunRecord
from tests.making.fake_worker import COMPUTATIONS
from tests.making.standing_scene import NAME, NOW, POINT, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    checkpoint = tmp_path / "run" / NAME
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "tokenizer.json").write_text("{}")
    save_file({"a": np.ones(4, np.float32)}, checkpoint / "model.safetensors")
    return Scene.at(tmp_path / "run")


def test_it_may_start_once_it_is_pinned(scene: Scene) -> None:
    row = scene.row()
    assert (row.state, row.missing, row.cause) == (CheckpointState.QUEUED, ("tokens", "layers"), "")
    assert row.identity
    assert scene.standing.pins.get(NAME) is not None


def test_gate_what_is_incomplete_waits_for_quiet(scene: Scene) -> None:
    verdict = Verdict(cause="It is being written.", settles_at=NOW + 2)
    row = scene.standing.row(POINT, verdict, scene.facts._replace(skipped={NAME: "Not asked for."}))
    assert row == Row(POINT, CheckpointState.INCOMPLETE, cause="It is being written.", settles_at=NOW + 2)


def test_gate_of_what_is_gone_its_results_are_left_or_nothing(scene: Scene) -> None:
    assert scene.standing.row(POINT, None, scene.facts) is None
    scene.commit("layers")
    left = scene.standing.row(POINT, None, scene.facts)
    assert left == Row(
        POINT,
        CheckpointState.DONE,
        done=("layers",),
        missing=("tokens",),
        cause=f"{NAME} was deleted before tokens could be computed.",
    )
    scene.commit("tokens")
    assert scene.standing.row(POINT, None, scene.facts) == Row(
        POINT, CheckpointState.DONE, done=("tokens", "layers")
    )


def test_wanted_before_anything_is_asked_of_its_files(scene: Scene) -> None:
    scene.cut_off()
    row = scene.row(skipped={NAME: "Left out."})
    assert (row.state, row.cause, row.missing) == (CheckpointState.SKIPPED, "Left out.", ("tokens", "layers"))
    assert scene.standing.pins.get(NAME) is None, "what nobody wants is not pinned"


def test_wanted_or_not_what_is_there_is_done(scene: Scene) -> None:
    scene.commit("tokens", "layers")
    row = scene.row(skipped={NAME: "Left out."})
    assert (row.state, row.done, row.cause) == (CheckpointState.DONE, ("tokens", "layers"), "")


def test_wanted_or_not_what_runs_is_running(scene: Scene) -> None:
    assert scene.row(skipped={NAME: "Left out."}, running=frozenset({NAME})).state == CheckpointState.RUNNING


def test_results_some_are_missing_or_not_drawn(scene: Scene) -> None:
    scene.commit("tokens", drawn=False)
    row = scene.row()
    assert (row.state, row.done, row.missing) == (CheckpointState.QUEUED, ("tokens",), ("layers",))
    scene.commit("layers", drawn=False)
    row = scene.row()
    assert (row.state, row.missing) == (CheckpointState.QUEUED, ()), "the figures do not show them"
    scene.commit("tokens", "layers")
    assert scene.row() == Row(POINT, CheckpointState.DONE, scene.candidate, ("tokens", "layers"))


def test_results_there_come_before_a_run_that_nobody_described(scene: Scene) -> None:
    scene.commit("tokens", "layers")
    scene.facts.description.problem = "Say which class is unsafe."
    assert scene.row().state == CheckpointState.DONE


def test_results_of_other_probes_do_not_count(scene: Scene) -> None:
    scene.commit("tokens", "layers")
    search = LineageSearch(scene.standing.index, COMPUTATIONS, RunRecord().judge, "q" * 64)
    assert scene.row(search=search).done == ()


def test_results_are_wanted_anew_by_force_until_they_are(scene: Scene) -> None:
    forced = Scene.at(scene.run.path, force=True)
    forced.commit("tokens", "layers")
    assert forced.row().missing == ("tokens", "layers")
    assert forced.row(forced=frozenset({NAME})).state == CheckpointState.DONE


def test_results_of_what_force_leaves_out_are_there(scene: Scene) -> None:
    """`analyze --steps 9 --force`: the other checkpoints are done as before."""
    forced = Scene.at(scene.run.path, force=True)
    forced.commit("tokens", "layers")
    row = forced.row(skipped={NAME: "Left out."})
    assert (row.state, row.done, row.cause) == (CheckpointState.DONE, ("tokens", "layers"), "")


def test_described_before_attempts_and_before_a_pin(scene: Scene) -> None:
    scene.facts.description.problem = "Say which class is unsafe."
    scene.fail(*[Failure.ANALYSIS] * MAX_ATTEMPTS)
    row = scene.row()
    assert (row.state, row.cause) == (CheckpointState.QUEUED, "Say which class is unsafe.")
    assert scene.standing.pins.get(NAME) is None


def test_attempts_the_running_one_is_not_judged_by_those_before(scene: Scene) -> None:
    scene.fail(*[Failure.ANALYSIS] * MAX_ATTEMPTS)
    assert scene.row(running=frozenset({NAME})).state == CheckpointState.RUNNING


def test_attempts_of_what_cannot_serve_are_over(scene: Scene) -> None:
    scene.fail(Failure.REJECTED)
    row = scene.row()
    assert (row.state, row.cause, row.attempts) == (CheckpointState.REJECTED, "It was rejected.", 1)


def test_attempts_at_what_it_cannot_have_are_none(scene: Scene) -> None:
    scene.fail(*[Failure.ANALYSIS] * MAX_ATTEMPTS)
    scene.standing.ledger.cannot(NAME, "layers", "No layers.")
    assert scene.row().state == CheckpointState.QUARANTINED, "tokens are still missing"
    scene.commit("tokens")
    row = scene.row()
    assert (row.state, row.cause) == (CheckpointState.DONE, "layers: No layers.")


def test_attempts_are_not_made_forever(scene: Scene) -> None:
    scene.cut_off()
    scene.fail(*[Failure.ANALYSIS] * MAX_ATTEMPTS)
    row = scene.row()
    assert (row.state, row.cause, row.attempts) == (CheckpointState.QUARANTINED, "It was analysis.", MAX_ATTEMPTS)


def test_attempts_wait_for_their_backoff(scene: Scene) -> None:
    scene.fail(Failure.ANALYSIS, Failure.CRASH)
    row = scene.row()
    assert (row.state, row.cause, row.attempts) == (CheckpointState.RETRYING, "It was crash.", 2)
    assert row.retry_at == NOW - 1 + 4 * scene.plan.backoff_s
    assert scene.row(now=row.retry_at).state == CheckpointState.QUEUED


def test_attempts_at_something_else_do_not_count(scene: Scene) -> None:
    scene.fail(*[Failure.ANALYSIS] * MAX_ATTEMPTS)
    other = {"tokens": COMPUTATIONS["tokens"].model_copy(update={"settings": {"a": 2}})}
    row = scene.row(computations=other)
    assert (row.state, row.attempts) == (CheckpointState.QUEUED, 0)


def test_attempts_are_at_these_probes_this_verdict_and_this_family(scene: Scene) -> None:
    known = scene.facts.description
    assert known.record is not None
    turned = known.record.model_copy(update={"judge": JudgeRecord(safe_id=1, unsafe_id=0)})
    family = Family(name="bert", embeddings="embeddings", layers="encoder.layer", pooling="cls")
    other = family.model_copy(update={"layers": "encoder.layers"})
    descriptions = [known, replace(known, probe_digest="q" * 64), replace(known, record=turned)]
    descriptions += [replace(known, family=family), replace(known, family=other)]
    found = [scene.row(description=each).identity for each in descriptions]
    assert len(set(found)) == len(found)
    assert scene.row().identity == found[0]


def test_a_digest_is_of_the_files_as_they_are(scene: Scene) -> None:
    scene.commit("tokens")
    assert scene.standing.digest(scene.candidate, None) is not None
    (scene.run.path / NAME / "config.json").write_text('{"a": 1}')
    assert scene.standing.digest(scene.candidate, None) is None


def test_sound_or_refused_also_while_a_retry_waits(scene: Scene) -> None:
    scene.cut_off()
    scene.fail(Failure.ANALYSIS)
    row = scene.row()
    assert row.state == CheckpointState.REJECTED
    assert row.cause.endswith("[truncated]")
    assert row.retry_at is None


def test_sound_is_asked_once_for_the_same_files(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def count(directory: Path, source: Path, bases: BasePlaces) -> None:
        asked.append(directory)

    monkeypatch.setattr("analyzer.supervisor.checkpoint_row.validate", count)
    scene.row()
    scene.row()
    assert asked == [scene.run.pins / NAME], "it is the pin that is looked at"
    (scene.run.path / NAME / "config.json").write_text('{"a": 1}')
    scene.row()
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("config.json", '{"architectures": ["BertForMaskedLM"]}', "no_judge"),
        ("config.json", '{"architectures": ["GPT2LMHeadModel"]}', "no_judge"),
        ("tokenizer.json", None, "no_tokenizer"),
    ],
)
def test_what_can_be_no_judge_is_refused_before_an_attempt(
    scene: Scene, file: str, text: str | None, code: str
) -> None:
    path = scene.run.path / NAME / file
    path.unlink() if text is None else path.write_text(text)
    row = scene.row()
    assert (row.state, row.attempts) == (CheckpointState.REJECTED, 0)
    assert row.cause.endswith(f"[{code}]")


def test_what_the_runs_kind_refuses_is_asked_again_under_another_kind(scene: Scene) -> None:
    (scene.run.path / NAME / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    assert scene.row().state == CheckpointState.REJECTED
    prompted = RunRecord(judge=JudgeRecord(kind="prompted", safe_id=1, unsafe_id=2))
    assert scene.row(description=replace(scene.facts.description, record=prompted)).state == CheckpointState.QUEUED


def test_sound_is_asked_of_the_checkpoint_itself_when_the_training_is_over(scene: Scene) -> None:
    assert scene.row(training_over=True).state == CheckpointState.QUEUED
    assert scene.standing.pins.get(NAME) is None, "nobody deletes it any more"


def test_what_changes_while_it_is_pinned_is_incomplete(scene: Scene) -> None:
    candidate = scene.candidate
    (scene.run.path / NAME / "config.json").write_text('{"a": 1}')
    row = scene.standing.row(POINT, Verdict(candidate), scene.facts)
    assert row is not None
    assert (row.state, row.cause, row.settles_at) == (CheckpointState.INCOMPLETE, f"{NAME} is changing.", NOW)


def test_one_that_we_cannot_even_judge_stops_nobody(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    broken = scene.facts._replace(description=replace(scene.facts.description, record=None, probe_digest=b"x"))  # type: ignore[arg-type]
    for _ in range(2):
        row = scene.standing.row(POINT, Verdict(scene.candidate), broken)
        assert row is not None
        assert row.state == CheckpointState.REJECTED
        assert row.cause.startswith(f"Midwatch failed on {NAME} (TypeError: ")
    assert [record.__dict__["event"] for record in caplog.records] == ["bug"], "said once"


def test_our_own_disk_is_no_fault_of_the_checkpoints(scene: Scene) -> None:
    scene.run.midwatch.write_text("in the way")
    with pytest.raises(OSError):
        scene.row()
