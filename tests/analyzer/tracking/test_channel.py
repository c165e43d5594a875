"""What was sent is never sent again, whatever happens in between; what was refused is tried again, and said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from analyzer.supervisor.said import Said
from analyzer.tracking import channel as channel_module
from analyzer.tracking.channel import Channel
from analyzer.tracking.numbers import Reader
from analyzer.tracking.patience import FIRST_S
from analyzer.tracking.tracker import Numbers
from shared.errors import TrackerMissing, TrackerRefused
from shared.results import ResultStore
from shared.results_index import ResultsIndex
from shared.run import Run
from tests.making.fake_run import make_fake_run

EPOCHS = 5


class Notebook:
    """A tracker that only grows, as most do; it refuses the calls whose numbers are in `refuses`."""

    whole = False
    where = "the notebook"

    def __init__(self, place: str = "", refuses: Sequence[int] = ()) -> None:
        self.place = place or "notebook-1"
        self.refuses = set(refuses)
        self.calls = 0
        self.rows: list[Numbers] = []

    def send(self, numbers: Sequence[Numbers]) -> None:
        self.calls += 1
        if self.calls in self.refuses:
            raise TrackerRefused("The notebook is shut.")
        self.rows += numbers

    def close(self) -> None:
        self.refuses = set()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_fake_run(tmp_path / "judge", epochs=EPOCHS)


def files_of(run: Run):
    index = ResultsIndex(run.results)
    index.refresh()
    return index.files()


def channel_to(notebook: Notebook, run: Run, monkeypatch: pytest.MonkeyPatch) -> Channel:
    """A channel to this notebook, which notes two checkpoints at a time."""

    def reopened(name: str, run: Run, project: str, place: str) -> Notebook:
        notebook.place = place or notebook.place
        return notebook

    monkeypatch.setattr(channel_module, "open_tracker", reopened)
    monkeypatch.setattr(channel_module, "AT_ONCE", 2)
    return Channel(run, "tensorboard", "midwatch", Reader(), Said())


def test_what_was_taken_before_a_refusal_is_not_sent_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(refuses=[2])
    first = channel_to(notebook, run, monkeypatch)
    first.update(files_of(run), 0.0)
    assert str(first.refusal) == "The notebook is shut." and len(notebook.rows) == 2
    first.close()
    later = channel_to(notebook, run, monkeypatch)
    later.update(files_of(run), 1.0)
    assert later.refusal is None and notebook.place == "notebook-1"
    assert [row.checkpoint for row in notebook.rows] == [
        f"checkpoint-{120 * epoch}" for epoch in range(1, EPOCHS + 1)
    ]


def test_a_refusal_is_said_once_and_tried_again_later(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notebook = Notebook(refuses=[1, 2])
    channel = channel_to(notebook, run, monkeypatch)
    with caplog.at_level(logging.WARNING):
        for now in (0.0, FIRST_S - 1, FIRST_S):
            channel.update(files_of(run), now)
    assert notebook.calls == 2, "too early in between"
    assert [record.getMessage() for record in caplog.records] == [
        "judge: no numbers to tensorboard: The notebook is shut."
    ]
    channel.update(files_of(run), FIRST_S + 1)
    assert notebook.calls == 2, "each wait is longer than the one before"
    channel.update(files_of(run), 3 * FIRST_S)
    assert len(notebook.rows) == EPOCHS and channel.refusal is None


def test_only_what_is_new_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    channel = channel_to(notebook, run, monkeypatch)
    channel.update(files_of(run), 0.0)
    store = ResultStore(run.results)
    old = store.newest("checkpoint-240", "layers")
    assert old is not None
    store.commit(old.model_copy(update={"key": "0" * 20, "summary": {"norm_last": 99.0}}))
    channel.update(files_of(run), 1.0)
    assert len(notebook.rows) == EPOCHS + 1
    assert dict(notebook.rows[-1].values) == {"layers/norm_last": 99.0} and notebook.rows[-1].step == 240


def test_two_processes_never_send_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    first, second = (channel_to(notebook, run, monkeypatch) for _ in range(2))
    first.update(files_of(run), 0.0)
    second.update(files_of(run), 0.0)
    assert len(notebook.rows) == EPOCHS
    assert "sends judge to tensorboard already" in str(second.refusal)


def test_a_damaged_ledger_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook()
    channel = channel_to(notebook, run, monkeypatch)
    (run.tracked / "tensorboard").mkdir(parents=True)
    (run.tracked / "tensorboard" / "sent.json").write_text("{")
    channel.update(files_of(run), 0.0)
    assert str(channel.refusal).endswith("Delete it to send everything again.") and not notebook.rows


def test_what_is_not_installed_leaves_nothing_and_is_not_tried_again(run: Run) -> None:
    channel = Channel(run, "no_such_tracker", "midwatch", Reader(), Said())
    for now in (0.0, 10 * FIRST_S):
        channel.update(files_of(run), now)
    assert isinstance(channel.refusal, TrackerMissing)
    assert (
        str(channel.refusal) == "no_such_tracker is not installed; run `pip install 'midwatch[no_such_tracker]'`."
    )
    channel.close()
    assert not run.tracked.exists()
