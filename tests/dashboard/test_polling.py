"""Two dashboards that look at a run while results are committed, drawn over, removed, and the run vanishes.

Short: what pages are made of, a hundred times. Long: the page itself, a thousand times.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.reading.snapshot import RunReader
from shared.results import ResultStore
from shared.run import Run
from tests.dashboard import scenes
from tests.dashboard.test_pages import PAGES, checked
from tests.making.waiting import LIMIT_S

LOOKS, PAGES_DRAWN = 100, 1000


@contextmanager
def committing(run: Run) -> Iterator[Callable[[], int]]:
    """Inside, results are removed and committed again, one after the other; how many is told."""
    store, over, count = ResultStore(run.results), threading.Event(), [0]
    names = [(each, name) for each in store.checkpoints() for name in scenes.NAMES]
    records = [found for place in names if (found := store.newest(*place)) is not None]

    def commit() -> None:
        while not over.is_set():
            record = records[count[0] % len(records)]
            tensors = store.tensors(record)
            store.remove(record.checkpoint, record.analysis, record.key)
            store.commit(record, tensors)
            scenes.alive(run, 3, lag_s=float(count[0]))
            count[0] += 1

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        yield lambda: count[0]
    finally:
        over.set()
        thread.join()


def test_two_readers_look_through_commits(tmp_path: Path) -> None:
    run = scenes.done(tmp_path, 3)
    readers = RunReader(run), RunReader(run)
    with committing(run) as commits:
        before = commits()
        for number in range(LOOKS):
            found = readers[number % 2].snapshot()
            assert found.exists and found.status_problem is None and found.status is not None
            assert [view.step for view in found.checkpoints] == [120, 240, 360]
        while commits() < before + 3:
            readers[0].snapshot()
    ends = [reader.snapshot() for reader in readers]
    assert all(view.results.keys() == set(scenes.NAMES) for end in ends for view in end.checkpoints)
    shutil.rmtree(run.path)
    for reader in readers:
        gone = reader.snapshot()
        assert not gone.exists and gone.checkpoints == []


@pytest.mark.slow
def test_a_page_is_drawn_through_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    run = scenes.done(tmp_path, 3)
    pages = [AppTest.from_string(PAGES[name], default_timeout=LIMIT_S) for name in ("training", "analyzer")]
    with committing(run) as commits:
        for number in range(PAGES_DRAWN):
            checked(pages[number % 2].run())
        print(f"{PAGES_DRAWN} pages drawn through {commits()} commits")
    shutil.rmtree(run.path)
    for page in pages:
        checked(page.run())
