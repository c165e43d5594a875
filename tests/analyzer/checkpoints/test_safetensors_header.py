"""The header reader against hand-made damage, and against the safetensors library on random damage."""

from __future__ import annotations

import json
import os
import random
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from analyzer.checkpoints.safetensors_header import read_header
from shared.errors import CheckpointRejected

TENSORS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.ones(5, np.float16),
    "empty": np.ones((0, 2)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint-1" / "model.safetensors"
    path.parent.mkdir()
    save_file(TENSORS, path, {"format": "pt"})
    return path


def with_header(path: Path, header: object, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def code(path: Path) -> str:
    with pytest.raises(CheckpointRejected) as caught:
        read_header(path)
    assert str(caught.value).startswith("checkpoint-1/model.safetensors ")
    return caught.value.code


def test_spans_are_where_the_bytes_are(path: Path) -> None:
    spans = read_header(path)
    assert spans.keys() == TENSORS.keys()
    data = path.read_bytes()
    for name, array in TENSORS.items():
        assert data[spans[name].begin : spans[name].end] == array.tobytes()
        assert spans[name].shape == array.shape


@pytest.mark.parametrize("kept", [0, 7, 8, 40, -1])
def test_a_truncated_file(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    assert code(path) == "truncated"


def test_zeros_in_place_of_the_file(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))
    assert code(path) == "zero_filled"


def test_bytes_too_many(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")
    assert code(path) == "wrong_size"


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{not json", b""),
        ([], b""),
        ({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, bytes(12)),  # a gap
        ({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)),  # an overlap
        ({"a": tensor(0, 4, [2])}, bytes(4)),  # shape and bytes disagree
        ({"a": tensor(0, 4, [1], "F99")}, bytes(4)),
        ({"a": tensor(0, 4, [-1])}, bytes(4)),
        ({"a": tensor(4, 0, [-1])}, bytes(4)),
        ({"a": tensor(0, 4, [-1, -1])}, bytes(4)),
        ({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
        ({"a": 3}, bytes(4)),
        ({"a": tensor(0, 4, [[1]])}, bytes(4)),  # type: ignore[list-item]
        (b"[" * 5000, b""),
    ],
)
def test_a_damaged_header(path: Path, header: object, data: bytes) -> None:
    assert code(with_header(path, header, data)) == "bad_header"


HUGE = "9" * 4299
ONE = b'{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b'{"a": %s, "a": %s}' % (ONE, ONE), id="a tensor twice"),
        pytest.param(b'{"a": %s, "dtype": "F16"}' % ONE, id="no tensor"),
        pytest.param(ONE.replace(b'{"dtype"', b'{"a": {"dtype": "I32", "dtype"') + b"}", id="a dtype twice"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[true]"), id="true"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[1.0]"), id="a fraction"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[NaN]"), id="NaN"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b'"1"'), id="a text"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[1e999, 0]"), id="infinity"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[1, 1, 1, 1, 1, 1, 1, 1, 1]"), id="nine dimensions"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", b"[281474976710656, 0]"), id="2^48"),
        pytest.param(b'{"a": %s}' % ONE.replace(b"[1]", f"[{10**400}, 1.5]".encode()), id="400 digits"),
        pytest.param(b'{"\\ud800": %s}' % ONE, id="half a surrogate pair"),
        pytest.param(b'\xef\xbb\xbf{"a": %s}' % ONE, id="a byte order mark"),
        pytest.param(json.dumps({"a": json.loads(ONE)}).encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a": %s, "__metadata__": {"x": Infinity}}' % ONE, id="infinity in the metadata"),
    ],
)
def test_a_header_that_is_read_in_two_ways(path: Path, header: bytes) -> None:
    assert code(with_header(path, header, bytes(4))) == "bad_header"


def test_huge_numbers_cost_no_time(path: Path) -> None:
    """A shape of 1,000 numbers of 4,299 digits took 211 s to multiply."""
    header = f'{{"a": {{"dtype": "F32", "shape": [{", ".join([HUGE] * 1000)}], "data_offsets": [0, 4]}}}}'
    started = time.process_time()
    assert code(with_header(path, header.encode(), bytes(4))) == "bad_header"
    most = ", ".join([str(2**48 - 1)] * 8)
    many = ", ".join(f'"{n}": {{"dtype": "F32", "shape": [{most}], "data_offsets": [0, 4]}}' for n in range(9000))
    assert code(with_header(path, f"{{{many}}}".encode(), bytes(4))) == "bad_header"
    assert time.process_time() - started < 1


def test_a_pipe_in_place_of_the_file(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    assert code(path) == "bad_header"


def test_no_tensors(path: Path) -> None:
    assert code(with_header(path, {"__metadata__": {"format": "pt"}})) == "no_tensors"


def test_a_header_length_that_lies(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    assert code(path) == "truncated"


def test_a_header_that_is_cut_off(path: Path) -> None:
    """Its length counts from behind the eight bytes that say it."""
    raw = json.dumps({"a": tensor(0, 0, [0])}).encode()
    path.write_bytes(struct.pack("<Q", len(raw) + 8) + raw)
    assert code(path) == "truncated"


def test_a_header_longer_than_the_library_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    monkeypatch.setattr("analyzer.checkpoints.safetensors_header.MAX_HEADER_BYTES", length)
    assert read_header(path)
    monkeypatch.setattr("analyzer.checkpoints.safetensors_header.MAX_HEADER_BYTES", length - 1)
    assert code(path) == "truncated"


def test_an_empty_tensor_may_be_named_after_the_one_that_begins_there(path: Path) -> None:
    spans = read_header(with_header(path, {"a": tensor(0, 4, [1]), "empty": tensor(0, 0, [0])}, bytes(4)))
    assert spans["empty"].begin == spans["empty"].end == spans["a"].begin == path.stat().st_size - 4


def test_flipped_bits_of_the_header_as_safetensors_itself_sees_them(path: Path) -> None:
    """What we accept, the library accepts; a flip inside the tensors' bytes nobody can see."""
    sound = path.read_bytes()
    start = 8 + struct.unpack("<Q", sound[:8])[0]
    draw = random.Random(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(sound)
        damaged[draw.randrange(start)] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            read_header(path)
        except CheckpointRejected:
            refused += 1
            continue
        try:
            with safe_open(path, "np") as file:
                list(file.keys())
        except SafetensorError as error:
            pytest.fail(f"accepted what safetensors refuses: {error}")
    assert refused > 200
