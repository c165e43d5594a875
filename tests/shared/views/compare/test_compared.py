"""What is said of two checkpoints: sentences that change with the numbers, and tests checked a second way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, hypergeom, norm

from shared.findings.circuits import CircuitsResult
from shared.findings.flips import flips_of
from shared.findings.parts import typed_result
from shared.prompts.probes import read_probes, write_probes
from shared.records import RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from shared.views.compare.circuits import overlap, overlap_sentence, transfer_sentence
from shared.views.compare.compared import Compared, compare
from shared.views.compare.differs import metric_rows, setting_rows
from shared.views.compare.gather import side_of
from shared.views.compare.side import Side, unlike
from shared.views.compare.units import heads_panel, neurons_panel
from shared.views.compare.verdicts import LEAST, flipped, outcome, sentence
from shared.views.compare.z_values import beyond
from shared.views.overview.change import rate_told
from tests.making.fakes import fake_results
from tests.making.judged_run import EACH, guesses, judged_run, scores_with

JUDGES = {
    "bad": scores_with(40, 4),
    "good": scores_with(4, 4),
    "near": scores_with(5, 6),
    "loose": scores_with(0, 40),
}
NAMES = list(JUDGES)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return judged_run(tmp_path_factory.mktemp("compared") / "run", list(JUDGES.values()))


def side(run: Run, name: str, called: str = "") -> Side:
    return side_of(run, f"checkpoint-{120 * (NAMES.index(name) + 1)}", called or name)


def between(run: Run, there: str, here: str) -> Compared:
    return compare(side(run, there), side(run, here))


def test_what_the_exact_test_tells_is_said_with_its_numbers(run: Run) -> None:
    found = between(run, "bad", "good")
    assert found.headline.startswith(
        "Good is right more often than bad: 36 verdicts fixed and 0 broken of the same"
    )
    assert found.headline.endswith("(exact McNemar test, 36 groups better and 0 worse, p < 0.0001)")
    assert found.tests["fnr"].p_value == pytest.approx(binomtest(0, 36).pvalue)
    assert found.tests["fpr"].p_value == 1 and "pairs" not in found.tests
    back = between(run, "good", "bad")
    assert back.headline.startswith("Bad is right less often than good: 0 verdicts fixed and 36 broken")
    assert not found.notes


def test_a_few_flips_are_not_told_from_chance(run: Run) -> None:
    said = between(run, "good", "near").headline
    assert said.startswith("Near and good cannot be told apart: 0 verdicts fixed and 3 broken of the same 128")
    assert said.endswith(f"with fewer than {LEAST} changed groups of prompts no test could tell")
    assert binomtest(0, LEAST).pvalue < 0.002 <= binomtest(0, LEAST - 1).pvalue


def test_many_flips_both_ways_are_not_told_either(run: Run) -> None:
    found = between(run, "bad", "loose")
    fixed, broken = found.tests["accuracy"].better, found.tests["accuracy"].worse
    assert (fixed, broken) == (40, 36) and "cannot be told apart" in found.headline
    assert found.tests["accuracy"].p_value == pytest.approx(binomtest(36, 76).pvalue)
    assert {name: flips.p_value < 0.002 for name, flips in found.tests.items() if name != "accuracy"} == {
        "fnr": True,
        "fpr": True,
    }, "better on one class and worse on the other, each for itself"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (20, "better in more groups, but more broken"),
        (14, "better in more groups, but as many fixed as broken"),
        (1, "better"),
    ],
)
def test_one_template_that_broke_holds_against_many_single_prompts(run: Run, broken: int, said: str) -> None:
    before = np.repeat([False, True], (14, broken))
    flips = flips_of(before, ~before, np.minimum(np.arange(14 + broken), 14))
    assert (flips.better, flips.worse, outcome(flips)) == (14, 1, said)
    assert rate_told(flips) == (said == "better"), "a number that fell is not coloured as a gain"
    paired = between(run, "bad", "good").paired
    assert paired is not None
    begins = "Good is right more often than bad" if said == "better" else f"Good against bad is {said}"
    assert sentence(paired, {"accuracy": flips}).startswith(f"{begins}: 14 verdicts fixed and {broken} broken of")


def test_the_same_verdicts_and_the_same_judge(run: Run) -> None:
    again = compare(side(run, "good", "one"), side(run, "good", "other"))
    assert again.headline == (
        "Other and one give the same verdict on all of the same 128 probe prompts, and are the same judge: "
        "weights, config and tokenizer have one digest"
    )
    assert not again.flips


def test_the_same_weights_with_other_verdicts_are_not_called_the_same(run: Run) -> None:
    alike = {"checkpoint_digest": "0" * 64}
    sides = [
        Side(name, None, {"progress": found.results["progress"].model_copy(update=alike)}, found.judged)
        for name, found in (("bad", side(run, "bad")), ("good", side(run, "good")))
    ]
    told = compare(*sides).headline
    assert told.startswith("Good and bad have the same weights, and yet 36 verdicts of 128 differ")


def test_judges_that_learned_nothing_are_hardly_told_apart(run: Run) -> None:
    random, told = np.random.default_rng(0), 0
    there = side(run, "good")
    assert there.judged is not None
    for _ in range(200):
        pair = [Side(name, None, {}, there.judged._replace(scores=random.normal(0, 1, 2 * EACH))) for name in "ab"]
        told += "right" in compare(*pair).headline
    assert told <= 3
    assert guesses(0).shape == there.judged.scores.shape


def test_flips_list_the_broken_first_each_with_both_scores(run: Run) -> None:
    found = between(run, "bad", "loose")
    assert found.paired is not None
    rows = flipped(found.paired)
    assert [row.outcome for row in rows] == ["broken"] * 36 + ["fixed"] * 40
    texts = {row.probe.text: row for row in rows}
    row = texts["This is unsafe prompt number 0."]
    assert (row.outcome, row.there < 0, row.here > 0) == ("fixed", True, True)
    assert texts["This is safe prompt number 39."].outcome == "broken"


def test_another_probe_set_leaves_the_common_prompts_and_no_test_of_the_rates(tmp_path: Path, run: Run) -> None:
    other = judged_run(tmp_path / "other", [JUDGES["good"]])
    probes = read_probes(other.probes).probes
    store = ResultStore(other.results)
    record = store.newest("checkpoint-120", "progress")
    assert record is not None
    kept = [place for place, probe in enumerate(probes) if not probe.text.endswith("9.")]
    write_probes(other.probes, [probes[place] for place in kept])
    found = read_probes(other.probes)
    tensors = {name: values[kept] for name, values in store.tensors(record).items()}
    store.remove(record.checkpoint, "progress", record.key)
    other_judge = {"probe_digest": found.digest, "checkpoint_digest": "0" * 64}
    store.commit(record.model_copy(update=other_judge), tensors)
    told = compare(side(run, "bad"), side_of(other, "checkpoint-120", "theirs"))
    left = 2 * EACH - len(kept)
    assert f"of the same {len(kept)} probe prompts" in told.headline
    assert told.notes[0].endswith(f"left out: {left} only bad was judged on.")
    assert told.tests and told.of_the_rates == {}
    rates = {row["number"]: row["test"] for row in metric_rows(told.there, told.here, told.of_the_rates)}
    assert rates["FNR (probe set)"] == "not tested"


def test_a_probe_set_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = judged_run(tmp_path / "gone", [JUDGES["good"]])
    gone.probes.unlink()
    assert "is not there any more" in side_of(gone, "checkpoint-120", "epoch 1").why_not
    assert side_of(gone, "checkpoint-999", "epoch 9").why_not == (
        "The verdicts of epoch 9 on the probe set are not there yet."
    )


def test_numbers_carry_the_test_that_is_about_them(run: Run) -> None:
    found = between(run, "bad", "good")
    rows = {row["number"]: row for row in metric_rows(found.there, found.here, found.of_the_rates)}
    assert rows["FNR (probe set)"]["difference"] == "−56.2 points"
    assert rows["FNR (probe set)"]["test"] == "better (p < 0.0001)"
    assert rows["AUC (probe set)"]["test"] == "not tested", "no exact test is about it"
    assert "FPR (probe set)" not in rows, "the same at both"


def test_settings_that_differ_are_listed_and_the_others_are_not(run: Run) -> None:
    there, here = side(run, "bad"), side(run, "good")
    assert setting_rows(there, here) == []
    changed = {name: record.model_copy(update={"dtype": "int8"}) for name, record in here.results.items()}
    other = Side("quantised", RunRecord(model="x", settings={"learning_rate": 0.1}), changed, here.judged)
    rows = {row["setting"]: (row["quantised"], row["bad"]) for row in setting_rows(there, other)}
    assert rows["progress · dtype"] == ("int8", "float32") and rows["training · learning_rate"] == ("0.1", "–")


def test_results_that_a_result_was_made_from_are_no_setting(run: Run) -> None:
    there, here = side(run, "bad"), side(run, "good")
    record = here.results["progress"]
    made = {"evolution": record.model_copy(update={"settings": {"lineage": {"own": {"tokens": "abc"}}, "top": 3}})}
    assert [row["setting"] for row in setting_rows(Side("before", None, {}), Side("now", None, made))][-1:] == [
        "evolution · top"
    ]
    assert not any("lineage" in row["setting"] for row in setting_rows(there, Side("now", None, made)))


def test_what_cannot_be_compared_of_other_judges_is_said(run: Run) -> None:
    there, here = side(run, "bad"), side(run, "good")
    assert unlike(there, here) == []
    judge = {**here.results["progress"].judge, "layers": 12}
    deeper = Side("deep", None, {"progress": here.results["progress"].model_copy(update={"judge": judge})})
    assert unlike(there, deeper) == ["Layers: 12 in deep, 6 in bad, so nothing is compared layer by layer."]


def advanced(epoch: int, layers: int = 6) -> dict[str, tuple[ResultRecord, dict[str, np.ndarray]]]:
    found = fake_results(epoch, layers=layers, advanced=True)
    return {record.analysis: (record, dict(tensors)) for record, tensors in found if record.step == epoch * 120}


def test_heads_are_marked_only_beyond_their_errors() -> None:
    change, error = np.array([[3.0, 4.5], [-9.0, 0.1]]), np.full((2, 2), 0.7)
    bar = norm.isf(0.002 / 8) * np.hypot(0.7, 0.7)
    assert (
        beyond(change, (error, error)).tolist() == (np.abs(change) > bar).tolist() == [[False, True], [True, False]]
    )
    assert not beyond(change, (None, error)).any() and not beyond(change, (error[:1], error)).any()


def test_maps_of_judges_of_another_shape_are_not_drawn() -> None:
    (first, _), (second, _) = advanced(1)["heads"], advanced(3)["heads"]
    panel = heads_panel(first, second, ("epoch 1", "epoch 3"), (None, None))
    assert not isinstance(panel, str) and "is not tested" in panel.headline and panel.claims is False
    sure = heads_panel(first, second, ("epoch 1", "epoch 3"), (np.full((6, 12), 1e-6),) * 2)
    assert not isinstance(sure, str) and "have another effect at epoch 3 than at epoch 1: L" in sure.headline
    deeper = advanced(3, layers=12)
    assert "have no counterparts" in str(heads_panel(first, deeper["heads"][0], ("a", "b"), (None, None)))
    assert "have no counterparts" in str(neurons_panel(advanced(1)["neurons"][0], deeper["neurons"][0], ("a", "b")))


def test_circuits_share_edges_beside_what_random_sets_would() -> None:
    one, other = (typed_result(advanced(epoch)["circuits"][0], CircuitsResult) for epoch in (2, 5))
    names = ("epoch 2", "epoch 5")
    found = overlap(one, other, names)
    assert not isinstance(found, str)
    assert found.p_value == pytest.approx(hypergeom(found.total, found.there, found.here).sf(found.shared - 1))
    assert found.by_chance == pytest.approx(hypergeom(found.total, found.there, found.here).mean())
    assert "more than random sets would" in overlap_sentence(found, names, other)
    nothing = other.model_copy(update={"smallest": None})
    assert overlap(one, nothing, names) == "No circuit can be claimed at epoch 5, so nothing is compared."
    assert "was not run" in transfer_sentence(None, "checkpoint-240", "", names)
