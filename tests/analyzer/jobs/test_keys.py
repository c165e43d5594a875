"""Keys of results stay what they were for judges that could be described before."""

from __future__ import annotations

import pytest

from analyzer.jobs.keys import key_settings
from analyzer.jobs.messages import Computation
from shared.records import JudgeRecord
from shared.results import result_key

PLAIN = JudgeRecord()
PROMPTED = JudgeRecord(kind="prompted", safe_id=7, unsafe_id=9, template="say {prompt}")


def key(judge: JudgeRecord) -> str:
    computation = Computation(suite="basic", version=2, settings={"bootstraps": 100})
    return result_key("checkpoint", "probes", key_settings(computation, judge), computation.version)


@pytest.mark.parametrize(
    ("judge", "digest"),
    [
        (PLAIN, "012f6e940c2e1f8b6a79"),
        (JudgeRecord(safe_id=1, unsafe_id=0, max_length=64), "70b7193bce6bdbfeb987"),
        (PROMPTED, "600a56866626dde93df9"),
    ],
)
def test_old_judges_keep_their_keys(judge: JudgeRecord, digest: str) -> None:
    assert key(judge) == digest
    assert key(judge.model_copy(update={"assumed": ("Something.",)})) == digest


@pytest.mark.parametrize(
    "change",
    [{"threshold": 1.0}, {"safe_ids": ()}, {"unsafe_ids": (1, 2), "classes": 3}, {"classes": 1}],
)
def test_another_reading_is_another_key(change: dict) -> None:
    assert key(PLAIN.model_copy(update=change)) != key(PLAIN)
