"""Loading: what is refused, and that a warm load equals a cold one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from analyzer.model.device import is_out_of_memory, resolve_device
from analyzer.model.judge import judge_facts
from analyzer.model.loading import load_judge
from shared.errors import CheckpointChanged, CheckpointRejected, JudgeError, UsageError
from shared.records import JudgeRecord
from tests.analyzer.model.test_warm_load import digests, moved
from tests.making.edited import edit_config, edit_tensors, scores
from tests.making.tiny import save_tiny_judge


def test_loads_frozen_in_eval_mode(checkpoint: Path) -> None:
    judge = load_judge(checkpoint, JudgeRecord())
    assert not judge.model.training
    assert not any(parameter.requires_grad for parameter in judge.model.parameters())
    facts = judge_facts(judge)
    assert facts["family"] == "bert" and facts["layers"] == 2 and facts["hidden_size"] == 32
    assert facts["norm_position"] == "post" and facts["pooling"] == "cls"
    assert facts["parameters"] == sum(t.numel() for t in load_file(checkpoint / "model.safetensors").values())
    assert json.dumps(facts)


def test_labels_come_from_the_record(checkpoint: Path) -> None:
    plain = scores(load_judge(checkpoint, JudgeRecord()))
    swapped = scores(load_judge(checkpoint, JudgeRecord(safe_id=1, unsafe_id=0)))
    assert swapped == pytest.approx([-value for value in plain])


def test_a_file_overwritten_later_does_not_change_the_judge(checkpoint: Path) -> None:
    judge = load_judge(checkpoint, JudgeRecord())
    before = scores(judge)
    path = checkpoint / "model.safetensors"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\0" * (size - size // 2))
    assert scores(judge) == before


def test_weights_that_were_refused_are_refused_again(checkpoint: Path) -> None:
    judge = load_judge(checkpoint, JudgeRecord(), tensors=digests(checkpoint))
    damaged = moved(checkpoint, 20, {"classifier.bias"}, float("nan"))
    for _ in range(2):
        with pytest.raises(JudgeError, match=r"classifier\.bias holds NaN"):
            load_judge(damaged, JudgeRecord(), warm=judge, tensors=digests(damaged))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classifier__weight": None}, "1 missing (classifier.weight)"),
        ({"extra__weight": torch.ones(2)}, "1 unexpected (extra.weight)"),
        ({"bert__pooler__dense__bias": torch.ones(5)}, "1 mismatched (bert.pooler.dense.bias)"),
    ],
)
def test_keys_that_do_not_fit_are_refused(checkpoint: Path, changes: dict[str, torch.Tensor], words: str) -> None:
    edit_tensors(checkpoint, **changes)
    with pytest.raises(CheckpointRejected) as caught:
        load_judge(checkpoint, JudgeRecord())
    assert caught.value.code == "missing_keys" and words in str(caught.value)


def test_old_position_buffers_are_harmless(checkpoint: Path) -> None:
    wanted = scores(load_judge(checkpoint, JudgeRecord()))
    edit_tensors(checkpoint, bert__embeddings__position_ids=torch.arange(80)[None])
    first = load_judge(checkpoint, JudgeRecord())
    assert scores(first) == wanted
    assert scores(load_judge(checkpoint, JudgeRecord(), warm=first)) == wanted


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_no_training_leaves_are_refused(checkpoint: Path, value: float, warm: bool) -> None:
    first = load_judge(checkpoint, JudgeRecord()) if warm else None
    edit_tensors(checkpoint, bert__encoder__layer__1__output__dense__weight=torch.full((32, 64), value))
    with pytest.raises(JudgeError, match="NaN or infinity"):
        load_judge(checkpoint, JudgeRecord(), warm=first)


@pytest.mark.parametrize("labels", [1, 3])
def test_only_two_classes(tmp_path: Path, labels: int) -> None:
    with pytest.raises(JudgeError, match=f"has {labels} class"):
        load_judge(save_tiny_judge(tmp_path / "c", "bert", labels=labels), JudgeRecord())


def test_no_tokenizer_is_refused_not_invented(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").unlink()
    with pytest.raises(JudgeError, match="no tokenizer"):
        load_judge(checkpoint, JudgeRecord())


def test_pickles_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(JudgeError):
        load_judge(checkpoint, JudgeRecord())


def test_an_adapter_must_name_its_base(checkpoint: Path) -> None:
    (checkpoint / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointRejected) as caught:
        load_judge(checkpoint, JudgeRecord())
    assert caught.value.code == "bad_config"


@pytest.mark.parametrize(
    "record", [JudgeRecord(kind="prompted"), JudgeRecord(safe_id=0, unsafe_id=0), JudgeRecord(unsafe_id=7)]
)
def test_records_that_no_classifier_can_serve(checkpoint: Path, record: JudgeRecord) -> None:
    with pytest.raises(JudgeError):
        load_judge(checkpoint, record)


def test_code_of_strangers_is_not_run(checkpoint: Path) -> None:
    edit_config(checkpoint, model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    (checkpoint / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(JudgeError, match="cannot be loaded"):
        load_judge(checkpoint, JudgeRecord())


def test_truncated_and_vanished(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises((CheckpointRejected, JudgeError)):
        load_judge(checkpoint, JudgeRecord())
    shutil.rmtree(checkpoint)
    with pytest.raises(CheckpointChanged):
        load_judge(checkpoint, JudgeRecord())


def test_a_decoder_without_padding_token_gets_one(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "c", "llama")
    wanted = scores(load_judge(path, JudgeRecord()))
    edit_config(path, pad_token_id=None)
    config = path / "tokenizer_config.json"
    config.write_text(json.dumps({k: v for k, v in json.loads(config.read_text()).items() if k != "pad_token"}))
    assert scores(load_judge(path, JudgeRecord())) == pytest.approx(wanted, abs=1e-5)


def test_devices() -> None:
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="choose auto"):
        resolve_device("tpu")
    with pytest.raises(UsageError, match="visible"):
        resolve_device("cuda:99")
    assert resolve_device("auto") in {"cpu", f"cuda:{torch.cuda.device_count() - 1}"}
    assert is_out_of_memory(MemoryError()) and not is_out_of_memory(ValueError())
