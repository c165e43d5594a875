"""The index of a result store: what is new is seen, what is damaged is told apart, and little is read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from analyzer.jobs.lineage import Ancestor, Lineage
from analyzer.jobs.result_index import HEADER_BYTES, PAYLOAD, StoreIndex, read_without_payload
from shared.errors import SchemaError
from shared.results import RESULT_FILE, ResultRecord, ResultStore


def record(key: str = "k", **fields: object) -> ResultRecord:
    values = {
        "analysis": "tokens", "analysis_version": 3, "checkpoint": "checkpoint-10", "step": 10, "epoch": 1.0,
        "key": key, "checkpoint_digest": "c", "probe_digest": "p", "settings": {"b": [1, 2], "a": None},
        "summary": {"x": 0.5}, "payload": {"words": ["w"] * 9},
    }  # fmt: skip
    return ResultRecord.model_validate(values | fields)


@pytest.fixture
def index(tmp_path: Path) -> StoreIndex:
    return StoreIndex(ResultStore(tmp_path / "results"))


def test_a_header_is_the_record_without_its_payload(index: StoreIndex) -> None:
    whole = record(warnings=['a "payload": {', "line\nbreak"], payload={"payload": {"payload": 1}, "text": "x" * 9})
    index.store.commit(whole)
    path = index.store.directory("checkpoint-10", "tokens", "k") / RESULT_FILE
    assert read_without_payload(path) == whole.model_copy(update={"payload": {}})


def test_a_result_is_written_so_that_reading_can_stop_before_its_payload(index: StoreIndex) -> None:
    assert [*ResultRecord.model_fields][-1] == "payload"
    index.store.commit(record(payload={"words": []}))
    text = (index.store.directory("checkpoint-10", "tokens", "k") / RESULT_FILE).read_bytes()
    head, mark, rest = text.partition(PAYLOAD)
    assert mark and json.loads(
        head.rstrip().removesuffix(b",") + b"}"
    ).keys() == ResultRecord.model_fields.keys() - {"payload"}
    assert json.loads(rest.rstrip().removesuffix(b"}")) == {"words": []}


def test_a_damaged_payload_is_not_read(index: StoreIndex) -> None:
    index.store.commit(record(payload={"words": ["w"] * HEADER_BYTES}))
    path = index.store.directory("checkpoint-10", "tokens", "k") / RESULT_FILE
    path.write_bytes(path.read_bytes()[:-100])
    assert read_without_payload(path).checkpoint_digest == "c"
    with pytest.raises(SchemaError):
        index.store.load("checkpoint-10", "tokens", "k")


def test_other_ways_to_write_json_are_read_whole(index: StoreIndex) -> None:
    index.store.commit(record())
    path = index.store.directory("checkpoint-10", "tokens", "k") / RESULT_FILE
    path.write_text(json.dumps(json.loads(path.read_bytes())))
    assert read_without_payload(path) == record(payload={})
    index.store.commit(record("long", settings={"a": "x" * 2 * HEADER_BYTES}))
    path = index.store.directory("checkpoint-10", "tokens", "long") / RESULT_FILE
    assert len(read_without_payload(path).settings["a"]) == 2 * HEADER_BYTES


@pytest.mark.parametrize(
    "text", ["", "{", '{\n "payload": {}}', "[]", '{\n "schema_version": 99,\n "payload": {}\n}']
)
def test_what_is_no_result_has_no_header(index: StoreIndex, text: str) -> None:
    index.store.commit(record())
    path = index.store.directory("checkpoint-10", "tokens", "k") / RESULT_FILE
    path.write_text(text)
    with pytest.raises(SchemaError):
        read_without_payload(path)
    assert index.keys("checkpoint-10", "tokens") == ["k"]
    assert index.header("checkpoint-10", "tokens", "k") is None


def test_a_comparison_tells_what_it_was_made_from(index: StoreIndex) -> None:
    earlier = Ancestor(checkpoint="checkpoint-5", keys={"circuits": "a"}, gram=True, transfer=False)
    lineage = Lineage(own={"tokens": "t", "circuits": "b"}, earlier=(earlier,))
    settings = {"n": 1, "lineage": lineage.model_dump(mode="json")}
    index.store.commit(record(settings=settings, summary={"transfer_kept": 0.7}))
    index.keys("checkpoint-10", "tokens")
    header = index.header("checkpoint-10", "tokens", "k")
    assert header is not None
    assert header[:4] == ("c", "p", 3, '{"n": 1}')
    assert (header.own, header.circuits, header.transfer) == (lineage.own, "a b", 0.7)


def test_commits_and_removals_are_seen(index: StoreIndex) -> None:
    """Also within one tick of the file system's clock, which leaves the folder's mtime as it was."""
    place = ("checkpoint-10", "tokens")
    assert index.keys(*place) == []
    index.store.commit(record("a"))
    assert index.keys(*place) == ["a"]
    index.store.commit(record("b"))
    index.store.remove(*place, "a")
    assert index.keys(*place) == ["b"]
    assert (index.has(*place, "b"), index.has(*place, "a")) == (True, False)


def test_an_old_folder_is_listed_once(index: StoreIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("checkpoint-10", "tokens")
    index.store.commit(record("a"))
    folder = index.store.root / "checkpoint-10" / "tokens"
    os.utime(folder, (1e9, 1e9))
    assert index.keys(*place) == ["a"]
    monkeypatch.setattr(ResultStore, "keys", lambda *_: pytest.fail("listed again"))
    assert index.keys(*place) == ["a"]
    monkeypatch.undo()
    index.store.commit(record("b"))
    assert set(index.keys(*place)) == {"a", "b"}
