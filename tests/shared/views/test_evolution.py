"""What pages say of a change: it follows from the numbers, and where these may be chance nothing is ranked."""

from __future__ import annotations

from typing import Any

import pytest

from shared.figures.evolution.words import alert_flags, change_finding, change_words, named_lines
from shared.figures.kit.flags import LINE, SIZE
from shared.figures.kit.text_layout import text_width
from shared.findings.alerts import Flips, StepAlert, VerdictAlert
from shared.findings.claims import ToExplain
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import Interval
from shared.results import ResultRecord
from shared.views import get
from tests.making.fakes import fake_records

RANKED = ("moved most", "old circuit", "Neurons established", "Neurons born", "Edges lost")


def record(**changes: Any) -> ResultRecord:
    """Of epoch 3."""
    found = fake_records(3, advanced=True)
    (last,) = [each for each in found if each.analysis == "evolution" and each.epoch == 3]
    return last.model_copy(update={"payload": EvolutionResult.model_validate(last.payload | changes).model_dump()})


def result(**changes: Any) -> EvolutionResult:
    return EvolutionResult.model_validate(record(**changes).payload)


def flips(flipped: int, wrong: int, p: float = 0.5, of: int = 64) -> dict[str, Any]:
    return Flips(
        of=of, flipped=flipped, wrong=wrong, wrong_before=9, worse=wrong, better=flipped - wrong, turned=flipped,
        kept=of - flipped, p_value=p,
    ).model_dump()  # fmt: skip


def change(value: float, half: float, p: float, groups: int = 32) -> dict[str, Any]:
    size = Interval(value=value, low=value - half, high=value + half)
    return ToExplain(size=size, p_value=p, groups=groups, unit="contrast pairs", needed=400).model_dump()


def test_a_change_beyond_chance_is_told_with_what_moved_most() -> None:
    found = result(verdicts=flips(12, 9, 0.146), change=change(1.5, 0.3, 1e-9))
    flipped = "12 of 64 verdicts flipped, 9 wrong now (McNemar p = 0.15)"
    assert change_finding(found) == f"Since epoch 2: {flipped}"
    assert change_words(found).startswith(
        "the separation of unsafe and safe changed by 1.50 [1.20, 1.80] nats; 32 contrast pairs · layer 5 moved "
        "most "
    )
    assert named_lines(found)


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (change(0.2, 0.5, 0.4), "the change may be chance"),
        (change(0.2, 0.1, 0.01), "the change may be chance"),
        (change(0.01, 0.001, 1e-9), "unsafe and safe hardly moved apart"),
        (change(2.0, 0.1, 1e-9, groups=8), "too few prompts to claim more"),
    ],
)
def test_where_it_may_be_chance_nothing_is_ranked(moved: dict[str, Any], said: str) -> None:
    found = record(verdicts=flips(0, 0, 1.0), change=moved)
    read = result(verdicts=flips(0, 0, 1.0), change=moved)
    assert change_finding(read) == f"Since epoch 2: none of 64 verdicts flipped, {said}"
    assert change_words(read).startswith("Nothing")
    assert named_lines(read) == []
    (panel,) = get("evolution").panels(found)
    told = panel.figure.to_json()
    assert not [word for word in RANKED if word in panel.alt or f"<b>{word}" in told]


def test_verdicts_that_changed_beyond_chance_are_enough() -> None:
    """All scores moved alike: the classes did not part, and yet many verdicts are wrong now."""
    still = change(0.0, 0.5, 0.9)
    assert "moved most" in change_words(result(verdicts=flips(20, 19, 4e-5), change=still))
    assert "moved most" not in change_words(result(verdicts=flips(20, 15, 0.04), change=still))
    assert "moved most" not in change_words(result(verdicts=flips(11, 11, 0.001), change=still)), "too few"


def test_every_verdict_and_what_is_not_known() -> None:
    assert "every verdict flipped (64), 62 wrong now (McNemar p < 0.0001)" in change_finding(
        result(verdicts=flips(64, 62, 1e-12))
    )
    unknown = change_finding(result(verdicts=None, change=None, shift=None))
    assert unknown == "Since epoch 2: verdicts could not be compared"
    assert change_words(result(verdicts=None, change=None, shift=None)) == ""


def test_the_same_judge_is_all_there_is_to_say() -> None:
    (panel,) = get("evolution").panels(record(same="judge", first=None, alerts=[]))
    assert "The same weights as at epoch 2: the same judge" in panel.figure.layout.title.text
    assert len(panel.figure.data) <= 1, "no plot"
    both = change_finding(result(same="weights", verdicts=flips(0, 0, 1.0)))
    assert both.startswith(
        "Since epoch 2: the same weights, with another config or tokenizer, none of 64 verdicts "
    )


