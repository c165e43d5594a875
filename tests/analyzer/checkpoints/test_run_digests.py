"""What differs among all checkpoints of a run: the same as by reading all of them, and read once each."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from analyzer.checkpoints.base_model import BASE
from analyzer.checkpoints.digest import ContentDigest, changed_tensors, other_digests
from analyzer.checkpoints.run_digests import DigestedRuns, RunDigests
from shared.files import write_record

NAMES = ("embeddings", "layer0", "layer1", "head")


def digest(number: int, values: dict[str, str], base: str = "", content: str = "") -> ContentDigest:
    return ContentDigest(
        checkpoint=f"checkpoint-{number}",
        files=[],
        digest=f"{base}{sorted(values.items())}{content}",
        tensors=values,
        others={BASE: base} if base else {},
    )


def put(folder: Path, one: ContentDigest) -> Path:
    path = folder / f"{one.checkpoint}.json"
    write_record(path, one, durable=False)
    return path


def drawn(chance: random.Random, number: int) -> ContentDigest:
    names = NAMES if chance.random() < 0.8 else NAMES[1:]
    values = {name: chance.choice("aaab") for name in names}
    return digest(number, values, chance.choice(("", "", "base")), chance.choice(("", "", "the tokenizer's")))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_reading_all_of_them_tells(tmp_path: Path, seed: int) -> None:
    chance, known = random.Random(seed), DigestedRuns()
    for _ in range(25):
        number = chance.randrange(12)
        path = put(tmp_path, drawn(chance, number))
        if chance.random() < 0.1:
            path.unlink()
        one = drawn(chance, number)
        put(tmp_path, one)
        others = list(other_digests(tmp_path, one.checkpoint))
        found = known.at(tmp_path)
        assert found.changed(one) == changed_tensors(one, others)
        assert found.knows_others(one.checkpoint) == bool(others)


def test_each_is_read_once_until_it_is_another_file(tmp_path: Path) -> None:
    one, two = digest(1, dict.fromkeys(NAMES, "a")), digest(2, dict.fromkeys(NAMES, "a") | {"head": "b"})
    path = put(tmp_path, one)
    known = RunDigests(tmp_path)
    known.look()
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)  # whoever reads it again finds nothing in it
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    put(tmp_path, two)
    known.look()
    assert known.knows_others("checkpoint-2") and known.changed(two) == {"head"}
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    known.look()
    assert not known.knows_others("checkpoint-2") and known.changed(two) is None


def test_a_run_without_digests_knows_nothing(tmp_path: Path) -> None:
    found = DigestedRuns().at(tmp_path / "none")
    assert not found.knows_others("checkpoint-1") and found.changed(digest(1, {"head": "a"})) is None
