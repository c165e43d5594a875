"""Which checkpoints `--epochs`, `--steps`, `--last` and `--every` choose."""

from __future__ import annotations

import pytest

from analyzer.commands.checkpoint_choice import parse_ranges, select
from analyzer.supervisor.schedule import Point
from shared.errors import UsageError

KNOWN = [Point(f"checkpoint-{10 * i}", 10 * i, i / 2) for i in range(1, 9)]  # epochs 0.5 .. 4


def steps(**options: object) -> list[int]:
    return [int(name.partition("-")[2]) for name in select(KNOWN, **options)]  # type: ignore[arg-type]


def test_selection() -> None:
    assert steps() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert steps(epochs="1,3-4") == [20, 60, 80]
    assert steps(steps="15-35") == [20, 30]
    assert steps(epochs="4", steps="10") == [10, 80]
    assert steps(last=2) == [70, 80]
    assert steps(every=3) == [10, 40, 70]
    assert steps(epochs="1-4", every=2, last=1) == [60]


def test_an_empty_selection_says_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"step 10, epoch 1 \(step 20\)"):
        steps(epochs="9")
    with pytest.raises(UsageError, match="no complete checkpoints"):
        select([])


@pytest.mark.parametrize("text", ["", "a", "1,", "5-1", "1-2-3", "-1", "1.5"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|backwards"):
        parse_ranges(text)


def test_epochs_that_are_counted_from_0_and_names() -> None:
    known = [Point("epoch_0", 0, 0.0), Point("epoch_1", 1, 1.0), Point("final", 2, None)]
    assert select(known, epochs="0") == ["epoch_0"]
    assert select(known, epochs="0-1") == ["epoch_0", "epoch_1"]
    assert select(known, last=1) == ["final"]
    assert select([Point("checkpoint-0", 0, 0.0), *known], epochs="0") == ["epoch_0"]
    with pytest.raises(UsageError, match="there are epoch 0, epoch 1, final"):
        select(known, epochs="7")
