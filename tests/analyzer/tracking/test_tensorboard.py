"""TensorBoard's own reader finds every number at its step, late ones and recomputed ones too."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from analyzer.tracking.options import TrackOptions
from analyzer.tracking.tensorboard_files import TensorBoard
from analyzer.tracking.tracked_run import TrackedRun
from analyzer.tracking.tracker import Numbers
from shared.errors import LinkInTheWay
from shared.results import ResultStore
from shared.run import Run
from tests.making.fake_run import make_fake_run

ECE = "midwatch/calibration/ece"


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value) as TensorBoard has them."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    return {tag: [(each.step, each.value) for each in accumulator.Scalars(tag)] for tag in tags}


def written(folder: Path) -> dict[str, bytes]:
    """The event files that hold something."""
    return {path.name: path.read_bytes() for path in folder.glob("events*") if path.stat().st_size}


def tracked(run: Run) -> TrackedRun:
    return TrackedRun(run, TrackOptions(targets=[run.path], to=["tensorboard"]))


def numbers(step: int, value: float) -> Numbers:
    return Numbers(f"checkpoint-{step}", step, step / 10, 1e9 + step, {"calibration/ece": value})


def test_a_run_is_sent_once_and_read_back(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=3)
    first = tracked(run)
    first.update(0.0)
    folder = run.tracked / "tensorboard"
    found = read(folder)
    records = ResultStore(run.results).history("calibration")
    expected = [(record.step, record.payload["reliability"]["error"]["value"]) for record in records]
    assert [step for step, _ in found[ECE]] == [120, 240, 360]
    assert found[ECE] == [(step, pytest.approx(value)) for step, value in expected]
    assert found["midwatch/epoch"] == [(120, 1.0), (240, 2.0), (360, 3.0)]
    before = written(folder)
    first.update(1.0)
    again = tracked(run)
    first.close()
    again.update(2.0)
    assert written(folder) == before and len(before) == 1
    assert [each.sent_now for each in (first.receivers[0], again.receivers[0])] == [3, 0]


def test_earlier_steps_that_come_late_drop_nothing(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path / "board")
    board.send([numbers(30, 0.3)])
    board.send([numbers(30, 0.3), numbers(10, 0.1)])
    board.send([numbers(30, 0.35), numbers(20, 0.2), numbers(10, 0.1)])
    found = read(tmp_path / "board")
    assert found[ECE] == [(10, pytest.approx(0.1)), (20, pytest.approx(0.2)), (30, pytest.approx(0.35))]
    names = sorted(path.name for path in (tmp_path / "board").iterdir())
    assert list(written(tmp_path / "board")) == [names[-1]], "what was replaced is empty, and has an earlier name"


def test_a_recomputed_result_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=2)
    board = tracked(run)
    board.update(0.0)
    store = ResultStore(run.results)
    old = store.newest("checkpoint-120", "layers")
    assert old is not None
    store.commit(old.model_copy(update={"key": "0" * 20, "summary": {"norm_last": 99.0}}))
    board.update(1.0)
    assert [value for _, value in read(run.tracked / "tensorboard")["midwatch/layers/norm_last"]] == [99.0, 15.0]


def test_no_link_is_followed_out_of_the_run(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=1)
    (tmp_path / "elsewhere").mkdir()
    run.tracked.mkdir()
    (run.tracked / "tensorboard").symlink_to(tmp_path / "elsewhere")
    board = tracked(run)
    board.update(0.0)
    assert "symbolic link" in str(board.receivers[0].refusal)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with pytest.raises(LinkInTheWay):
        TensorBoard(run.tracked / "tensorboard").send([numbers(1, 0.5)])
