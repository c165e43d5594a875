"""When a checkpoint is complete, stepped with a clock of our own."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from analyzer.checkpoints.gate import Gate, Verdict
from shared.run import Run
from trainer.announce import announce

NAME = "checkpoint-10"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.at(tmp_path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint as Trainer leaves it: the state last, an hour ago."""
    path = tmp_path / NAME
    path.mkdir()
    for age, (name, text) in enumerate(
        [
            ("trainer_state.json", json.dumps({"global_step": 10, "epoch": 1.0})),
            ("config.json", "{}"),
            ("model.safetensors", "w"),
        ]
    ):
        (path / name).write_text(text)
        touch(path / name, time.time() - 3600 - age)
    return path


def touch(path: Path, when: float) -> None:
    os.utime(path, (when, when))


def settle(gate: Gate, after: float = 2.0) -> Verdict:
    now = time.time()
    gate.look(NAME, now)
    return gate.look(NAME, now + after)


def test_announced_passes_at_once(run: Run, checkpoint: Path) -> None:
    announce(run.path, 10, 1.0, {})
    found = Gate(run).look(NAME, time.time()).candidate
    assert found is not None
    assert (found.step, found.epoch, found.order_unverified) == (10, 1.0, False)
    assert {file.name for file in found.files} == {"config.json", "model.safetensors", "trainer_state.json"}


def test_it_was_complete_when_it_was_announced(run: Run, checkpoint: Path) -> None:
    path = announce(run.path, 10, 1.0, {})
    record = json.loads(path.read_text())
    found = Gate(run).look(NAME, time.time()).candidate
    assert found is not None
    assert found.complete_at == record.pop("written_at")
    path.write_text(json.dumps(record))
    found = Gate(run).look(NAME, time.time()).candidate
    assert found is not None
    assert found.complete_at == pytest.approx((checkpoint / "trainer_state.json").stat().st_mtime), "nobody said it"


def test_an_announcement_without_an_epoch(run: Run, checkpoint: Path) -> None:
    announce(run.path, 10, None, {})
    found = Gate(run).look(NAME, time.time()).candidate
    assert found is not None
    assert found.epoch == 1.0, "trainer_state.json says it"


