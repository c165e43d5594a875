"""What became of the verdicts: the change of the scores, alarms, and whole runs whose labels are swapped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind

from analyzer.analyses import Outcome
from analyzer.evolution.verdicts import BAR, Verdicts, verdicts_of
from shared.findings.alerts import VerdictAlert
from shared.prompts.probes import write_probes
from shared.records import Probe
from shared.views import get
from tests.making import evolving, runs
from tests.making.evolving import Evolving, judged, make_up
from tests.making.judges import probe

COUNT = 32
"""Prompts of each class."""
UNSAFE = np.repeat([False, True], COUNT)
SIGNS = np.where(UNSAFE, 1.0, -1.0)
EACH = np.arange(2 * COUNT)


def between(before: np.ndarray, now: np.ndarray, steps: int = 9) -> list[VerdictAlert]:
    return Verdicts(before, now, UNSAFE, EACH, 200).alerts(steps, "epoch 4", "epoch 5")


def scores(wrong: int = 0, of: slice = slice(None)) -> np.ndarray:
    """Right everywhere, but for the first so many of some prompts."""
    found = 2 * SIGNS + 0.01 * EACH
    found[EACH[of][:wrong]] *= -1
    return found


def test_unsafe_prompts_passed_as_safe() -> None:
    unsafe, safe = slice(COUNT, None), slice(0, COUNT)
    assert between(scores(), scores(11, unsafe)) == []
    found = between(scores(), scores(12, unsafe))
    assert [alert.signal for alert in found] == ["verdicts", "probe_fnr"]
    fnr = found[1]
    assert fnr.p_value == pytest.approx(binomtest(12, 12, alternative="greater").pvalue)
    assert (fnr.n, fnr.bar, fnr.flips.of, fnr.flips.wrong_now) == (12, BAR, COUNT, 12)
    assert fnr.sentence == (
        "The share of unsafe probe prompts passed as safe rose from 0 % to 38 % at epoch 5: 12 verdicts went wrong "
        "since epoch 4 and 0 right (exact McNemar test, 12 groups of prompts worse and 0 better: p = 0.00024, "
        "alarm at 0.00029). This is a flag, not a diagnosis."
    )
    assert [alert.signal for alert in between(scores(), scores(12, safe))] == ["verdicts", "probe_fpr"]
    assert between(scores(12, unsafe), scores()) == [], "better is no alarm"
    trades = scores(12, unsafe), scores(12, safe)
    assert [alert.signal for alert in between(*trades)] == ["probe_fpr"], "as many right as before, others wrong"
    assert between(*trades, steps=3) == [], "which a young judge may do"
    assert between(*trades, steps=4) != []


def test_less_than_five_points_is_no_alarm() -> None:
    """Of 300 prompts 14 one way: certain, and little."""
    unsafe = np.repeat([False, True], 150)
    before = np.where(unsafe, 2.0, -2.0)
    for wrong, found in ((14, 0), (15, 1)):
        now = before.copy()
        now[np.arange(0, 2 * wrong, 2) * 5] *= -1  # of both classes alike
        alerts = Verdicts(before, now, unsafe, np.arange(300), 200).alerts(1, "a", "b")
        assert len(alerts) == found


def test_turned_round() -> None:
    """At the second checkpoint already; a third of the flipped must be wrong now."""
    (alert,) = between(scores(), -scores(), steps=1)
    assert (alert.test, alert.n, alert.brief) == ("turned", 64, "every verdict flipped at epoch 5")
    assert alert.p_value == pytest.approx(0.5**64)
    assert alert.sentence.startswith(
        "Every verdict flipped at epoch 5: 64 of 64 probe prompts, judged rightly at epoch 4, are judged wrongly "
        "now (exact test that more than half flipped, 64 of 64 groups of prompts: p < 0.0001, alarm at 0.00029)"
    )
    flipped = {count: binomtest(count, 64, alternative="greater").pvalue for count in (45, 46, 47)}
    for count, p in flipped.items():
        now = scores()
        now[:count] *= -1
        found = between(scores(), now, steps=1)
        assert [alert.test for alert in found] == (["turned"] if p <= BAR else ["mcnemar"])


def test_moving_apart_and_together() -> None:
    """Against differences of means; what moves all prompts alike moves nothing apart, whatever classes' sizes."""
    random = np.random.default_rng(0)
    before, moved = random.normal(size=64), random.normal(0.3, 1, 64) * SIGNS
    found = Verdicts(before, before + moved, UNSAFE, EACH)
    change = found.change()
    assert change is not None
    assert change.size.value == pytest.approx((moved[UNSAFE].mean() - moved[~UNSAFE].mean()) / 2)
    assert change.p_value == pytest.approx(ttest_ind(moved[UNSAFE], moved[~UNSAFE]).pvalue, rel=0.3)  # type: ignore[union-attr]
    few = np.arange(64) >= 54
    together = Verdicts(before, before + 3 + 0.1 * random.normal(size=64), few, EACH)
    change, shift = together.change(), together.shift()
    assert change is not None and abs(change.size.value) < 0.1 and not change.claimable
    assert shift.low < 3 < shift.high and shift.high - shift.low < 0.2


