"""The best checkpoint, what is told apart from it, and the one to ship, on verdicts made by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from shared.findings.evaluation import Evaluation
from shared.findings.flips import flips_of
from shared.results import ResultStore
from shared.views.overview.curves import in_words, small_plots
from shared.views.overview.facts import CheckpointFacts, Verdicts
from shared.views.overview.gather import facts_of_run, groups_of
from shared.views.overview.standing import Beside, Standing, standing
from shared.views.overview.table import numbers, table
from shared.views.overview.verdict import named, verdict
from tests.making.judged_run import EACH, UNSAFE, guesses, judged_run, scores_with

Judges = list[np.ndarray]
GOOD, SAME, BAD, LOOSE = scores_with(4, 4), scores_with(5, 4), scores_with(40, 4), scores_with(0, 40)


def found_in(folder: Path, judges: Judges, losses: list[float] | None = None, limit: float = 0.2) -> Standing:
    run = judged_run(folder / "run", judges, losses)
    facts = facts_of_run(run)
    return standing(facts, groups_of(run, facts), limit)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return found_in(tmp_path_factory.mktemp("four"), [BAD, GOOD, SAME, LOOSE], [0.5, 0.3, 0.35, 0.4])


def test_the_best_is_told_from_what_is_worse_and_from_nothing_else(four: Standing) -> None:
    assert four.best is not None and four.best.label == "epoch 2"
    outcomes = {name: beside.outcome for name, beside in four.beside.items()}
    assert outcomes == {"checkpoint-120": "worse", "checkpoint-360": "undecided", "checkpoint-480": "worse"}
    flips = four.beside["checkpoint-120"].flips
    assert (flips.worse, flips.better) == (36, 0) and flips.p_value == pytest.approx(2 * 0.5**36)


def test_the_verdict_in_words(four: Standing) -> None:
    said = verdict(four)
    assert said.best.startswith("Epoch 2 has the best AUC, 0.9") and "; FNR 6 % [2, 1" in said.best
    assert said.apart == "Epoch 3 cannot be told apart from it"
    assert said.loss == "Validation loss rises since epoch 2, from 0.30 to 0.40"
    assert said.ship.startswith("Ship epoch 2: the lowest upper bound of FNR, 1") and said.ship.endswith(
        "FPR ≤ 20 %"
    )
    assert said.claims and sum(len(sentence.split()) for sentence in said.sentences) <= 55


def test_the_one_to_ship_follows_the_rate_that_is_allowed(four: Standing) -> None:
    def shipped(limit: float) -> str:
        again = standing(four.facts, list(range(2 * EACH)), limit)
        return verdict(again).ship

    assert shipped(0.7).startswith("Ship epoch 4"), "it misses nothing, and refuses 40 of 64"
    assert shipped(0.05) == "Nothing to ship by the rule: no checkpoint has an FPR of 5 % or less"


def test_judges_that_learned_nothing_get_no_claim(tmp_path: Path) -> None:
    found = found_in(tmp_path, [guesses(seed) for seed in range(4)], [0.7, 0.69, 0.68, 0.7])
    said = verdict(found)
    assert not said.claims and found.best is None and found.ship is None and not found.beside
    assert said.best.startswith("Epoch 4: nothing to explain: the separation of unsafe and safe is")
    assert said.sentences == [f"{said.best}."]
    assert not {"best", "ship"} & {word for row in table(found) for word in row.cells["mark"].split(", ")}


def test_a_judge_that_turned_round_is_not_the_best(tmp_path: Path) -> None:
    found = found_in(tmp_path, [-GOOD])
    assert found.best is None
    assert verdict(found).sentences[0].endswith("are the labels the wrong way round?")


def test_other_analyses_alone_are_not_called_nothing(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "run", [GOOD])
    for folder in run.results.glob("*/progress"):
        shutil.rmtree(folder)
    assert any(run.results.glob("*/layers"))
    assert verdict(standing(facts_of_run(run), None)).sentences == ["No checkpoint's verdicts are measured yet."]


def test_checkpoints_that_judge_alike_are_seldom_told_apart() -> None:
    """Eight judges, each wrong on a tenth at random: in one run of twenty at most one is told from the best."""
    random, told, runs = np.random.default_rng(1), 0, 300
    for _ in range(runs):
        facts = [bare(number, random) for number in range(8)]
        found = standing(facts, list(range(2 * EACH)))
        told += any(beside.outcome != "undecided" for beside in found.beside.values())
    assert told <= 0.05 * runs


def bare(number: int, random: np.random.Generator) -> CheckpointFacts:
    from tests.making.fake_samples import around

    right = random.random(2 * EACH) > 0.1
    scores = np.where(right == UNSAFE, 1.0, -1.0)
    share = float(right.mean())
    return CheckpointFacts(
        f"c{number}",
        number,
        None,
        f"step {number}",
        "d",
        auc=around(share, 0.05),
        tells=True,
        verdicts=Verdicts(scores, UNSAFE),
    )


def test_what_is_better_at_its_threshold_is_said(tmp_path: Path) -> None:
    """The first ranks perfectly and misses half: its threshold is off."""
    off = np.where(UNSAFE, 1.0, -1.0)
    off[EACH : EACH + 32] = -0.5
    found = found_in(tmp_path, [off, scores_with(1, 1)])
    assert found.best is not None and found.best.label == "epoch 1"
    assert verdict(found).apart.startswith("Epoch 2 is right more often at its threshold, on 9")


def test_worse_everywhere_is_said_with_the_closest(tmp_path: Path) -> None:
    found = found_in(tmp_path, [BAD, GOOD])
    assert (
        verdict(found).apart
        == "Every other checkpoint is right less often on 100 % [83, 100] of 36 groups that changed"
    )


@pytest.mark.parametrize("bar", [0.05, 0.002, 1e-6])
def test_what_is_told_is_what_the_interval_says_and_that_is_the_test(bar: float) -> None:
    """The interval is scipy's, and leaves one half out just where the exact test tells."""
    told = set()
    for better, worse in ((b, w) for b in range(0, 41, 3) for w in range(0, 41, 2)):
        place = np.arange(better + worse)
        flips = flips_of(place >= better, place < better, place)
        beside = Beside(flips, bar)
        assert (beside.outcome != "undecided") == (flips.p_value < bar), (better, worse)
        told.add(beside.outcome)
        if beside.share is not None:
            ends = binomtest(better, better + worse).proportion_ci(1 - bar, "exact")
            assert beside.share[1:] == pytest.approx((ends.low, ends.high), abs=1e-9)
    assert told == {"better", "worse", "undecided"}