STEP = {"previous": "epoch 7", "label": "epoch 8", "usual": 0.02, "n": 9, "ratio": 30.0, "bar": 19.6, "layers": 12}


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (
            StepAlert(signal="cka_last", severity="alarm", before=0.98, now=0.38, **STEP),
            "CKA of the last layer with the checkpoint before went from 0.98 to 0.38 at epoch 8: 30.0 times the "
            "usual step (0.020, over the 9 steps up to epoch 7), alarm from 19.6. This is a flag, not a diagnosis.",
        ),
        (
            StepAlert(signal="divergence_layer", severity="note", before=-1, now=12, **STEP),
            "The divergence layer went from the embeddings to none (counted as 12) at epoch 8: ",
        ),
        (
            StepAlert(signal="neurons_with_effect", severity="note", before=100, now=900, **STEP),
            "The number of significant neurons with an effect went from 100 to 900 at epoch 8: ",
        ),
        (
            StepAlert(signal="transfer", severity="note", before=0.9, now=0.1, **STEP),
            "What the previous checkpoint's circuit keeps went from 90 % to 10 % at epoch 8: ",
        ),
    ],
)
def test_an_alert_says_its_own_numbers(alert: StepAlert, said: str) -> None:
    assert alert.sentence.startswith(said)
    assert (
        f"{alert.ratio:.1f} times" in alert.sentence and f"{alert.severity} from {alert.bar:.1f}" in alert.sentence
    )


def test_no_alarm_is_cut_short_in_the_figure() -> None:
    alarm = StepAlert(signal="cka_last", severity="alarm", before=0.98, now=0.38, **STEP)
    found = result(alerts=2 * [alarm.model_dump()])
    assert alert_flags(found) == 2 * [alarm.sentence]
    one, two = (get("evolution").panels(record(alerts=n * [alarm.model_dump()]))[0].figure for n in (1, 2))
    (box,) = [note.text for note in two.layout.annotations if "⚠" in note.text]
    lines = [line.removeprefix("<b>").removesuffix("</b>") for line in box.split("<br>")]
    assert " ".join(lines) == f"⚠ {alarm.sentence} ⚠ {alarm.sentence}", "all of it, over several lines"
    assert max(text_width(line, SIZE) for line in lines) <= 860
    assert two.layout.height - one.layout.height == LINE * len(lines) / 2, "room for every line"


def test_names_that_do_not_fit_on_a_line_are_counted() -> None:
    names = [f"L{layer}.N{number}" for layer in range(10) for number in range(1000, 1010)]
    changed = {"verdicts": flips(12, 9, 0.001), "change": change(1.5, 0.3, 1e-9)}
    (line, *_) = named_lines(result(neurons_established=names, neurons_vanished=[], **changed))
    told = line.removeprefix("<b>Neurons established</b>: ")
    shown, _, rest = told.rpartition(" and ")
    assert "…" not in line and rest == f"{100 - len(shown.split(', '))} more"
    (line, *_) = named_lines(result(neurons_established=names[:3], neurons_vanished=[], **changed))
    assert line == f"<b>Neurons established</b>: {', '.join(names[:3])}"


def test_alarms_are_flags_and_notes_are_not() -> None:
    turned = VerdictAlert(
        test="turned", signal="verdicts", previous="epoch 2", label="epoch 3", flips=Flips(**flips(64, 60)),
        p_value=1e-9, bar=3e-4,
    )  # fmt: skip
    note = StepAlert(signal="drift", severity="note", before=0.1, now=0.5, **STEP)
    found = result(alerts=[turned.model_dump(), note.model_dump()])
    assert [flag.split(":")[0] for flag in alert_flags(found)] == ["Every verdict flipped at epoch 3"]
    (panel,) = get("evolution").panels(record(alerts=[turned.model_dump(), note.model_dump()]))
    assert "\nAlarm: Every verdict" in panel.caption and "\nNote: Attribution drift" in panel.caption
    failed = result(frozen_check="fail", frozen_check_detail="norms differ")
    assert alert_flags(failed)[0] == "Frozen check failed: norms differ"
    records = [record(alerts=[turned.model_dump()] + 2 * [note.model_dump()])]
    (panel,) = get("evolution").run_panels(records, [])  # type: ignore[misc]
    assert "Every verdict flipped at epoch 3" in panel.figure.layout.title.text
    (panel,) = get("evolution").run_panels([record(alerts=[note.model_dump()])], [])  # type: ignore[misc]
    assert panel.figure.layout.title.text.startswith("<b>No alarm")
