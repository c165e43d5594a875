"""What a checkpoint directory looks like from outside."""

from __future__ import annotations

from pathlib import Path

from analyzer.checkpoints.fingerprint import fingerprint, newest_mtime


def test_files_of_the_judge_by_name_and_nothing_else(tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json", "optimizer.pt", "rng_state_0.pth", ".hidden", "README.md"):
        (tmp_path / name).write_text(name)
    (tmp_path / "global_step10").mkdir()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    found = fingerprint(tmp_path)
    assert [file.name for file in found] == ["config.json", "model.safetensors"]
    for file in found:
        info = (tmp_path / file.name).stat()
        assert file[1:] == (info.st_ino, info.st_size, info.st_mtime_ns)
    assert newest_mtime(found) == max(file.mtime_ns for file in found) / 1e9
    assert newest_mtime(()) == 0
