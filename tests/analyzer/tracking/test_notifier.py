"""Alarms reach a real webhook once, with their numbers, and its address is nowhere written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.supervisor.said import Said
from analyzer.tracking.alarms import Raised, message
from analyzer.tracking.notifier import Notifier
from analyzer.tracking.patience import FIRST_S
from shared.errors import UsageError
from shared.findings.alerts import Flips, StepAlert, VerdictAlert
from shared.findings.evolution import EvolutionResult
from shared.results import ResultRecord, ResultStore
from shared.results_index import ResultsIndex
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.webhook import KEY, Webhook, webhook

ALARM = StepAlert(
    signal="cka_last", severity="alarm", previous="epoch 7", label="epoch 8", before=0.98, now=0.31, usual=0.04,
    n=12, ratio=16.75, bar=16.4, layers=6,
)  # fmt: skip
NOTE = ALARM.model_copy(update={"severity": "note", "signal": "drift"})


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_fake_run(tmp_path / "judge", epochs=8)


def notifier(run: Run, url: str, notes: bool = False) -> Notifier:
    return Notifier(run, url, notes, Said())


def update(told: Notifier, now: float = 0.0) -> None:
    index = ResultsIndex(told.run.results)
    index.refresh()
    told.update(index.files(), now)


def recompute(run: Run, checkpoint: str, key: str, **changes: object) -> ResultRecord:
    """Another comparison of a checkpoint, with these fields changed."""
    store = ResultStore(run.results)
    old = store.newest(checkpoint, "evolution")
    assert old is not None
    payload = EvolutionResult.model_validate(old.payload | changes).model_dump(mode="json")
    record = old.model_copy(update={"key": key * 20, "payload": payload})
    assert store.commit(record)
    return record


def test_an_alarm_is_told_once_with_its_numbers(run: Run, hook: Webhook) -> None:
    first = notifier(run, hook.url)
    update(first)
    update(first, 1.0)
    first.close()
    update(notifier(run, hook.url), 2.0)
    assert len(hook.came) == 1 and first.sent_now == 1
    told = hook.came[0]
    assert told["title"] == "Midwatch: 1 alarm in judge" and told["type"] == "warning"
    sentence, numbers = told["message"].splitlines()
    assert sentence == f"checkpoint-960 (step 960): {ALARM.sentence}"
    assert numbers == "before 0.98, now 0.31, usual 0.04, n 12, ratio 16.75, bar 16.4, layers 6"


def test_a_comparison_computed_anew_tells_only_what_it_did_not_say(run: Run, hook: Webhook) -> None:
    told = notifier(run, hook.url)
    update(told)
    moved = ALARM.model_copy(update={"now": 0.33})
    recompute(run, "checkpoint-960", "a", alerts=[moved])
    update(told, 1.0)
    assert len(hook.came) == 1, "the same alarm, with another number"
    other = ALARM.model_copy(update={"signal": "drift"})
    recompute(run, "checkpoint-960", "b", alerts=[moved, other])
    update(told, 2.0)
    assert len(hook.came) == 2 and "attribution drift" in hook.came[1]["message"].casefold()
    assert "CKA" not in hook.came[1]["message"]


def test_notes_are_told_where_they_are_asked_for(run: Run, hook: Webhook) -> None:
    recompute(run, "checkpoint-480", "a", alerts=[NOTE])
    update(notifier(run, hook.url, notes=True))
    assert [each["title"] for each in hook.came] == ["Midwatch: 1 alarm and 1 note in judge"]
    first, second = hook.came[0]["message"].split("\n\n")
    assert first.startswith("checkpoint-480 (step 480)") and second.startswith("checkpoint-960 (step 960)")


def test_a_webhook_that_is_away_costs_nothing_but_time(
    run: Run, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    told = notifier(run, hook.url)
    with caplog.at_level(logging.DEBUG):
        update(told)
        update(told, FIRST_S - 1)
        hook.status = 200
        assert not hook.came and "does not take the message" in str(told.refusal)
        update(told, FIRST_S)
    assert len(hook.came) == 1 and told.refusal is None
    assert [record.levelname for record in caplog.records if record.name.startswith("analyzer")] == [
        "WARNING",
        "INFO",
    ]
    assert KEY not in caplog.text and KEY not in str(told)
    written = [path for path in run.midwatch.rglob("*") if path.is_file()]
    assert run.tracked / "alerts" / "told.json" in written
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_an_address_that_is_none_is_refused_without_being_repeated(run: Run) -> None:
    told = notifier(run, f"nonsense://{KEY}")
    update(told)
    assert isinstance(told.refusal, UsageError) and KEY not in str(told.refusal)


def test_many_alerts_are_one_message(run: Run) -> None:
    raised = [Raised(f"checkpoint-{step}", step, ALARM) for step in range(25, 0, -1)]
    text = message("judge", raised)
    assert text.title == "Midwatch: 25 alarms in judge"
    assert text.body.startswith("checkpoint-1 (step 1)") and text.body.count("(step ") == 20
    assert text.body.endswith("And 5 more: the page evolution.html has all of them.")


def test_flipped_verdicts_are_told_with_their_counts_and_names_as_plain_text() -> None:
    flips = Flips(of=64, flipped=20, wrong=18, wrong_before=3, worse=18, better=2, turned=20, kept=44, p_value=1e-4)
    alert = VerdictAlert(
        test="mcnemar", signal="verdicts", previous="epoch 1", label="epoch 2", flips=flips, p_value=1e-4, bar=3e-4
    )
    text = message("judge\n@everyone\x1b[2J", [Raised("checkpoint-2", 2, alert)])
    assert "\n" not in text.title and "\x1b" not in text.title
    assert "flipped 20, wrong 18, wrong_before 3, worse 18, better 2" in text.body
