"""What `midwatch status` says of how far it is behind."""

from __future__ import annotations

import pytest

from analyzer.commands.status import _headline
from tests.making.fake_run import fake_status


@pytest.mark.parametrize(
    ("late", "seconds", "said"),
    [
        (1, 2238.0, "1 checkpoint behind, the oldest for 37 min."),
        (3, 95.0, "3 checkpoints behind, the oldest for 95 s."),
        (2, 18_000.0, "2 checkpoints behind, the oldest for 5 h."),
        (2, 864_000.0, "2 checkpoints behind, the oldest for 10 days."),
        (0, 0.0, "idle on cpu."),
    ],
)
def test_how_far_it_is_behind_is_said_in_words(late: int, seconds: float, said: str) -> None:
    status = fake_status(1, heartbeat_at=1000.0).model_copy(update={"lag_checkpoints": late, "lag_s": seconds})
    assert _headline(status, 1001.0).endswith(said)
