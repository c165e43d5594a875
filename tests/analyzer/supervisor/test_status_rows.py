"""The status of a long run: what is written each time, and that whoever reads it sees every row, always."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import shared.files
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.status_file import FEWEST, INTERVAL_S, SPLIT_FROM, Situation, StatusWriter
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import SchemaError
from shared.files import read_json, read_record, write_record
from shared.records import CheckpointState, Status
from shared.run import Run
from shared.status_file import ROWS, read_status
from tests.making.fake_worker import COMPUTATIONS

NOW = 1_000_000.0
DONE = ("tokens", "layers")
IDLE = Situation(running=(), others=(), full=False, pause="", computations=COMPUTATIONS, slot_open=True)


def rows(count: int) -> list[Row]:
    """So many checkpoints that wait, 10 steps apart."""
    points = [Point(f"checkpoint-{step}", step, step / 10) for step in range(10, 10 * count + 1, 10)]
    return [Row(point, CheckpointState.QUEUED, missing=DONE) for point in points]


def done(row: Row) -> Row:
    return replace(row, state=CheckpointState.DONE, done=DONE, missing=())


@dataclass
class Telling:
    """A run whose rows we set, and what is told of it a second later each time."""

    watched: WatchedRun
    writer: StatusWriter
    now: float = NOW

    @property
    def path(self) -> Path:
        return self.watched.run.status

    def tell(self, found: list[Row], seconds: float = 1.0) -> Status:
        self.now += seconds
        self.watched.rows = found
        self.writer.write(self.watched, IDLE, self.now)
        return read_record(self.path, Status)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.iterdir() if ROWS.fullmatch(path.name))


@pytest.fixture
def telling(tmp_path: Path) -> Telling:
    (tmp_path / "run").mkdir()
    return Telling(WatchedRun(Run.at(tmp_path / "run"), Plan()), StatusWriter(Plan(), NOW))


def test_a_short_run_is_told_in_one_file_that_older_readers_know(telling: Telling) -> None:
    found = telling.tell(rows(SPLIT_FROM - 1))
    assert (found.schema_version, found.rows, len(found.checkpoints)) == (1, "", SPLIT_FROM - 1)
    assert telling.files() == [] and read_status(telling.path) == found


def test_of_a_long_run_only_what_changed_is_written_each_time(telling: Telling) -> None:
    all_rows = rows(1000)
    first = telling.tell(all_rows)
    assert (first.schema_version, first.checkpoints) == (2, [])
    assert telling.files() == [first.rows]
    for place in range(FEWEST):
        all_rows = [*all_rows[:place], done(all_rows[place]), *all_rows[place + 1 :]]
        found = telling.tell(all_rows)
        assert [row.checkpoint for row in found.checkpoints] == [row.point.name for row in all_rows[: place + 1]]
        assert found.rows == first.rows
    all_rows[FEWEST] = done(all_rows[FEWEST])
    found = telling.tell([*all_rows])
    assert found.checkpoints == [] and found.rows != first.rows
    assert set(telling.files()) == {first.rows, found.rows}, "who reads the last status still finds its rows"
    telling.tell([done(row) for row in all_rows])
    assert first.rows not in telling.files() and len(telling.files()) == 2


def test_a_scan_that_found_nothing_new_changes_nothing(telling: Telling) -> None:
    first = telling.tell(rows(500))
    second = telling.tell(rows(500), INTERVAL_S)
    assert (second.rows, second.checkpoints) == (first.rows, [])


@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_read_as_it_is_whatever_happened(telling: Telling, seed: int) -> None:
    """Checkpoints come, change and go, and the analyzer is replaced by another one."""
    chance, all_rows, later = random.Random(seed), rows(190), iter(rows(2000)[190:])
    for number in range(120):
        all_rows += itertools.islice(later, chance.choice([0, 0, 1, 2, 20]))
        for _ in range(chance.choice([0, 1, 1, 3, 30])):
            place = chance.randrange(len(all_rows))
            waits = replace(all_rows[place], cause="waits", attempts=number)
            all_rows[place] = chance.choice([done(all_rows[place]), waits])
        if chance.random() < 0.05:
            all_rows.pop(chance.randrange(len(all_rows)))
        if chance.random() < 0.05:
            telling.writer = StatusWriter(Plan(), telling.now)
        telling.tell([replace(row) for row in all_rows], chance.choice([1.0, INTERVAL_S]))
        told = read_status(telling.path)
        in_order = sorted(all_rows, key=lambda row: (row.point.step, row.point.name))
        assert told.checkpoints == [row.status() for row in in_order]
        assert (told.rows, told.schema_version) == ("", 1)
        assert len(telling.files()) <= 2


def test_who_reads_while_it_is_replaced_sees_one_or_the_other(telling: Telling) -> None:
    """Two states by turns, each with a file of its own: never a status without its rows, nor rows of both."""
    states = [rows(SPLIT_FROM), [done(row) for row in rows(SPLIT_FROM)]]
    telling.tell(states[0])
    over = threading.Event()

    def write() -> None:
        for number in range(150):
            telling.tell(states[number % 2])
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not over.is_set() or seen == 0:
        found = {row.state for row in read_status(telling.path).checkpoints}
        assert len(found) == 1
        seen += 1
    writer.join()


def test_a_file_that_somebody_deleted_is_written_anew(telling: Telling) -> None:
    first = telling.tell(rows(300))
    telling.path.with_name(first.rows).unlink()
    with pytest.raises(SchemaError, match="is not there; an analyzer at work writes both anew"):
        read_status(telling.path)
    telling.tell(rows(300), INTERVAL_S)
    assert len(read_status(telling.path).checkpoints) == 300


def test_what_a_killed_analyzer_left_is_removed_by_the_next(telling: Telling) -> None:
    telling.tell(rows(300))
    left = telling.path.with_name("rows-00000000.json")
    left.write_text("{}")
    kept = telling.path.with_name("rows-mine.json")
    kept.write_text("{}")
    telling.writer = StatusWriter(Plan(), NOW)
    found = telling.tell(rows(300))
    assert telling.files() == [found.rows] and kept.exists()


@pytest.mark.parametrize(
    "name", ["../../secret.json", "status.json", "/etc/passwd", "rows-0123456.json", "rows-\n"]
)
def test_a_status_that_names_another_file_is_not_believed(telling: Telling, name: str) -> None:
    found = telling.tell(rows(300))
    write_record(telling.path, found.model_copy(update={"rows": name}))
    with pytest.raises(SchemaError, match="is no file of rows"):
        read_status(telling.path)


def test_a_link_in_place_of_the_rows_is_not_followed(telling: Telling, tmp_path: Path) -> None:
    found = telling.tell(rows(300))
    path = telling.path.with_name(found.rows)
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises((SchemaError, OSError)):
        read_status(telling.path)


def test_a_finished_job_of_ten_thousand_costs_little_disk(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, each of its writes was of all rows: 1.9 MB."""
    written: list[int] = []
    real = shared.files.write_bytes_atomic

    def counted(path: Path, data: bytes, *, durable: bool = True) -> None:
        written.append(len(data))
        real(path, data, durable=durable)

    all_rows = rows(10_000)
    telling.tell(all_rows)
    whole = len(telling.path.with_name(telling.files()[0]).read_bytes())
    assert len(read_json(telling.path)["checkpoints"]) == 0
    monkeypatch.setattr(shared.files, "write_bytes_atomic", counted)
    jobs = 303  # three times round
    for place in range(jobs):
        all_rows[place] = done(all_rows[place])
        telling.tell([*all_rows])
    assert len(read_status(telling.path).checkpoints) == 10_000
    each = sum(written) / jobs
    assert each < whole / 40, f"{each:.0f} of {whole} bytes"