def test_an_announcement_may_tell_of_files_that_are_not_the_judges(run: Run, checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").write_text("of the training")
    path = announce(run.path, 10, 1.0, {})
    record = json.loads(path.read_text())
    record["files"].append({"name": "global_step10/states.pt", "size": 1, "mtime_ns": 1})
    path.write_text(json.dumps(record))
    (checkpoint / "optimizer.pt").unlink(missing_ok=True)
    assert Gate(run).look(NAME, time.time()).candidate is not None


def test_an_announcement_that_comes_late_is_still_heard(run: Run, checkpoint: Path) -> None:
    touch(checkpoint / "model.safetensors", time.time() - 600)
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    found = gate.look(NAME, now + 2).candidate
    assert found is not None and found.order_unverified
    announce(run.path, 10, 1.0, {})
    found = gate.look(NAME, now + 3).candidate
    assert found is not None and not found.order_unverified


def test_unannounced_passes_after_two_equal_looks(run: Run, checkpoint: Path) -> None:
    gate, now = Gate(run), time.time()
    first = gate.look(NAME, now)
    assert first.candidate is None
    assert first.settles_at == pytest.approx(now + 2.0)
    assert gate.look(NAME, now + 1.9).candidate is None
    found = gate.look(NAME, now + 2.0).candidate
    assert found is not None
    assert found.epoch == 1.0
    assert not found.order_unverified


def test_a_change_starts_the_settling_anew(run: Run, checkpoint: Path) -> None:
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    (checkpoint / "model.safetensors").write_text("ww")
    touch(checkpoint / "trainer_state.json", time.time() + 1)
    assert gate.look(NAME, now + 2).candidate is None
    assert gate.look(NAME, now + 4).candidate is not None


def test_same_size_and_time_but_another_file(run: Run, checkpoint: Path) -> None:
    """A rename that keeps size and mtime still shows in the inode."""
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    weights = checkpoint / "model.safetensors"
    other = checkpoint / "other"
    other.write_text("v")
    os.utime(other, ns=(weights.stat().st_atime_ns, weights.stat().st_mtime_ns))
    other.replace(weights)
    assert gate.look(NAME, now + 3).candidate is None


def test_a_copied_run_waits_for_quiet_and_is_marked(run: Run, checkpoint: Path) -> None:
    now = time.time()
    for name in ("trainer_state.json", "config.json", "model.safetensors"):
        touch(checkpoint / name, now)
    touch(checkpoint / "trainer_state.json", now - 1)
    gate = Gate(run)
    assert gate.look(NAME, now).settles_at == pytest.approx(now + 120, abs=1)
    assert gate.look(NAME, now + 119).candidate is None
    found = gate.look(NAME, now + 121).candidate
    assert found is not None
    assert found.order_unverified


def test_equal_mtimes_are_in_order(run: Run, checkpoint: Path) -> None:
    """A clock of whole seconds, or a fast disk: the state is not older than the rest, so only settling is asked."""
    now = time.time()
    for name in ("trainer_state.json", "config.json", "model.safetensors"):
        touch(checkpoint / name, now)
    gate = Gate(run)
    gate.look(NAME, now)
    found = gate.look(NAME, now + 2).candidate
    assert found is not None
    assert not found.order_unverified


def test_an_old_copied_run_need_not_wait_again(run: Run, checkpoint: Path) -> None:
    touch(checkpoint / "model.safetensors", time.time() - 600)
    gate, now = Gate(run), time.time()
    first = gate.look(NAME, now)
    assert first.candidate is None, "but for a second look"
    assert first.settles_at == now + 2
    found = gate.look(NAME, now + 2).candidate
    assert found is not None
    assert found.order_unverified


def test_mtimes_in_the_future_prove_nothing(run: Run, checkpoint: Path) -> None:
    touch(checkpoint / "model.safetensors", time.time() + 9000)
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    assert gate.look(NAME, now + 119).candidate is None
    assert gate.look(NAME, now + 120).candidate is not None


@pytest.mark.parametrize("state", ["", "{", "[]", '{"global_step": 9}', "{}"])
def test_a_state_that_is_not_this_steps(run: Run, checkpoint: Path, state: str) -> None:
    (checkpoint / "trainer_state.json").write_text(state)
    verdict = settle(Gate(run), 9000)
    assert verdict.candidate is None
    assert "trainer_state.json" in verdict.cause


def test_weights_without_a_state_pass_after_quiet_and_are_marked(
    run: Run, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An own loop with save_pretrained; of a Trainer that was killed, the weights are whole all the same."""
    (checkpoint / "trainer_state.json").unlink()
    now = time.time()
    for name in ("config.json", "model.safetensors"):
        touch(checkpoint / name, now)
    gate = Gate(run)
    first = gate.look(NAME, now)
    assert first.settles_at == pytest.approx(now + 120, abs=1)
    assert "has no trainer_state.json and is given 120 s of quiet" in first.cause
    assert gate.look(NAME, now + 119).candidate is None
    with caplog.at_level("INFO"):
        found = gate.look(NAME, now + 121).candidate
        gate.look(NAME, now + 122)
    assert found is not None
    assert (found.step, found.epoch, found.order_unverified) == (10, None, True)
    assert caplog.text.count("taken as complete after 120 s of quiet") == 1


def test_without_weights_no_quiet_is_long_enough(run: Run, checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()
    (checkpoint / "model.safetensors").unlink()
    verdict = settle(Gate(run), 9000)
    assert verdict.candidate is None and verdict.settles_at is None
    assert "has no weights: it is still being written" in verdict.cause


def test_a_pipe_in_place_of_the_state_is_none(run: Run, checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()
    os.mkfifo(checkpoint / "trainer_state.json")
    found = settle(Gate(run), 9000).candidate
    assert found is not None and found.order_unverified


def test_marked_incomplete(run: Run, checkpoint: Path) -> None:
    (checkpoint / "checkpoint-is-incomplete.txt").write_text("")
    assert "marked incomplete" in settle(Gate(run), 9000).cause


@pytest.mark.parametrize("what", ["size", "gone", "time", "new"])
def test_changed_after_it_was_announced_is_treated_as_unannounced(run: Run, checkpoint: Path, what: str) -> None:
    announce(run.path, 10, 1.0, {})
    weights = checkpoint / "model.safetensors"
    if what == "size":
        weights.write_text("longer")
    elif what == "gone":
        weights.unlink()
    elif what == "time":
        touch(weights, time.time() - 5000)
    else:
        (checkpoint / "tokenizer.json").write_text("{}")
    verdict = Gate(run).look(NAME, time.time())
    assert verdict.candidate is None
    assert "changed after it was announced" in verdict.cause


def test_a_passed_checkpoint_that_changes_is_looked_at_anew(run: Run, checkpoint: Path) -> None:
    announce(run.path, 10, 1.0, {})
    gate = Gate(run)
    assert gate.look(NAME, time.time()).candidate is not None
    (checkpoint / "model.safetensors").write_text("longer")
    assert gate.look(NAME, time.time()).candidate is None


def test_an_unreadable_commit_file(run: Run, checkpoint: Path) -> None:
    announce(run.path, 10, 1.0, {})
    (run.commits / f"{NAME}.json").write_text("{")
    verdict = settle(Gate(run))
    assert verdict.candidate is not None, "the rule for plain transformers still holds"


@pytest.mark.parametrize("other", [{"step": 11}, {"checkpoint": "checkpoint-11"}])
def test_a_commit_file_of_another_checkpoint(run: Run, checkpoint: Path, other: dict) -> None:
    path = announce(run.path, 10, 1.0, {})
    record = json.loads(path.read_text()) | other
    path.write_text(json.dumps(record))
    assert "another checkpoint" in Gate(run).look(NAME, time.time()).cause


def test_a_symbolic_link_is_refused(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("w")
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "model.safetensors").symlink_to(secret)
    verdict = settle(Gate(run))
    assert (verdict.candidate, verdict.cause, verdict.settles_at) == (None, "", None), "no wait ends that"
    assert "symbolic link" in verdict.refused


def test_the_optimizer_is_nobodys_business(run: Run, checkpoint: Path) -> None:
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    (checkpoint / "optimizer.pt").write_text("changes")
    (checkpoint / "rng_state_0.pth").write_text("changes")
    assert gate.look(NAME, now + 2).candidate is not None


def test_a_vanished_checkpoint(run: Run) -> None:
    verdict = Gate(run).look(NAME, time.time())
    assert verdict.candidate is None
    assert "cannot be read" in verdict.cause


def mark(checkpoint: Path, age_s: float = 0.0) -> None:
    (checkpoint / "READY").touch()
    touch(checkpoint / "READY", time.time() - age_s)


def test_a_marker_that_is_newer_than_the_weights_is_the_trainers_word(run: Run, checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()
    gate, now = Gate(run, marker="READY"), time.time()
    waiting = gate.look(NAME, now + 9000)
    assert waiting.candidate is None and waiting.settles_at is None
    assert "has no READY yet" in waiting.cause
    mark(checkpoint)
    found = gate.look(NAME, now).candidate
    assert found is not None
    assert (found.step, found.order_unverified) == (10, False)


def test_a_marker_before_the_weights_is_not_believed(run: Run, checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    mark(checkpoint)
    weights.unlink()
    gate = Gate(run, marker="READY")
    assert "but no weights" in gate.look(NAME, time.time() + 9000).cause
    weights.write_text("w")
    touch(weights, time.time() + 1)
    late = gate.look(NAME, time.time() + 9000)
    assert late.candidate is None and late.settles_at is None
    assert "READY is older than model.safetensors" in late.cause
    mark(checkpoint, age_s=-2)
    assert gate.look(NAME, time.time()).candidate is not None


def test_without_its_marker_a_trainers_checkpoint_waits_too(run: Run, checkpoint: Path) -> None:
    assert settle(Gate(run, marker="READY"), 9000).candidate is None
    (checkpoint / "checkpoint-is-incomplete.txt").write_text("")
    mark(checkpoint)
    assert "marked incomplete" in settle(Gate(run, marker="READY"), 9000).cause


def test_other_names_need_no_step_of_their_own(run: Run, checkpoint: Path) -> None:
    named = checkpoint.rename(run.path / "final")
    gate, now = Gate(run), time.time()
    gate.look("final", now)
    found = gate.look("final", now + 2).candidate
    assert found is not None
    assert (found.name, found.source, found.step, found.epoch) == ("final", named, 10, 1.0)
    assert not found.order_unverified


def test_the_model_in_the_runs_own_directory(run: Run, checkpoint: Path) -> None:
    """Logs and our own files beside it are no part of it."""
    for file in checkpoint.iterdir():
        file.rename(run.path / file.name)
    checkpoint.rmdir()
    gate, now = Gate(run), time.time()
    (run.path / "train.log").write_text("grows")
    gate.look("root-model", now)
    (run.path / "run.json").write_text("{}")
    (run.path / "train.log").write_text("grows and grows")
    found = gate.look("root-model", now + 2).candidate
    assert found is not None
    assert (found.source, found.step) == (run.path, 10)
    assert {file.name for file in found.files} == {"config.json", "model.safetensors", "trainer_state.json"}


def test_a_pickle_of_lightning(run: Run) -> None:
    (run.path / "last.ckpt").write_bytes(b"pickle")
    assert "can run code" in Gate(run).look("last.ckpt", time.time()).refused


def test_what_only_has_to_settle_is_promising(run: Run, just_saved: Path) -> None:
    gate, now = Gate(run), time.time()
    verdict = gate.look(NAME, now)
    assert (verdict.candidate, verdict.settles_at) == (None, now + 2.0)
    assert verdict.promising == gate.look(NAME, now + 2).candidate
    assert gate.look(NAME, now + 2).promising is None


@pytest.fixture
def just_saved(checkpoint: Path) -> Path:
    """The checkpoint as of now: the making of its last file was the directory's last change."""
    state = (checkpoint / "trainer_state.json").read_text()
    (checkpoint / "trainer_state.json").unlink()
    (checkpoint / "trainer_state.json").write_text(state)
    return checkpoint


def test_what_shows_a_deletion_is_not_promising(run: Run, just_saved: Path) -> None:
    later = time.time() + 1
    assert Gate(run).look(NAME, later).promising is not None
    (just_saved / "config.json").unlink()
    touch(just_saved, later)
    assert Gate(run).look(NAME, later).promising is None


def test_what_has_lost_files_waits_for_the_end_of_its_deletion(run: Run, checkpoint: Path) -> None:
    gate, now = Gate(run), time.time()
    gate.look(NAME, now)
    (checkpoint / "config.json").unlink()
    gate.look(NAME, now)
    verdict = gate.look(NAME, now + 60)
    assert verdict.candidate is None
    assert "has lost config.json (is it being deleted?)" in verdict.cause
    assert gate.look(NAME, now + 120).candidate is not None, "somebody removed it on purpose"


def test_a_copy_is_not_promising(run: Run, checkpoint: Path) -> None:
    touch(checkpoint / "config.json", time.time())
    assert Gate(run).look(NAME, time.time()).promising is None


def test_of_very_many_each_is_looked_at_again_within_some_looks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is overwritten after it passed is noticed, and one that has not passed is looked at each time."""
    monkeypatch.setattr("analyzer.checkpoints.gate.AT_ONCE", 10)
    for step in range(1, 46):
        (run.path / f"checkpoint-{step}").mkdir()
        (run.path / f"checkpoint-{step}" / "model.safetensors").write_text("w")
        announce(run.path, step, 1.0, {})
    (run.path / "checkpoint-50").mkdir()
    names, gate, now = run.checkpoints(), Gate(run), time.time()
    assert [name for name, verdict in gate.look_at_all(names, now).items() if not verdict.candidate] == names[-1:]
    for name in names[:-1]:
        (run.path / name / "model.safetensors").write_text("another")
    (run.path / names[-1] / "model.safetensors").write_text("w")
    announce(run.path, 50, 1.0, {})
    changed, looks = set(), []
    for _ in range(5):
        verdicts = gate.look_at_all(names, now)
        assert verdicts[names[-1]].candidate is not None
        found = {name for name, verdict in verdicts.items() if not verdict.candidate}
        looks.append(len(found - changed))
        changed |= found
    assert changed == set(names[:-1])
    assert all(looks) and max(looks) < 20, "in turns, not all at once"