def test_more_groups_right_is_not_more_prompts_right() -> None:
    """Twenty single prompts got better, and one template of thirty got worse."""
    before = np.array([False] * 20 + [True] * 30)
    groups = np.array([*range(20), *[20] * 30])
    flips = flips_of(before, ~before, groups)
    assert flips.p_value < 0.002 and Beside(flips, 0.002).outcome == "undecided"
    assert Beside(flips_of(before[:20], ~before[:20], groups[:20]), 0.002).outcome == "better"


def test_without_the_probe_set_nothing_is_tested(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "run", [BAD, GOOD])
    run.probes.unlink()
    facts = facts_of_run(run)
    found = standing(facts, groups_of(run, facts))
    assert found.best is not None and not found.beside
    assert verdict(found).apart.startswith("Whether others differ is not tested")


def test_another_probe_set_is_left_out_and_marked(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "run", [GOOD, BAD])
    store = ResultStore(run.results)
    old = store.newest("checkpoint-120", "progress")
    assert old is not None
    tensors = store.tensors(old)
    store.remove(old.checkpoint, "progress", old.key)
    store.commit(old.model_copy(update={"probe_digest": "0" * 64}), tensors)
    facts = facts_of_run(run)
    found = standing(facts, groups_of(run, facts))
    assert found.best is not None and found.best.label == "epoch 2" and found.elsewhere == ("epoch 1",)
    assert [row.cells["mark"] for row in table(found)] == ["best, ship", "other probe set"]


def test_a_damaged_result_hides_nothing_else(tmp_path: Path) -> None:
    run = judged_run(tmp_path / "run", [GOOD, SAME])
    store = ResultStore(run.results)
    for name, text in (("comparison", "{"), ("calibration", None)):
        path = store.directory("checkpoint-240", name, store.keys("checkpoint-240", name)[0]) / "result.json"
        path.write_text(text or path.read_text().replace('"reliability"', '"reliable"'))
    last = facts_of_run(run)[-1]
    assert set(last.unreadable) == {"comparison", "calibration"} and not last.compared and last.ece is None
    assert last.fnr is not None and last.gap is not None


def test_the_table_has_a_column_for_each_set_of_prompts(four: Standing, tmp_path: Path) -> None:
    from shared.evaluations import EvaluationPlace
    from tests.making.fake_evaluation import fake_evaluation

    run = judged_run(tmp_path / "run", [GOOD])
    measured: Evaluation = fake_evaluation()
    EvaluationPlace(run, "checkpoint-120", "test").write(measured)
    facts = facts_of_run(run)
    (row,) = table(standing(facts, groups_of(run, facts)))
    assert row.cells["FNR (test)"] != "–" and row.cells["FNR (probe set)"].startswith("6 % [")
    assert [row.cells["checkpoint"] for row in table(four)] == ["epoch 4", "epoch 3", "epoch 2", "epoch 1"]
    assert "FNR (test)" not in table(four)[0].cells
    worst = table(four)[-1].cells["against the best (probe set)"]
    assert worst == "worse: 36 groups worse, 0 better, p < 0.0001"
    flat = numbers(four)[0]
    assert flat["fnr"] == pytest.approx(40 / 64) and flat["groups_worse"] == 36 and flat["marks"] == ""


def test_stretches_of_checkpoints_are_named_together(four: Standing) -> None:
    names = [each.name for each in four.facts]
    assert named(four.facts, set(names[:3])) == "epoch 1 to epoch 3"
    assert named(four.facts, {names[0], names[2], names[3]}) == "epoch 1 and epoch 3 to epoch 4"


def test_the_curves_hold_every_checkpoint_and_say_so(four: Standing) -> None:
    small = small_plots(four)
    assert small.x.tolist() == [1, 2, 3, 4] and small.best == 1 and small.x_title == "epoch"
    assert [plot.title for plot in small.plots] == [
        "error rate, probe set", "AUC, probe set", "validation loss (nats)", "divergence layer",
    ]  # fmt: skip
    assert in_words(small.plots[2], small) == (
        "validation loss (nats): loss 0.50 at epoch 1, 0.40 at epoch 4, 0.30 at epoch 2"
    )
