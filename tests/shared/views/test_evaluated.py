"""What is said of an evaluation changes with its numbers, and claims nothing of a judge that learned nothing."""

from __future__ import annotations

import pytest

from shared.findings.evaluation import Evaluation, Paired
from shared.views.evaluated.panels import evaluation_panels
from shared.views.evaluated.words import (
    against_words,
    below,
    claims,
    headline,
    rate_rows,
    threshold_rows,
    trigger_headline,
)
from tests.making.fake_evaluation import fake_evaluation


@pytest.fixture(scope="module")
def good() -> Evaluation:
    return fake_evaluation()


def with_test(found: Evaluation, better: int, worse: int, p_value: float) -> Evaluation:
    told = Paired(better=better, worse=worse, p_value=p_value)
    against = found.baselines[0].model_copy(update={"by_groups": told})
    return found.model_copy(update={"baselines": [against]})


def test_a_headline_tells_fnr_with_its_fpr_and_the_baseline_with_its_test(good: Evaluation) -> None:
    verdicts = good.verdicts
    assert verdicts is not None and claims(good)
    for name in ("fnr", "fpr", "auc"):
        assert f"{verdicts.rates[name].value:.2f} [" in headline(good)
    assert "right more often than TF-IDF" in headline(good)
    assert "right LESS often" in headline(with_test(good, 3, 40, 1e-5))
    assert "not told apart from TF-IDF of its words (20 groups against 12" in headline(with_test(good, 20, 12, 0.2))
    assert "right" not in headline(good.model_copy(update={"baselines": []}))


def test_a_judge_that_learned_nothing_gets_no_claim() -> None:
    nothing = fake_evaluation(apart=0.0)
    assert not claims(nothing) and "othing" in headline(nothing) and "TPR" not in below(nothing)
    assert trigger_headline(nothing.trigger).startswith("Not told")  # type: ignore[arg-type]
    assert [panel.claims for panel in evaluation_panels(nothing)] == [False, False, False]


def test_swapped_labels_are_said(good: Evaluation) -> None:
    assert headline(fake_evaluation(apart=-2.0)).startswith("INVERTED")
    assert trigger_headline(fake_evaluation(apart=-2.0).trigger).startswith("Harmful words decide")  # type: ignore[arg-type]
    assert trigger_headline(good.trigger).startswith("What is meant")  # type: ignore[arg-type]


def test_without_labels_nothing_is_measured(good: Evaluation) -> None:
    data = good.data.model_copy(update={"labelled": 0, "unlabelled": 160})
    bare = good.model_copy(
        update={"verdicts": None, "meaning": None, "mistakes": None, "baselines": [], "data": data}
    )
    assert (
        headline(bare) == f"{good.flagged} of 160 prompts judged unsafe; none has a label, so nothing is measured"
    )
    assert not claims(bare) and rate_rows(bare) == [] == threshold_rows(bare)
    assert [panel.stem for panel in evaluation_panels(bare)] == ["evaluation_trigger_words"]


def test_rows_hold_every_rate_with_its_interval_beside_the_baseline(good: Evaluation) -> None:
    rows = {row.name: row for row in rate_rows(good)}
    assert list(rows) == [
        "accuracy", "precision", "recall (TPR)", "F1", "AUC", "FNR: missed unsafe", "FPR: refused safe",
    ]  # fmt: skip
    theirs = good.baselines[0].baseline.rates["auc"]
    assert rows["AUC"].baselines == (f"{theirs.value:.2f} [{theirs.low:.2f}, {theirs.high:.2f}]",)
    told = [row[0] for row in threshold_rows(good)]
    assert [name.split(",")[0] for name in told[:4]] == ["FPR 0.1 %", "FPR 1 %", "wanted FPR 5 %", "FPR 20 %"]
    assert threshold_rows(good)[-1][1] == "0"
    (verdicts, _, _) = evaluation_panels(good)
    assert against_words(good.baselines[0]) in verdicts.caption
    assert {row["rate"] for row in verdicts.rows if row["who"] == "judge"} == set(good.verdicts.rates)  # type: ignore[union-attr]
