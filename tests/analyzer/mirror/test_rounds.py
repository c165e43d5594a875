"""A copy is one version, whole, or not there: whatever is stored in whichever order, and wherever it is killed."""

from __future__ import annotations

import errno
import itertools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from analyzer.checkpoints.gate import Gate
from analyzer.mirror.bucket import Bucket
from analyzer.mirror.follow import once
from analyzer.mirror.own_mirror import open_mirror
from analyzer.mirror.rounds import Mirroring, Round
from analyzer.mirror.source import Listing, Reader, Stored
from analyzer.mirror.staging import Interrupted
from shared.errors import MidwatchError
from shared.run import Run
from tests.making.bucket_server import BucketServer
from tests.making.failing_disk import KILL, Killed, failing_disk
from tests.making.stored_runs import InMemory, bucket_of, commit_of, files_of, save_version, version_here

NAME = "checkpoint-10"
STRIDE = 11
"""Every so many calls to the disk one is refused, or the last."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 4_000_000_000.0

    def __call__(self) -> float:
        return self.now


class Meddled(Bucket):
    """A bucket in which something happens when a file has been read."""

    def __init__(self, real: Bucket) -> None:
        self.__dict__.update(real.__dict__)
        self.after: dict[str, list[tuple[str, bytes]]] = {}
        self.server: BucketServer | None = None
        self.bucket = ""

    @contextmanager
    def opened(self, stored: Stored) -> Iterator[Reader]:
        with super().opened(stored) as read:
            yield read
        for key, data in self.after.pop(stored.name, []):
            assert self.server is not None
            self.server.put(self.bucket, key, data)


class Stale(Bucket):
    """A bucket whose listings are those of before."""

    def __init__(self, real: Bucket) -> None:
        self.__dict__.update(real.__dict__)
        self.before: Listing = real.listing()

    def listing(self, below: str = "") -> Listing:
        return {name: stored for name, stored in self.before.items() if name.startswith(below)}


def one_round(copy: Path, source: Bucket | InMemory, clock: Clock | None = None) -> Round:
    """A round of a mirror that was not there before."""
    with open_mirror(copy, str(source.address)) as own:
        return Mirroring(source, own).round(clock or Clock())


def two_rounds(copy: Path, source: Bucket, apart_s: float) -> list[Round]:
    clock = Clock()
    with open_mirror(copy, str(source.address)) as own:
        mirroring = Mirroring(source, own)
        first = mirroring.round(clock)
        clock.now += apart_s
        return [first, mirroring.round(clock)]


def test_an_announced_checkpoint_is_copied_at_once_and_passes_the_gate_at_once(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    save_version(server, bucket, 1)
    server.put(bucket, "run/run.json", b'{"judge": {"kind": "classifier"}}')
    server.put(bucket, f"run/{NAME}/optimizer.pt", b"x" * 100)
    copy = tmp_path / "copy"
    assert one_round(copy, bucket_of(server, bucket)).copied == (NAME,)
    assert version_here(copy / NAME) == 1
    assert sorted(path.name for path in (copy / NAME).iterdir()) == sorted(files_of(1))
    assert (copy / "run.json").read_bytes() == b'{"judge": {"kind": "classifier"}}'
    candidate = Gate(Run.at(copy)).look(NAME, 0.0).candidate
    assert candidate is not None and not candidate.order_unverified
    assert one_round(copy, bucket_of(server, bucket)) == Round((), {}, None, 1)


def test_a_marker_before_its_weights_shows_nothing(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    files = files_of(1)
    server.put(bucket, f"run/_midwatch/commits/{NAME}.json", commit_of(1))
    server.put(bucket, f"run/{NAME}/trainer_state.json", files["trainer_state.json"])
    server.put(bucket, f"run/{NAME}/config.json", files["config.json"])
    done = one_round(tmp_path / "copy", bucket_of(server, bucket))
    assert done.waiting == {NAME: f"{NAME}/model.safetensors is not there yet."}
    assert not (tmp_path / "copy" / NAME).exists()


def test_without_a_commit_file_equal_listings_are_waited_for(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    save_version(server, bucket, 1, announced=False)
    first, second = two_rounds(tmp_path / "copy", bucket_of(server, bucket), 6.0)
    assert not first.copied and "settle" in first.waiting[NAME] and first.until is not None
    assert second.copied == (NAME,) and version_here(tmp_path / "copy" / NAME) == 1


def test_what_changed_between_two_listings_waits_again(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    save_version(server, bucket, 1, announced=False)
    source, clock = bucket_of(server, bucket), Clock()
    with open_mirror(tmp_path / "copy", str(source.address)) as own:
        mirroring = Mirroring(source, own)
        mirroring.round(clock)
        server.put(bucket, f"run/{NAME}/trainer_state.json", files_of(2)["trainer_state.json"])
        clock.now += 6
        assert not mirroring.round(clock).copied


@pytest.mark.parametrize("announced", [True, False])
def test_an_object_cut_short_is_never_shown(
    server: BucketServer, bucket: str, tmp_path: Path, announced: bool
) -> None:
    save_version(server, bucket, 1, announced=announced)
    whole = files_of(1)["model.safetensors"]
    server.put(bucket, f"run/{NAME}/model.safetensors", whole[: len(whole) // 2])
    server.put(bucket, f"run/{NAME}/trainer_state.json", files_of(1)["trainer_state.json"])
    for done in two_rounds(tmp_path / "copy", bucket_of(server, bucket), 200.0):
        assert not done.copied and NAME in done.waiting
    assert not (tmp_path / "copy" / NAME).exists()
    server.put(bucket, f"run/{NAME}/model.safetensors", whole)
    rounds = two_rounds(tmp_path / "copy", bucket_of(server, bucket), 200.0)
    assert [done.copied for done in rounds if done.copied] == [(NAME,)], "at once where it is another object"
    assert version_here(tmp_path / "copy" / NAME) == 1


def test_weights_that_are_replaced_meanwhile_are_copied_anew(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    save_version(server, bucket, 1)
    source = Meddled(bucket_of(server, bucket))
    source.server, source.bucket = server, bucket
    # once the weights of version 1 are here, all of version 2 is stored
    news = [(f"run/{NAME}/{name}", data) for name, data in files_of(2).items()]
    source.after[f"{NAME}/model.safetensors"] = [*news, (f"run/_midwatch/commits/{NAME}.json", commit_of(2))]
    done = one_round(tmp_path / "copy", source)
    assert not done.copied and not (tmp_path / "copy" / NAME).exists()
    assert one_round(tmp_path / "copy", bucket_of(server, bucket)).copied == (NAME,)
    assert version_here(tmp_path / "copy" / NAME) == 2


def test_a_mirror_that_ends_waits_for_what_changes_meanwhile_but_not_for_ever(tmp_path: Path) -> None:
    class Changing(InMemory):
        saves = 0

        @contextmanager
        def opened(self, stored: Stored) -> Iterator[Reader]:
            with super().opened(stored) as read:
                yield read
            if stored.name.endswith(".safetensors") and self.saves < most:
                self.saves += 1
                self.save(self.saves + 1)

    for most, copied in ((2, [NAME]), (1000, [])):
        source = Changing()
        source.save(1)
        with open_mirror(tmp_path / f"copy-{most}", "s3://b/run") as own:
            found, done = once(Mirroring(source, own, settle_s=0.0), threading.Event(), lambda: None)
        assert found == copied and bool(done.waiting) == (not copied)
        if copied:
            assert version_here(tmp_path / f"copy-{most}" / NAME) == 3


def test_the_word_of_a_second_save_before_its_weights(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    """Sizes are equal, so only that the weights are still those of before tells that they are on their way."""
    save_version(server, bucket, 1)
    copy, source = tmp_path / "copy", bucket_of(server, bucket)
    assert one_round(copy, source).copied == (NAME,)
    server.put(bucket, f"run/_midwatch/commits/{NAME}.json", commit_of(2))
    for name in ("config.json", "tokenizer.json", "trainer_state.json"):
        server.put(bucket, f"run/{NAME}/{name}", files_of(2)[name])
    done = one_round(copy, source)
    assert not done.copied and version_here(copy / NAME) == 1
    save_version(server, bucket, 2)
    assert one_round(copy, source).copied == (NAME,) and version_here(copy / NAME) == 2
    assert not list((copy / "_midwatch" / "mirror" / "old").iterdir())


def test_a_stale_listing_copies_nothing_that_is_not_there(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    save_version(server, bucket, 1)
    source = Stale(bucket_of(server, bucket))
    save_version(server, bucket, 2)
    done = one_round(tmp_path / "copy", source)
    assert not done.copied and "not what was listed" in done.waiting[NAME]
    assert not (tmp_path / "copy" / NAME).exists()
    server.client.delete_object(Bucket=bucket, Key=f"run/_midwatch/commits/{NAME}.json")
    assert "is gone" in one_round(tmp_path / "copy", source).waiting[NAME]


def test_what_is_saved_over_and_over_is_one_version_at_every_moment(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    """A trainer that overwrites one checkpoint while a mirror copies: each copy that is seen is whole."""
    stop, copy, source = threading.Event(), tmp_path / "copy", bucket_of(server, bucket)
    save_version(server, bucket, 1)
    saved = [1]

    def train() -> None:
        while not stop.is_set():
            save_version(server, bucket, saved[0] + 1)
            saved[0] += 1

    trainer = threading.Thread(target=train)
    trainer.start()
    seen: set[int] = set()
    try:
        with open_mirror(copy, str(source.address)) as own:
            mirroring = Mirroring(source, own, quiet_s=0.0, settle_s=0.0)
            for _ in range(30):
                mirroring.round(Clock())
                if (copy / NAME).exists():
                    seen.add(version_here(copy / NAME))
    finally:
        stop.set()
        trainer.join()
    one_round(copy, source)
    assert version_here(copy / NAME) == saved[0]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, KILL])
def test_wherever_the_disk_refuses_or_the_process_is_killed_nothing_is_torn_or_lost(
    tmp_path: Path, error: int
) -> None:
    """Version 1 is here and is replaced by 2: what stands there then is one of them, and 2 comes in the end."""
    source = InMemory()
    source.save(1)
    one_round(tmp_path / "before", source)
    source.save(2)
    missing = 0
    for refused in itertools.count(1 + abs(error) % STRIDE, STRIDE):
        copy = tmp_path / f"copy-{refused}"
        shutil.copytree(tmp_path / "before", copy)
        with failing_disk(copy, refused, error) as disk, suppress(OSError, MidwatchError, Killed):
            one_round(copy, source)
        missing += not (copy / NAME).exists()
        if (copy / NAME).exists():
            assert version_here(copy / NAME) in (1, 2)
        one_round(copy, source)
        assert version_here(copy / NAME) == 2
        assert {path.name for path in copy.iterdir()} == {"_midwatch", NAME}
        if not disk.hit:
            break
    assert refused > 5 * STRIDE
    assert missing < refused / STRIDE / 2  # between two renames, and nowhere else


def test_an_interrupted_file_goes_on_where_it_was(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    """Stopped after the first block: the next process asks for the rest alone."""
    save_version(server, bucket, 1)
    source = bucket_of(server, bucket)
    asked: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("analyzer.mirror.source.BLOCK", 8192)
        with open_mirror(tmp_path / "copy", str(source.address)) as own, pytest.raises(Interrupted):
            Mirroring(source, own, stopped=lambda: True).round(Clock())
        part = tmp_path / "copy" / "_midwatch" / "mirror" / "staging" / NAME / "part"
        assert part.stat().st_size == 8192
        real = Bucket._reader

        def noted(self: Bucket, file: object, stored: Stored) -> Reader:
            read = real(self, file, stored)

            def reader(offset: int, count: int) -> bytes:
                if stored.name.endswith(".safetensors"):
                    asked.append((offset, count))
                return read(offset, count)

            return reader

        patched.setattr(Bucket, "_reader", noted)
        assert one_round(tmp_path / "copy", source).copied == (NAME,)
    assert asked[0] == (8192, 8192) and version_here(tmp_path / "copy" / NAME) == 1


def test_a_final_model_in_the_run_itself_is_a_directory_of_the_copy(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    for name, data in files_of(7).items():
        server.put(bucket, f"run/{name}", data)
    rounds = two_rounds(tmp_path / "copy", bucket_of(server, bucket), 6.0)
    assert rounds[-1].copied == ("final",) and version_here(tmp_path / "copy" / "final") == 7
    assert Run.at(tmp_path / "copy").checkpoints() == ["final"]


def test_only_the_newest_are_copied_where_that_is_asked(server: BucketServer, bucket: str, tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save_version(server, bucket, 1, step=step)
    source = bucket_of(server, bucket)
    with open_mirror(tmp_path / "copy", str(source.address)) as own:
        assert Mirroring(source, own, last=2).round(Clock()).copied == ("checkpoint-30", "checkpoint-20")


def test_a_file_of_the_run_may_be_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = InMemory()
    source.save(1)
    metrics = b'{"loss": 1}\n' * 1000
    source.objects["metrics.jsonl"] = (metrics, 1.0)
    monkeypatch.setattr("analyzer.mirror.source.MAX_SMALL", len(metrics) - 1)
    monkeypatch.setattr("analyzer.mirror.source.BLOCK", 1000)
    copy = tmp_path / "copy"
    assert one_round(copy, source).copied == (NAME,)
    assert (copy / "metrics.jsonl").read_bytes() == metrics
    source.objects["metrics.jsonl"] = (metrics * 2, 2.0)
    assert one_round(copy, source).copied == ()
    assert (copy / "metrics.jsonl").read_bytes() == metrics * 2
    assert not list((copy / "_midwatch" / "mirror" / "staging").iterdir())


@pytest.mark.parametrize("then", ["gone", "not among the last", "as before"])
def test_what_is_not_on_its_way_any_more_leaves_no_bytes(tmp_path: Path, then: str) -> None:
    source, copy = InMemory(), tmp_path / "copy"
    source.save(1)
    with open_mirror(copy, str(source.address)) as own:
        if then == "as before":
            Mirroring(source, own).round(Clock())
            source.save(2)
        with pytest.raises(Interrupted):
            Mirroring(source, own, stopped=lambda: True).round(Clock())
        part = copy / "_midwatch" / "mirror" / "staging" / NAME / "part"
        assert part.stat().st_size
        if then == "gone":
            source.objects.clear()
        elif then == "as before":
            source.save(1)
        else:
            source.save(1, step=20)
        Mirroring(source, own, last=1).round(Clock())
        assert not part.parent.exists()


def test_a_digest_that_was_announced_is_held_against_what_came(
    server: BucketServer, bucket: str, tmp_path: Path
) -> None:
    save_version(server, bucket, 1)
    commit = json.loads(commit_of(1))
    commit["files"][0]["sha256"] = "0" * 64
    server.put(bucket, f"run/_midwatch/commits/{NAME}.json", json.dumps(commit).encode())
    done = one_round(tmp_path / "copy", bucket_of(server, bucket))
    assert "SHA-256" in done.waiting[NAME] and not (tmp_path / "copy" / NAME).exists()
