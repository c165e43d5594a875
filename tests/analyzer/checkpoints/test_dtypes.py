"""One changed byte in a header gives a tensor another type of the same width: no parameter may have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.checkpoints.dtypes import check_dtypes
from analyzer.checkpoints.safetensors_header import BITS, TensorSpan, read_header
from shared.errors import CheckpointRejected

FLOATS = ("F64", "F32", "F16", "BF16")


def span(dtype: str, *shape: int) -> TensorSpan:
    return TensorSpan(dtype, shape or (4, 4), 0, 0)


PACKED = tuple(dtype for dtype in sorted(BITS) if dtype.startswith(("F4", "F6_", "F8")))


@pytest.mark.parametrize("dtype", sorted(BITS.keys() - {*FLOATS, *PACKED}))
@pytest.mark.parametrize("key", ["encoder.layer.0.output.dense.weight", "classifier.bias", "a.q.lora_A.weight"])
def test_a_parameter_is_a_floating_point_number(key: str, dtype: str) -> None:
    tensors = {"other.weight": span("F32"), key: span(dtype, 4) if key.endswith("bias") else span(dtype)}
    with pytest.raises(CheckpointRejected, match=rf"checkpoint-1 holds '{key}' as {dtype}.*copy") as caught:
        check_dtypes({}, tensors, "checkpoint-1")
    assert caught.value.code == "bad_header"
    check_dtypes({"quantization_config": {}}, tensors, "checkpoint-1")
    check_dtypes({"text_config": {"quantization_config": {"bits": 4}}}, tensors, "checkpoint-1")
    check_dtypes({"compression_config": {"format": "pack-quantized"}}, tensors, "checkpoint-1")


@pytest.mark.parametrize("dtype", PACKED)
def test_packed_weights_without_a_word_how_are_not_called_damaged(dtype: str) -> None:
    with pytest.raises(CheckpointRejected, match=rf"'a.weight' as {dtype}.*no quantization_config") as caught:
        check_dtypes({}, {"a.weight": span(dtype)}, "checkpoint-1")
    assert caught.value.code == "packed"
    check_dtypes({"quantization_config": {"quant_method": "fp8"}}, {"a.weight": span(dtype)}, "checkpoint-1")


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_precision_that_is_trained_in_passes(dtype: str) -> None:
    check_dtypes({}, {"a.weight": span(dtype), "norm.weight": span("F32", 4)}, "checkpoint-1")


def test_two_kinds_of_16_bits_are_refused() -> None:
    tensors = {"a.weight": span("BF16"), "b.weight": span("F16"), "norm.weight": span("F32")}
    with pytest.raises(CheckpointRejected, match=r"both in F16 .*'b.weight'.* and in BF16 .*'a.weight'"):
        check_dtypes({}, tensors, "checkpoint-1")


def test_a_buffer_of_another_16_bits_is_no_damage() -> None:
    check_dtypes({}, {"a.weight": span("BF16"), "rotary_emb.inv_freq": span("F16", 4)}, "checkpoint-1")


def test_an_adapter_may_hold_a_head_that_was_loaded_otherwise() -> None:
    prefix = "base_model.model."
    tensors = {f"{prefix}q.lora_A.weight": span("BF16"), f"{prefix}score.weight": span("F16")}
    check_dtypes(None, tensors, "checkpoint-1")
    with pytest.raises(CheckpointRejected, match="which no parameter of a model is"):
        check_dtypes(None, {**tensors, f"{prefix}k.lora_A.weight": span("I32")}, "checkpoint-1")


@pytest.mark.parametrize(
    ("key", "dtype", "shape"),
    [
        ("bert.embeddings.position_ids", "I64", (1, 512)),
        ("transformer.h.0.attn.bias", "BOOL", (1, 1, 8, 8)),
        ("transformer.h.0.attn.bias", "U8", (1, 1, 8, 8)),
        ("bn.num_batches_tracked", "I64", ()),
        ("base_model.model.q.vblora_logits_A.indices", "I32", (4,)),
        ("base_model.model.q.shira_indices", "I32", (2, 4)),
        ("relative_position_index", "I32", (4, 4)),
        ("attention_bias_idxs", "I32", (4, 4)),
    ],
)
def test_buffers_hold_whole_numbers(key: str, dtype: str, shape: tuple[int, ...]) -> None:
    check_dtypes({}, {"a.weight": span("F32"), key: TensorSpan(dtype, shape, 0, 0)}, "checkpoint-1")


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_every_change_of_one_byte_of_a_type_is_refused(tmp_path: Path, kind: type) -> None:
    """Each byte of each type, changed to every other value: what the reader still takes, this refuses."""
    path = tmp_path / "model.safetensors"
    save_file({name: np.ones((2, 2), kind) for name in ("a.weight", "b.bias")}, path)
    sound, name = path.read_bytes(), {np.float32: b'"F32"', np.float16: b'"F16"'}[kind]
    accepted = []
    start = 0
    while (start := sound.find(name, start + 1)) > 0:
        for place in range(start + 1, start + 4):
            for value in range(256):
                data = bytearray(sound)
                if data[place] == value:
                    continue
                data[place] = value
                path.write_bytes(data)
                try:
                    check_dtypes({}, read_header(path), "checkpoint-1")
                except CheckpointRejected:
                    continue
                accepted.append(bytes(data[start : start + 5]))
    assert accepted == []
