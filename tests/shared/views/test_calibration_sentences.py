"""What the page of thresholds and calibration says, fed with numbers for which it must change."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from shared.figures.kit.style import CLASS_COLOUR
from shared.findings.text import escape
from shared.results import ResultRecord, payload_of
from shared.views import Panel, get, headlines
from tests.making.fake_calibration import fake_calibration
from tests.making.fakes import fake_records
from tests.shared.views.test_words import auc, changed, gate, title


def record_of(learnt: float = 0.9, *, answers: bool = False) -> ResultRecord:
    (record, *_) = [each for each in fake_records(3) if each.analysis == "calibration"]
    return record.model_copy(update={"payload": payload_of(fake_calibration(learnt, answers=answers))})


def page(record: ResultRecord) -> Panel:
    (panel,) = get("calibration").panels(record)
    return panel


def reliability(**fields: Any) -> dict[str, Any]:
    return {"reliability": record_of().payload["reliability"] | fields}


def points(negatives: int) -> dict[str, Any]:
    return {"points": [each | {"negatives": negatives} for each in record_of().payload["points"]]}


def interval(low: float, value: float, high: float) -> dict[str, float]:
    return {"low": low, "value": value, "high": high}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (
            {},
            "TPR 0.18 [0.08, 0.28] with none of 64 safe prompts refused; overconfident: ECE 0.12 [0.08,",
        ),
        (points(100), "TPR 0.18 [0.08, 0.28] at 1 % FPR; overconfident"),
        ({"reliability": None}, "TPR 0.18 [0.08, 0.28] with none of 64 safe prompts refused; scores are no prob"),
        (reliability(p_value=0.3), "; no miscalibration beyond chance: ECE 0.12"),
        (reliability(overconfidence=interval(-0.2, -0.1, -0.05)), "; underconfident: ECE 0.12"),
        (reliability(overconfidence=interval(-0.2, 0.0, 0.2)), "; miscalibrated: ECE 0.12"),
        ({"separation": gate(0.3, 0.5, p_value=0.3)}, "Nothing to explain: the separation of unsafe and safe"),
        ({"separation": gate(4.0, groups=9)}, "Nothing can be claimed from 9 groups of prompts"),
        ({"auc": auc(0.42, 0.64)}, "Nothing to explain: AUC 0.53 [0.42, 0.64] includes 0.5"),
        ({"auc": auc(0.1, 0.3), "separation": gate(-4)}, "INVERTED: unsafe prompts score lower than safe ones"),
        ({"auc": None, "points": [], "roc": []}, "Nothing can be claimed: the probe set has prompts of one class"),
    ],
)
def test_the_headline_follows_from_its_numbers(fields: dict[str, Any], wanted: str) -> None:
    record = changed(record_of(), **fields)
    assert escape(wanted, None) in title(page(record)).replace("<br>", " ")
    (headline,) = headlines(get("calibration"), record)
    assert headline.claims is not wanted.startswith("Nothing")


def test_thresholds_are_told_only_of_a_judge_that_tells_the_classes_apart() -> None:
    told = page(record_of()).alt
    assert "threshold for 5 % FPR +1.50 nats" in told and "FNR at 20 % FPR 0.09 [0.00, 0.19]" in told
    assert "0.87 on prompts it was not chosen on" in told
    silent = page(changed(record_of(), separation=gate(0.01)))
    assert "nats [+" not in silent.alt.split("By part")[0].replace(title(silent), "")
    inverted = page(changed(record_of(), auc=auc(0.1, 0.3), separation=gate(-4)))
    assert not any("threshold for" in each.alt or "FNR at" in each.alt for each in (silent, inverted))


def test_of_a_head_that_states_no_probability_none_is_told() -> None:
    told, silent = page(record_of()), page(changed(record_of(), reliability=None))
    for word in ("that the judge states", "ECE"):
        assert word in told.caption + told.badge and word not in silent.caption + silent.badge + silent.alt
    assert {row["what"] for row in told.rows} - {row["what"] for row in silent.rows} == {
        "ECE", "ECE by chance, mean", "ECE by chance, 95th percentile", "p of the ECE", "confidence less accuracy",
        "share unsafe",
    }  # fmt: skip
    assert "states no probability" in silent.figure.to_json()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (
            {"safe": ["normal"], "unsafe": ["hate", "offensive"]},
            " · unsafe: hate, offensive · safe: normal · d",
        ),
        ({"safe": [], "unsafe": ["toxic"]}, " · unsafe: toxic · dtype"),
        ({"safe": ["LABEL_0"], "unsafe": ["LABEL_1"]}, " · unsafe: LABEL_1 · safe: LABEL_0 · dtype"),
        ({"safe": ["Safe"], "unsafe": ["UNSAFE"]}, ""),
    ],
)
def test_every_page_tells_which_classes_count_as_unsafe(labels: dict[str, list[str]], told: str) -> None:
    record = record_of()
    judged = {**record.judge, "kind": "classifier", "labels": labels}
    found = page(record.model_copy(update={"judge": judged})).badge
    assert told in found and ("unsafe: " in found) is bool(told)


@pytest.mark.parametrize(("shift", "said"), [(0.0, ", p(unsafe) "), (None, "")])
def test_a_prompt_s_probability_is_told_where_the_head_states_one(shift: float | None, said: str) -> None:
    (record, *_) = [each for each in fake_records(3) if each.analysis == "tokens"]
    judged = record.model_copy(update={"judge": {**record.judge, "log_odds_shift": shift}})
    (drawn, *_) = [each for each in get("tokens").panels(judged) if each.stem.startswith("sample_0")]
    assert (", p(unsafe) " in str(drawn.figure.to_json())) is bool(said)


def test_what_n_cannot_resolve_is_said() -> None:
    few = page(record_of())
    assert "64 safe prompts cannot resolve an FPR of 0.1 % (1,000 safe prompts) and 1 % (100 safe" in few.caption
    assert any(row["of"] == "FPR 1 %, not resolved by 64 safe prompts" for row in few.rows)
    enough = changed(record_of(), safe=2000, **points(2000))
    assert "Not resolved" not in page(enough).caption


def test_answers_in_words_are_shown_escaped_with_their_side() -> None:
    panel = page(record_of(answers=True))
    assert "answers hold 84 %" in panel.alt and "the judge's own answers" in panel.caption
    drawn = panel.figure.to_json()
    assert "&lt;b&gt;&amp;" in drawn and "\\\\n\\\\n" in drawn and "<b>&" not in drawn.replace("<b>TPR", "")
    rows = {row["of"] for row in panel.rows if row["what"] == "answer on safe prompts"}
    assert rows == {'" True" (unsafe)', '" False" (safe)', '"\\n\\n" (neither)', '"<b>&" (neither)'}
    assert not any(row["what"].startswith("answer") for row in page(record_of()).rows)


def test_where_the_answers_hold_little_the_headline_says_that_first_and_claims_nothing() -> None:
    record = record_of(answers=True)
    (before,) = headlines(get("calibration"), record)
    mass = {name: interval(0.1, 0.2, 0.3) for name in record.payload["answers"]["mass"]}
    little = changed(record, answers=record.payload["answers"] | {"mass": mass})
    (headline,) = headlines(get("calibration"), little)
    assert before.claims and not headline.claims
    assert "The answers hold 0.20 [0.10, 0.30] of the probability where the verdict is read: the scores" in (
        title(page(little)).replace("<br>", " ")
    )


def test_small_parts_are_silent() -> None:
    panel = page(record_of())
    rare = [row["value"] for row in panel.rows if row["of"] == "category: rare"]
    assert rare == [None, None, None] and "rare" not in panel.alt
    assert "fraud: FNR 0.13" in panel.alt


def test_what_answers_hold_is_drawn_over_the_run() -> None:
    records = [each for each in fake_records(2) if each.analysis == "calibration"]
    (plain,) = get("progress").run_panels(records, [])
    spoken = [r.model_copy(update={"payload": payload_of(fake_calibration(0.5, answers=True))}) for r in records]
    (held,) = get("progress").run_panels(spoken, [])
    assert "answer mass" not in plain.figure.to_json() and "answer mass (probability)" in held.figure.to_json()
    assert held.rows[0]["answer_mass"] == pytest.approx(0.6) and "answer_mass" not in plain.rows[0]
    assert plain.rows[0]["ece"] is not None and plain.rows[0]["tpr_at_fpr_1"] is not None


def test_the_colours_of_the_classes_mean_the_classes_only() -> None:
    figure = page(record_of(answers=True)).figure.to_dict()
    for trace in figure["data"]:
        colour = json.dumps([trace.get("line"), trace.get("marker")])
        of_class = {label for label in CLASS_COLOUR if CLASS_COLOUR[label] in colour}
        assert of_class <= set(re.findall(r"\w+", trace.get("name", ""))), trace


@pytest.mark.parametrize(
    ("negatives", "wanted", "other"),
    [(64, "TPR, no safe refused", "TPR at 1 % FPR"), (100, "TPR at 1 % FPR", "TPR, no safe refused")],
)
def test_a_rate_that_n_cannot_resolve_is_not_called_so_over_the_run(
    negatives: int, wanted: str, other: str
) -> None:
    records = [changed(each, **points(negatives)) for each in fake_records(2) if each.analysis == "calibration"]
    (panel,) = get("progress").run_panels(records, [])
    names = {trace.get("name") for trace in panel.figure.to_dict()["data"]}
    assert wanted in names and other not in names
    assert panel.rows[0]["tpr_at_fpr_1_resolved"] is (negatives >= 100)


def test_over_the_run_too_no_probability_is_missing_where_none_is_stated() -> None:
    records = [each for each in fake_records(3) if each.analysis in ("progress", "calibration")]
    silent = [changed(each, reliability=None) if each.analysis == "calibration" else each for each in records]
    for given, said in ((records, False), (silent, True)):
        (panel, *_) = get("progress").run_panels(given, [])  # type: ignore[misc]
        assert ("its head states no probability" in str(panel.figure.to_json())) is said
