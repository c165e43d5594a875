"""What a mirror is given, and what strangers store: one sentence, nothing lost, nothing outside the copy."""

from __future__ import annotations

import errno
import gc
import io
import json
import logging
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from analyzer.mirror.address import Address, checked_endpoint, parse_address
from analyzer.mirror.bucket import Bucket, require
from analyzer.mirror.follow import follow
from analyzer.mirror.own_mirror import open_mirror
from analyzer.mirror.push import _published
from analyzer.mirror.rounds import Mirroring
from analyzer.mirror.staging import LocalDiskFull
from shared.errors import LinkInTheWay, RunError, StorageRefused, UsageError
from tests.making.bucket_server import KEY, BucketServer, bucket_server
from tests.making.commands_here import midwatch
from tests.making.runs import add_checkpoint, describe, judge_template, snapshot
from tests.making.stored_runs import InMemory, bucket_of, files_of, save_version, version_here

NAME = "checkpoint-10"
SECRET = "hunter2-hunter2"  # noqa: S105 (nobody's)
Usage = namedtuple("Usage", "total used free")


def now() -> float:
    return 4_000_000_000.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s3://bucket/runs/judge/", Address("s3", "bucket/runs/judge")),
        ("S3A://bucket", Address("s3", "bucket")),
        ("gcs://b/x y", Address("gs", "b/x y")),
        ("hf://org/model", Address("hf", "org/model")),
    ],
)
def test_addresses(text: str, found: Address) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("runs/judge", "is no address"),
        ("ftp://host/run", "not known"),
        ("file:///etc", "not known"),
        ("s3://", "names no place"),
        ("s3://bucket/../other", "names no place"),
        ("s3://bucket//run", "names no place"),
        ("s3://bucket/a\nb", "names no place"),
        ("s3://bucket/" + "x" * 2000, "names no place"),
        ("hf://org", "organisation/model"),
        ("hf://org/model/deep", "organisation/model"),
    ],
)
def test_what_is_no_address_is_one_sentence(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        f"s3://{KEY}:{SECRET}@bucket/run",
        f"s3://bucket/run?X-Amz-Signature={SECRET}",
        f"s3://bucket/run#{SECRET}",
        f"{KEY}:{SECRET}@bucket/run",
        f"https://user:{SECRET}@minio/run",
    ],
)
def test_credentials_in_an_address_are_refused_and_never_repeated(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    done = midwatch("mirror", text, tmp_path / "copy")
    assert done.returncode == 2 and "credentials" in done.stderr
    assert SECRET not in done.stdout + done.stderr + caplog.text and KEY not in done.stderr
    assert not (tmp_path / "copy").exists()
    with pytest.raises(UsageError) as caught:
        checked_endpoint(f"https://user:{SECRET}@minio")
    assert SECRET not in str(caught.value)


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.mirror.bucket.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"s3fs.*pip install 'midwatch\[remote\]'"):
        require("s3")
    with pytest.raises(UsageError, match="gcsfs"):
        require("gs")


def test_a_bucket_that_is_not_there_or_does_not_answer(server: BucketServer, tmp_path: Path) -> None:
    done = midwatch("mirror", "s3://no-such-bucket-here/run", tmp_path / "a", "--endpoint", server.endpoint)
    assert done.returncode == 2 and "There is no bucket no-such-bucket-here" in done.stderr
    done = midwatch("mirror", "s3://bucket/run", tmp_path / "b", "--endpoint", "http://127.0.0.1:9")
    assert done.returncode == 1 and "cannot be listed" in done.stderr and done.stderr.count("\n") == 1


