"""A checkpoint one byte of whose header is another one, or whose weights end early, through the whole load.

Accepted is what loads and holds other numbers, or the same under other names, than what was saved.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from analyzer.checkpoints.soundness import validate
from analyzer.model.loading import load_judge
from shared.errors import CheckpointRejected, JudgeError
from shared.records import JudgeRecord
from tests.making.runs import judge_template

SHORT_STRIDE = 127
"""Every so many bytes of the header one is changed in the short form."""
CUTS = 200
"""Places at which the file is cut off."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the tests damage."""
    folder = tmp_path_factory.mktemp("damaged")
    return shutil.copytree(judge_template(folder), folder / "checkpoint-10")


def others(byte: int) -> list[int]:
    """Eight other values: its neighbours, one bit of it, and what means something in JSON."""
    found = dict.fromkeys([byte + 1 & 255, byte - 1 & 255, byte ^ 0x80, byte ^ 0x20, *b'0"{9, ]'])
    return [value for value in found if value != byte][:8]


def loaded(checkpoint: Path) -> dict[str, torch.Tensor] | None:
    """The numbers as the analyzer would have them; None for what it refuses."""
    try:
        validate(checkpoint)
        judge = load_judge(checkpoint, JudgeRecord(max_length=32))
    except (CheckpointRejected, JudgeError):
        return None
    return {name: tensor.clone() for name, tensor in judge.model.state_dict().items()}


def wrong(checkpoint: Path, whole: dict[str, torch.Tensor]) -> bool:
    """Whether it was accepted as another one."""
    found = loaded(checkpoint)
    return found is not None and (
        found.keys() != whole.keys() or any(not torch.equal(found[name], whole[name]) for name in whole)
    )


def changed(data: bytes, places: Iterable[int]) -> Iterable[tuple[int, bytes]]:
    """The file with another byte at each of the places, by eight values."""
    for place in places:
        for value in others(data[place]):
            yield place, data[:place] + bytes([value]) + data[place + 1 :]


def accepted(checkpoint: Path, stride: int) -> tuple[int, list[str]]:
    """How many headers were tried, and those that were taken for another checkpoint's."""
    weights = checkpoint / "model.safetensors"
    data, whole = weights.read_bytes(), loaded(checkpoint)
    assert whole is not None
    tried, found = 0, []
    (length,) = struct.unpack("<Q", data[:8])
    try:
        for place, damaged in changed(data, range(0, 8 + length, stride)):
            tried += 1
            weights.write_bytes(damaged)
            if wrong(checkpoint, whole):
                found.append(f"byte {place}: {damaged[max(8, place - 40) : place + 40]!r}")
    finally:
        weights.write_bytes(data)
    return tried, found


def test_a_changed_byte_of_the_header_is_not_accepted(checkpoint: Path) -> None:
    tried, found = accepted(checkpoint, SHORT_STRIDE)
    assert tried > 150 and found == []


@pytest.mark.slow
def test_no_changed_byte_of_the_header_is_accepted(checkpoint: Path) -> None:
    tried, found = accepted(checkpoint, 1)
    print(f"{tried} headers, accepted {len(found)}")
    assert tried > 20_000 and found == []


def test_a_file_that_ends_early_is_not_accepted(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    data = weights.read_bytes()
    try:
        for number in range(CUTS):
            weights.write_bytes(data[: number * len(data) // CUTS])
            assert loaded(checkpoint) is None
    finally:
        weights.write_bytes(data)


def test_one_number_that_is_another_is_told_apart(checkpoint: Path) -> None:
    """That what is said of headers can fail: a changed number loads, and is seen."""
    weights = checkpoint / "model.safetensors"
    data, whole = weights.read_bytes(), loaded(checkpoint)
    assert whole is not None and json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    try:
        weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert wrong(checkpoint, whole)
    finally:
        weights.write_bytes(data)