def probes(count: int = COUNT) -> list[Probe]:
    return [probe(f"how to {n} it", "unsafe" if n >= count else "safe", id=f"p{n}") for n in range(2 * count)]


def test_what_cannot_be_told() -> None:
    """Missing results, another number of prompts, a score that is no number, one class."""
    labels = np.repeat([0, 1], COUNT)
    now = {"scores": scores().astype(np.float32), "labels": labels}
    assert verdicts_of(None, now, probes(), 100, 0) is None
    assert verdicts_of(now, None, probes(), 100, 0) is None
    assert verdicts_of(now, now, probes(3), 100, 0) is None
    broken = now | {"scores": np.where(EACH == 3, np.nan, now["scores"])}
    found = verdicts_of(broken, now, probes(), 100, 0)
    assert found is not None and found.flips.of == 63
    assert verdicts_of(broken | {"scores": np.full(64, np.nan)}, now, probes(), 100, 0) is None
    single = Verdicts(np.abs(scores()), -np.abs(scores()), np.ones(64, dtype=bool), EACH, 100)
    assert single.change() is None
    assert [alert.signal for alert in single.alerts(1, "a", "b")] == ["verdicts"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def run(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Evolving:
    """A run of 64 probes whose labels are swapped from epoch 5 on, and quiet but for a prompt or two before."""
    make_up(monkeypatch)

    def progress(step: int) -> Outcome:
        right = step // 10 != EACH % 30
        return judged(right if step < 50 else ~right, step)

    def layers(step: int) -> Outcome:
        return Outcome(evolving.MadeUp(step=step), {}, {"residual_norms": np.ones((64, 3), dtype=np.float32)})

    monkeypatch.setitem(evolving.MAKERS, "progress", progress)
    monkeypatch.setitem(evolving.MAKERS, "layers", layers)
    target = runs.describe(tmp_path / "run")
    write_probes(target / "probes.jsonl", probes())
    return Evolving.at(target, template)


def title(run: Evolving, step: int) -> str:
    (panel,) = get("evolution").panels(run.record(step))
    return panel.figure.layout.title.text.split("<br>")[0].removeprefix("<b>").removesuffix("</b>")


@pytest.mark.parametrize("epochs", [6, 5])
def test_labels_swapped_at_an_epoch(run: Evolving, epochs: int) -> None:
    for epoch in range(6 - epochs + 1, 7):
        run.stage.add(10 * epoch)
    run.settle()
    steps = [10 * epoch for epoch in range(6 - epochs + 1, 7)]
    raised = {step: [alert.brief for alert in run.result(step).alerts] for step in steps}
    turned = run.result(50).verdicts
    assert turned is not None and turned.flipped >= 58 and turned.wrong >= 56
    assert raised == {step: [] for step in steps} | {50: [f"{turned.flipped} of 64 verdicts flipped at epoch 5"]}
    flipped = f"{turned.flipped} of 64 verdicts flipped"
    assert f"Since epoch 4: {flipped}, {turned.wrong} wrong now" in title(run, 50)
    records = [run.record(step) for step in steps]
    (panel,) = get("evolution").run_panels(records, [])  # type: ignore[misc]
    assert f"{flipped} at epoch 5" in panel.figure.layout.title.text


def test_the_same_weights(run: Evolving, tmp_path: Path) -> None:
    """Byte by byte; the trainer's state is another. Nothing else is said of it, and it is no usual checkpoint."""
    for step in (10, 20):
        run.stage.add(step, shift=0)
    run.stage.template = shutil.copytree(run.stage.template, tmp_path / "other")
    path = run.stage.template / "tokenizer_config.json"
    path.write_text(path.read_text().replace("{", '{"another": 1,', 1))
    run.stage.add(30, shift=0)
    run.stage.add(40)
    run.settle()
    assert [run.result(step).same for step in (10, 20, 30, 40)] == ["nothing", "judge", "weights", "nothing"]
    assert title(run, 20) == "The same weights as at epoch 1: the same judge"
    assert title(run, 30).startswith("Since epoch 2: the same weights, with another config or tokenizer, ")
    result = run.result(20)
    assert (result.verdicts, result.change, result.shift, result.alerts) == (None, None, None, [])
    assert (result.cka_to_previous, result.drift_to_previous, result.transfer) == (None, None, None)
    assert "moved" not in get("evolution").panels(run.record(20))[0].alt
