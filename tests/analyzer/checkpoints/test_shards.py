"""Shards of FSDP and DeepSpeed: one sentence with the command that merges them, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.checkpoints.shards import unmerged
from analyzer.checkpoints.soundness import validate
from shared.errors import CheckpointRejected


def layout(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


FSDP = ("trainer_state.json", "pytorch_model_fsdp_0/__0_0.distcp", "pytorch_model_fsdp_0/.metadata")
ZERO = ("config.json", "latest", "zero_to_fp32.py", "global_step5/mp_rank_00_model_states.pt")


def test_fsdp(tmp_path: Path) -> None:
    path = layout(tmp_path / "checkpoint-5", *FSDP)
    refusal = unmerged(path)
    assert refusal is not None and refusal.code == "unmerged_shards"
    assert f"`accelerate merge-weights {path}/pytorch_model_fsdp_0 {path}-merged`" in str(refusal)
    with pytest.raises(CheckpointRejected, match="accelerate merge-weights"):
        validate(path)


def test_distcp_files_in_the_checkpoint_itself(tmp_path: Path) -> None:
    path = layout(tmp_path / "step_5", "__0_0.distcp", "__1_0.distcp")
    assert f"accelerate merge-weights {path} {path}-merged" in str(unmerged(path))


def test_deepspeed_in_a_trainers_checkpoint(tmp_path: Path) -> None:
    path = layout(tmp_path / "a run" / "checkpoint-5", *ZERO)
    expected = f"`cd '{path}' && python zero_to_fp32.py . '{path}-merged' --safe_serialization`"
    assert expected in str(unmerged(path))
    with pytest.raises(CheckpointRejected, match=r"python zero_to_fp32\.py \."):
        validate(path)


def test_deepspeeds_own_directory_names_its_tag(tmp_path: Path) -> None:
    layout(tmp_path, *ZERO[1:])
    assert f"cd {tmp_path} && python zero_to_fp32.py . " in str(unmerged(tmp_path / "global_step5"))
    assert "--tag global_step5`" in str(unmerged(tmp_path / "global_step5"))


def test_weights_that_are_whole_are_read_whatever_lies_beside(tmp_path: Path) -> None:
    from tests.making.runs import judge_template

    path = layout(judge_template(tmp_path), "global_step5/mp_rank_00_model_states.pt", "zero_to_fp32.py")
    assert validate(path).files == ["model.safetensors"]


def test_nothing_in_shards(tmp_path: Path) -> None:
    assert unmerged(layout(tmp_path / "checkpoint-5", "config.json", "global_step5/notes.txt")) is None
    assert unmerged(tmp_path / "nowhere") is None
