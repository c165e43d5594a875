"""The callback, by itself and in a real Trainer."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainingArguments

import trainer.announce
from shared.files import read_record
from shared.records import CommitRecord
from tests.making.tiny import tiny_model, tiny_tokenizer
from trainer.announce import AnnounceCheckpoint, announce, newest_metrics

BLOCKED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"announce"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import announce
print(sorted(name for name in sys.modules if name.startswith(("torch", "transformers", "shared", "pydantic"))))
"""


def state(**changes: object) -> SimpleNamespace:
    return SimpleNamespace(
        **{"is_world_process_zero": True, "global_step": 7, "epoch": 0.5, "log_history": [], **changes}
    )


def test_runs_as_a_copied_file_with_the_standard_library_only(tmp_path: Path) -> None:
    shutil.copy(trainer.announce.__file__, tmp_path / "announce.py")
    command = [sys.executable, "-S", "-E", "-c", BLOCKED]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_real_trainer_announces_what_is_on_disk(tmp_path: Path) -> None:
    """The commit file's names, sizes and mtimes are the directory's; rotation has happened before."""
    tokenizer = tiny_tokenizer()
    rows = [{"input_ids": tokenizer("kill a person")["input_ids"], "labels": i % 2} for i in range(8)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=3,
        save_steps=1,
        save_total_limit=2,
        eval_strategy="steps",
        eval_steps=1,
        per_device_train_batch_size=2,
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
    )
    loop = Trainer(
        model=tiny_model(),
        args=arguments,
        train_dataset=rows,  # type: ignore[arg-type]
        eval_dataset=rows,  # type: ignore[arg-type]
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        callbacks=[AnnounceCheckpoint()],
    )
    loop.remove_callback(PrinterCallback)
    loop.train()
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-3"]
    for name in ("checkpoint-2", "checkpoint-3"):
        commit = read_record(tmp_path / "_midwatch" / "commits" / f"{name}.json", CommitRecord)
        assert (commit.checkpoint, commit.step) == (name, int(name[-1]))
        assert commit.metrics.keys() == {"val_loss"}
        on_disk = {path.name: path.stat() for path in (tmp_path / name).iterdir()}
        announced = {file.name: (file.size, file.mtime_ns) for file in commit.files}
        assert announced == {file: (stat.st_size, stat.st_mtime_ns) for file, stat in on_disk.items()}
        assert {"model.safetensors", "trainer_state.json", "tokenizer.json"} <= announced.keys()


def test_digests_of_the_weights_are_noted_when_asked_for(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-7"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_bytes(b"x" * (2**20 + 3))
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "optimizer.pt").write_bytes(b"x")
    for hashes in (False, True):
        AnnounceCheckpoint(hash=hashes).on_save(SimpleNamespace(output_dir=str(tmp_path)), state(), None)
        record = read_record(tmp_path / "_midwatch" / "commits" / "checkpoint-7.json", CommitRecord)
        found = {file.name: file.sha256 for file in record.files}
        expected = hashlib.sha256(b"x" * (2**20 + 3)).hexdigest() if hashes else ""
        assert found == {"config.json": "", "model.safetensors": expected, "optimizer.pt": ""}


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-7").mkdir()
    (tmp_path / "checkpoint-7" / os.fsdecode(b"bad\xff.json")).write_text("{}")
    announce(tmp_path, 7, 1.0, {})
    assert read_record(tmp_path / "_midwatch" / "commits" / "checkpoint-7.json", CommitRecord).files == []


def test_only_the_main_process_announces(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-7").mkdir()
    AnnounceCheckpoint().on_save(SimpleNamespace(output_dir=tmp_path), state(is_world_process_zero=False), None)
    assert not (tmp_path / "_midwatch").exists()


def test_a_failing_announcement_is_logged_and_never_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checkpoint-7").mkdir()
    (tmp_path / "_midwatch").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        AnnounceCheckpoint().on_save(SimpleNamespace(output_dir=str(tmp_path)), state(), None)
    assert "checkpoint-7 could not be announced" in caplog.text


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-7").mkdir()
    (tmp_path / "_midwatch" / "commits" / "checkpoint-7.json").mkdir(parents=True)  # a rename onto it fails
    with pytest.raises(OSError):
        announce(tmp_path, 7, None, {})
    assert [path.name for path in (tmp_path / "_midwatch" / "commits").iterdir()] == ["checkpoint-7.json"]


def test_links_and_folders_are_not_announced(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-7"
    (checkpoint / "folder").mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "link").symlink_to(checkpoint / "config.json")
    record = read_record(announce(tmp_path, 7, 0.5, {"val_f1": 0.5}), CommitRecord)
    assert [file.name for file in record.files] == ["config.json"]
    assert (record.epoch, record.metrics) == (0.5, {"val_f1": 0.5})


def test_newest_metrics_are_finite_numbers_of_the_last_evaluation() -> None:
    evaluation = {"eval_f1": 0.9, "eval_loss": float("nan"), "eval_runtime": 2.0, "eval_train_f1": 1, "step": 2}
    evaluation["eval_contrast_accuracy"] = 0.8
    history = [{"eval_f1": 0.1, "step": 1}, evaluation, {"loss": 0.3, "step": 3}]
    assert newest_metrics(history) == {"val_f1": 0.9, "train_f1": 1.0, "contrast_accuracy": 0.8}
    assert newest_metrics([]) == {}


def test_any_event_of_any_trainer_is_answered() -> None:
    assert AnnounceCheckpoint().on_event_of_the_future(None, None, None, model=1) is None
    with pytest.raises(AttributeError):
        AnnounceCheckpoint().something_else  # noqa: B018


@pytest.mark.parametrize("link", ["_midwatch", "_midwatch/commits"])
def test_nothing_is_announced_through_a_link(tmp_path: Path, link: str) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    (run / "checkpoint-5").mkdir(parents=True)
    home.mkdir()
    (run / link).parent.mkdir(exist_ok=True)
    (run / link).symlink_to(home)
    with pytest.raises(OSError, match="is a symbolic link"):
        announce(run, 5, 1.0, {})
    assert list(home.iterdir()) == []


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("dear")
    commits = tmp_path / "_midwatch" / "commits"
    commits.mkdir(parents=True)
    (tmp_path / "checkpoint-5").mkdir()
    (commits / f".checkpoint-5.{os.getpid()}.tmp").symlink_to(letter)
    announce(tmp_path, 5, 1.0, {})
    assert letter.read_text() == "dear"
    assert [path.name for path in commits.iterdir()] == ["checkpoint-5.json"]
