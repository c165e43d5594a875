from __future__ import annotations

import errno
import json
import math
import multiprocessing
import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shared import files
from shared.errors import SchemaError
from shared.files import append_jsonl, read_json, read_jsonl, read_record, write_bytes_atomic, write_json_atomic
from shared.records import RunRecord
from tests.making.waiting import LIMIT_S


def no_space(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "status.json"
    write_json_atomic(path, {"old": True})
    monkeypatch.setattr(files.os, broken, no_space)
    with pytest.raises(OSError, match="No space left"):
        write_json_atomic(path, {"new": True})
    assert read_json(path) == {"old": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def replace_forever(path: Path, fill: str) -> None:
    while True:
        write_bytes_atomic(path, fill.encode() * 200_000, durable=False)


def test_a_reader_beside_a_killed_writer_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_bytes_atomic(path, b"a" * 200_000)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=replace_forever, args=(path, fill)) for fill in "bc"]
    for writer in writers:
        writer.start()
    seen: set[bytes] = set()
    deadline = time.monotonic() + LIMIT_S
    while len(seen) < 3 and time.monotonic() < deadline:
        data = path.read_bytes()
        assert len(data) == 200_000
        assert data == data[:1] * 200_000
        seen.add(data[:1])
    for writer in writers:
        writer.kill()
        writer.join()
    assert len(seen) == 3
    data = path.read_bytes()
    assert data == data[:1] * 200_000


def test_files_are_readable_by_others(tmp_path: Path) -> None:
    """mkstemp's 0600 would keep the dashboard, another user in its container, out."""
    write_json_atomic(tmp_path / "new" / "a.json", {})
    assert stat.S_IMODE((tmp_path / "new" / "a.json").stat().st_mode) == 0o644


def test_nan_is_refused_and_odd_text_survives(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomic(tmp_path / "a.json", {"x": math.nan})
    assert not list(tmp_path.iterdir())
    write_json_atomic(tmp_path / "a.json", {"é": "\U0001f600</script>"})
    assert read_json(tmp_path / "a.json") == {"é": "\U0001f600</script>"}


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(SchemaError, match="not valid JSON"):
        read_json(tmp_path / "a.json")


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 10)
    (tmp_path / "a.json").write_text(json.dumps("x" * 20))
    with pytest.raises(SchemaError, match="refusing"):
        read_json(tmp_path / "a.json")


def test_a_newer_record_is_refused_by_name_and_an_unknown_field_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"schema_version": 2}')
    with pytest.raises(
        SchemaError, match=r"run.json was written by a newer Midwatch \(schema 2, this one reads 1\)"
    ):
        read_record(path, RunRecord)
    path.write_text('{"schema_version": 1, "from_the_future": 3, "model": "m"}')
    assert read_record(path, RunRecord).model == "m"


@pytest.mark.parametrize("content", ["[]", '{"created_at": "yesterday"}', '{"schema_version": "x"}'])
def test_a_wrong_record_names_file_and_field(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(SchemaError, match=r"run.json is not a valid RunRecord"):
        read_record(tmp_path / "run.json", RunRecord)


def test_a_record_without_schema_version_is_read(tmp_path: Path) -> None:
    class Plain(BaseModel):
        a: int

    write_json_atomic(tmp_path / "a.json", {"a": 1, "schema_version": 99})
    assert read_record(tmp_path / "a.json", Plain).a == 1


def test_a_torn_last_line_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_jsonl(path, {"step": 1})
    with path.open("a") as file:
        file.write('{"step": 2, "lo')  # the process died here
    assert [line["step"] for line in read_jsonl(path)] == [1]
    append_jsonl(path, {"step": 3})
    append_jsonl(path, {"step": 4})
    assert [line["step"] for line in read_jsonl(path)] == [1, 3, 4]


def test_lines_that_are_not_objects_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'[1]\n\n\xff\n"x"\n' + b"[" * 100_000 + b'\n{"step": 1}\n')
    assert list(read_jsonl(path)) == [{"step": 1}]
    assert list(read_jsonl(tmp_path / "none.jsonl")) == []


def make_odd(path: Path, kind: str) -> None:
    """Something in place of a file that is none."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to(kind)


@pytest.mark.parametrize("kind", ["pipe", "directory", "socket", "/dev/zero", "/dev/tty"])
def test_what_is_no_file_is_neither_read_nor_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has 108 bytes at most
    make_odd(Path("run.json"), kind)
    with pytest.raises((SchemaError, OSError)) as caught:
        read_json(tmp_path / "run.json")
    assert isinstance(caught.value, SchemaError) or kind == "/dev/tty", "there may be no terminal"
    assert kind == "/dev/tty" or list(read_jsonl(tmp_path / "run.json")) == []


def test_a_line_without_end_costs_no_memory_and_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 32)
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n' + '{"a": "' + "x" * 64 + '"}\n{"step": 2}\n' + "1" * 40 + '{"step": 3}')
    assert [line["step"] for line in read_jsonl(path)] == [1, 2]