def test_a_bucket_without_permission_is_one_sentence(tmp_path: Path) -> None:
    with bucket_server({"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as closed:
        bucket = closed.new_bucket()  # the one action that is not asked for permission
        done = midwatch("mirror", f"s3://{bucket}/run", tmp_path / "copy", "--endpoint", closed.endpoint)
    assert done.returncode == 1 and "no permission to list it" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and KEY not in done.stderr


def test_an_empty_bucket_is_said(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    done = midwatch("mirror", f"s3://{bucket}/run", tmp_path / "copy", "--endpoint", server.endpoint)
    assert done.returncode == 1 and "There is no checkpoint in" in done.stderr


def test_a_trainings_own_run_is_never_written_into(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, judge_template(tmp_path))
    before = snapshot(run)
    with pytest.raises(UsageError, match="no mirror put there"), open_mirror(run, "s3://bucket/run"):
        pass
    assert snapshot(run) == before


def test_the_copy_of_another_run_is_left_alone(tmp_path: Path) -> None:
    with open_mirror(tmp_path / "copy", "s3://bucket/one"):
        pass
    with pytest.raises(UsageError, match="copy of s3://bucket/one"), open_mirror(tmp_path / "copy", "s3://b/two"):
        pass


def test_where_files_cannot_be_locked_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.mirror.own_mirror.fcntl", None)
    with pytest.raises(UsageError, match="WSL"), open_mirror(tmp_path / "copy", "s3://b/run"):
        pass
    assert not (tmp_path / "copy").exists()


def test_a_second_mirror_is_refused_while_the_first_works(tmp_path: Path) -> None:
    again = open_mirror(tmp_path / "copy", "s3://bucket/run")
    with open_mirror(tmp_path / "copy", "s3://bucket/run"), pytest.raises(RunError, match="Another mirror"), again:
        pass
    with open_mirror(tmp_path / "copy", "s3://bucket/run"):
        pass


def test_hostile_names_write_nothing_outside(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    save_version(server, bucket, 1, announced=False)
    for key in (
        f"run/{NAME}/../../../escaped",
        "run/../escaped",
        "run//etc/escaped",
        f"run/{NAME}/a\x01b",
        f"run/{NAME}/a\\b",
        f"run/{NAME}/" + "x" * 300,
        "run/_midwatch/commits/../../escaped.json",
        "run/_midwatch/mirror/mirror.json",
        "run/_midwatch/source.json",
        f"run/{NAME}/.hidden",
        f"run/{NAME}/sub/config.json",
    ):
        server.put(bucket, key, b"{}")
    source = bucket_of(server, bucket)
    with open_mirror(tmp_path / "deep" / "copy", "s3://b/run") as own:
        assert Mirroring(source, own, settle_s=0.0, quiet_s=0.0).round(now).copied == (NAME,)
    copy = tmp_path / "deep" / "copy"
    assert sorted(path.name for path in (copy / NAME).iterdir()) == sorted(files_of(1))
    assert [path.name for path in tmp_path.iterdir()] == ["deep"] and len(list((tmp_path / "deep").iterdir())) == 1
    assert not (copy / "_midwatch" / "source.json").exists()
    assert json.loads((copy / "_midwatch/mirror/mirror.json").read_bytes())["of"] == "s3://b/run"


def test_a_commit_file_that_names_paths_writes_nothing_outside(tmp_path: Path) -> None:
    source = InMemory()
    source.save(1)
    commit = json.loads(source.objects[f"_midwatch/commits/{NAME}.json"][0])
    commit["files"] += [{"name": name, "size": 2, "mtime_ns": 1} for name in ("../escaped", "/escaped", "a/b")]
    source.objects[f"_midwatch/commits/{NAME}.json"] = (json.dumps(commit).encode(), 1.0)
    source.objects["escaped"] = (b"{}", 1.0)
    with open_mirror(tmp_path / "copy", "s3://b/run") as own:
        assert Mirroring(source, own).round(now).copied == (NAME,)
    assert sorted(path.name for path in (tmp_path / "copy" / NAME).iterdir()) == sorted(files_of(1))


@pytest.mark.parametrize("place", [NAME, "_midwatch/mirror/staging", "_midwatch/commits", "_midwatch"])
def test_a_link_in_the_way_is_not_followed(tmp_path: Path, place: str) -> None:
    source, copy, elsewhere = InMemory(), tmp_path / "copy", tmp_path / "elsewhere"
    with open_mirror(copy, "s3://b/run"):
        pass
    elsewhere.mkdir()
    if place == "_midwatch":
        shutil.copytree(copy / "_midwatch", elsewhere, dirs_exist_ok=True)
    before = snapshot(elsewhere)
    if (copy / place).exists():
        shutil.rmtree(copy / place)
    (copy / place).parent.mkdir(parents=True, exist_ok=True)
    (copy / place).symlink_to(elsewhere)
    source.save(1)
    try:
        with open_mirror(copy, "s3://b/run") as own:
            done = Mirroring(source, own).round(now)
        assert not done.copied and "symbolic link" in done.waiting[NAME]
    except LinkInTheWay as error:
        assert "symbolic link" in str(error)
    assert {path: seen for path, seen in snapshot(elsewhere).items() if "lock" not in path} == {
        path: seen for path, seen in before.items() if "lock" not in path
    }


def test_a_checkpoint_that_no_mirror_put_there_is_kept(tmp_path: Path) -> None:
    source = InMemory()
    source.save(1)
    with open_mirror(tmp_path / "copy", "s3://b/run") as own:
        (tmp_path / "copy" / NAME).mkdir()
        (tmp_path / "copy" / NAME / "mine").write_text("mine")
        assert "is no copy of the mirror's" in Mirroring(source, own).round(now).waiting[NAME]
    assert (tmp_path / "copy" / NAME / "mine").read_text() == "mine"


def test_a_full_disk_is_said_before_a_byte_is_read_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = InMemory()
    source.save(1)
    with open_mirror(tmp_path / "copy", "s3://b/run") as own:
        Mirroring(source, own).round(now)
        source.save(2, step=20)
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda place: Usage(10**9, 10**9, 1000))
            with pytest.raises(LocalDiskFull, match="free space"):
                Mirroring(source, own).round(now)
        assert version_here(tmp_path / "copy" / NAME) == 1 and not (tmp_path / "copy" / "checkpoint-20").exists()
        assert Mirroring(source, own).round(now).copied == ("checkpoint-20",)


@pytest.mark.parametrize(
    "refusal",
    [StorageRefused("s3://in/memory cannot be listed (it is away)."), OSError(errno.ESTALE, "it is away")],
)
def test_what_refuses_is_tried_again_by_a_mirror_that_follows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, refusal: Exception
) -> None:
    """Be it the storage or our own disk, and for however many days."""
    source, stop, tries = InMemory(), threading.Event(), []
    source.save(1)
    real = source.listing

    def refusing(below: str = "") -> object:
        tries.append(below)
        if len(tries) < 1100:
            raise refusal
        return real(below)

    source.listing = refusing  # type: ignore[method-assign]
    with open_mirror(tmp_path / "copy", "s3://b/run") as own:
        assert follow(Mirroring(source, own), stop, 0.0, stop.set) == [NAME]
    assert caplog.text.count("it is away") == 1


def test_a_result_that_goes_while_it_is_sent_is_left_out(tmp_path: Path) -> None:
    results = tmp_path / "_midwatch" / "results"
    for name in ("a", "b", "c"):
        (results / name).mkdir(parents=True)
        (results / name / "result.json").write_text("{}")
    (results / "d.json").write_text("{}")
    found = _published(tmp_path)
    assert next(found) == "_midwatch/results/a/result.json"
    shutil.rmtree(results / "b")
    (results / "d.json").unlink()
    assert list(found) == ["_midwatch/results/c/result.json"]


def test_pickles_are_named_and_not_copied(tmp_path: Path) -> None:
    source = InMemory()
    for name in ("config.json", "trainer_state.json"):
        source.objects[f"{NAME}/{name}"] = (files_of(1)[name], 1.0)
    source.objects[f"{NAME}/pytorch_model.bin"] = (b"x", 1.0)
    with open_mirror(tmp_path / "copy", "s3://b/run") as own:
        assert "pickles" in Mirroring(source, own).round(now).waiting[NAME]


@pytest.mark.parametrize("mib", [1, 6])
def test_an_object_that_cannot_be_read_to_its_end_is_not_replaced(
    server: BucketServer, bucket: str, monkeypatch: pytest.MonkeyPatch, mib: int
) -> None:
    """In one piece, or in several."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if block := super().read(size):
                return block
            raise OSError(errno.EIO, "it is damaged")

    monkeypatch.setattr("analyzer.mirror.bucket.PUT_BLOCK", 5 * 2**20)  # the smallest piece that S3 takes
    server.put(bucket, "run/result.json", b"before")
    source = bucket_of(server, bucket)
    with pytest.raises(StorageRefused, match="it is damaged"):
        source.put("result.json", Failing(bytes(mib * 2**20)))
    gc.collect()
    assert server.get(bucket, "run/result.json") == b"before"
    assert not server.client.list_multipart_uploads(Bucket=bucket).get("Uploads")
    source.put("result.json", io.BytesIO(b"after"))
    assert server.get(bucket, "run/result.json") == b"after"


def test_a_bucket_never_lists_from_a_cache(server: BucketServer, bucket: str) -> None:
    source = bucket_of(server, bucket)
    assert isinstance(source, Bucket) and not source.listing()
    server.put(bucket, "run/run.json", b"{}")
    assert set(source.listing()) == {"run.json"}
