"""How often a run of 30 checkpoints raises an alarm by chance, and what is found: simulated, with fixed seeds.

The numbers that docs/alerts.md publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from analyzer.evolution.alerts import CHECKPOINTS, all_alerts, step_alerts
from analyzer.evolution.verdicts import BAR, Verdicts
from shared.findings.alerts import Alert, StepAlert
from shared.findings.flips import at_least, flips_of

PROMPTS = 64
"""Of each class."""
UNSAFE = np.repeat([True, False], PROMPTS)
SIGNALS = ("divergence_layer", "drift", "cka_last", "neurons_with_effect", "transfer")
SHORT, LONG = 250, 5000
Kind = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

KINDS: dict[str, Kind] = {
    "gaussian": lambda random, shape: random.standard_normal(shape).cumsum(-1),
    "decaying": lambda random, shape: (
        5 * np.exp(-np.arange(shape[-1]) / 5) + 0.1 * random.standard_normal(shape).cumsum(-1)
    ),
    "binomial": lambda random, shape: random.binomial(PROMPTS, 0.14, shape) / PROMPTS,
    "t3": lambda random, shape: random.standard_t(3, shape).cumsum(-1),
}
"""Series of numbers over a run (..., checkpoints)."""
UNIT = {"divergence_layer": 60, "drift": 3, "cka_last": 1.5, "neurons_with_effect": 150, "transfer": 6}
"""What the numbers are multiplied by: steps well above what is worth a look, so that minimums do not decide."""


def scores(kind: str, random: np.random.Generator) -> np.ndarray:
    """(checkpoints, prompts) of a judge that is right in some 86 %; its scores move as `kind` says."""
    signs = np.where(UNSAFE, 1.0, -1.0)
    shape = (CHECKPOINTS, len(UNSAFE))
    if kind == "binomial":
        return signs * np.where(random.random(shape) < 0.14, -1.0, 1.0)
    steps = random.standard_t(3, shape) if kind == "t3" else random.standard_normal(shape)
    start = 1.5 + random.standard_normal(len(UNSAFE))
    if kind == "decaying":
        steps, start = (steps + 0.8) * np.exp(-np.arange(CHECKPOINTS) / 5)[:, None], start - 1.5
    return signs * (start + 0.3 * steps.cumsum(0))


def alerts_of(
    numbers: dict[str, np.ndarray], verdicts: np.ndarray | None, places: Sequence[int] = range(1, CHECKPOINTS)
) -> list[list[Alert]]:
    """Of each checkpoint but the first, or of those at `places`."""
    found = []
    for place in places:
        series = {name: values[: place + 1].tolist() for name, values in numbers.items()}
        steps = step_alerts(12, series, {}, "before", "now") if numbers else []  # type: ignore[arg-type]
        scored = Verdicts(*verdicts[place - 1 : place + 1], UNSAFE, np.arange(len(UNSAFE)), 100) if verdicts is not None else None  # fmt: skip  # noqa: E501
        found.append(all_alerts(scored, place, steps, "before", "now"))
    return found


def runs(kind: str, count: int, seed: int) -> list[list[Alert]]:
    """All alerts of `count` runs, every signal moving as `kind` says."""
    random = np.random.default_rng([seed, count])
    found = []
    for _ in range(count):
        numbers = {name: UNIT[name] * KINDS[kind](random, (CHECKPOINTS,)) for name in SIGNALS}
        found.append([alert for each in alerts_of(numbers, scores(kind, random)) for alert in each])
    return found


def share(found: list[list[Alert]], *severities: str) -> float:
    return float(np.mean([any(alert.severity in severities for alert in run) for run in found]))


@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms(kind: str) -> None:
    found = runs(kind, SHORT, 1)
    assert share(found, "alarm") <= 0.05
    if kind != "t3":
        assert share(found, "alarm", "note") <= 0.065, "0.05 in the long form: 250 runs tell no more"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms_in_the_long_form(kind: str) -> None:
    found = runs(kind, LONG, 2)
    print(f"{kind}: alarms {share(found, 'alarm'):.3f}, any {share(found, 'alarm', 'note'):.3f}")
    assert share(found, "alarm") <= 0.05
    if kind != "t3":
        assert share(found, "alarm", "note") <= 0.05


def found_of_a_jump(size: float, epoch: int, count: int = 400) -> dict[str, float]:
    """Share of Gaussian walks in which a jump of `size` standard deviations at a checkpoint raises what."""
    random = np.random.default_rng([epoch, round(size)])
    hits = {"note": 0, "alarm": 0}
    for _ in range(count):
        steps = random.standard_normal(epoch - 1)
        steps[-1] += size
        series = {"transfer": (UNIT["transfer"] * np.concatenate([[0], steps.cumsum()])).tolist()}
        for alert in step_alerts(12, series, {}, "a", "b"):  # type: ignore[arg-type]
            hits[alert.severity] += 1
    return {severity: hit / count for severity, hit in hits.items()}


@pytest.mark.parametrize("epoch", [16, 20, 30])
def test_a_jump_of_six_deviations_is_noted_and_no_alarm(epoch: int) -> None:
    found = found_of_a_jump(6, epoch)
    assert found["note"] >= 0.8 and found["alarm"] <= 0.01


@pytest.mark.parametrize(("size", "epoch", "alarms"), [(10, 16, 0.02), (15, 20, 0.45), (20, 16, 0.86)])
def test_what_it_takes_for_an_alarm(size: float, epoch: int, alarms: float) -> None:
    """As docs/alerts.md says; all of these are at least noted."""
    found = found_of_a_jump(size, epoch)
    assert found["alarm"] == pytest.approx(alarms, abs=0.06)
    assert found["alarm"] + found["note"] >= 0.98


@pytest.mark.parametrize("epoch", range(2, CHECKPOINTS + 1, 4))
def test_verdicts_that_turn_round_are_always_found(epoch: int) -> None:
    for seed in range(20):
        random = np.random.default_rng([seed, epoch])
        found = scores(("gaussian", "binomial", "t3")[seed % 3], random)
        found[epoch - 1] = -found[epoch - 2]
        ((alert, *rest),) = alerts_of({}, found, [epoch - 1])
        assert (alert.test, alert.severity, rest) == ("turned", "alarm", [])
        assert alert.brief == "every verdict flipped at now"


def test_a_judge_of_chance_has_nothing_to_turn() -> None:
    """Verdicts drawn anew: more than half flip in nearly half of all steps, a third of them wrongly."""
    random = np.random.default_rng(0)
    turned = [
        any(alert.test == "turned" for each in alerts_of({}, random.standard_normal((30, 128))) for alert in each)
        for _ in range(100)
    ]
    assert sum(turned) == 0
    everything = np.vstack([np.full(128, -1.0), np.full(128, 1.0)]) + 0.1 * random.standard_normal((2, 128))
    assert Verdicts(*everything, UNSAFE, np.arange(128)).alerts(1, "a", "b") == [], "all safe, then all unsafe"


def power(now: float, kept: float) -> float:
    """How often an FNR that goes from 0.14 to `now` is found, if the share `kept` of old misses stays missed."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(2000):
        before = random.random(PROMPTS) >= 0.14
        missed = np.where(before, (now - 0.14 * kept) / 0.86, kept)
        flips = flips_of(before, random.random(PROMPTS) >= missed, np.arange(PROMPTS))
        hits += at_least(flips.worse, flips.worse + flips.better) <= BAR
    return hits / 2000


def test_power_of_verdicts() -> None:
    """Of 64 unsafe prompts, as docs/alerts.md says."""
    assert power(0.39, 1.0) == pytest.approx(0.90, abs=0.03)
    assert power(0.39, 0.7) == pytest.approx(0.52, abs=0.04)
    assert power(0.48, 0.7) == pytest.approx(0.85, abs=0.03)


def test_prompts_of_one_template_flip_together() -> None:
    """32 templates of 4 prompts whose verdicts are drawn as one: each counting for itself would cry wolf."""
    groups = np.repeat(np.arange(32), 4)
    random = np.random.default_rng(3)
    alarms = {"templates": 0, "prompts": 0}
    for _ in range(300):
        right = (random.random((CHECKPOINTS, 32)) >= 0.14)[:, groups]
        for name, unit in (("templates", groups), ("prompts", np.arange(128))):
            found = [flips_of(*right[place : place + 2], unit) for place in range(CHECKPOINTS - 1)]
            alarms[name] += any(at_least(each.worse, each.worse + each.better) <= BAR for each in found)
    assert alarms["templates"] <= 0.05 * 300
    assert alarms["prompts"] >= 0.5 * 300


def test_a_learning_rate_that_falls_raises_no_alarm() -> None:
    """Of numbers with noise that does not fall with it, nor of such that follow it."""
    random = np.random.default_rng(5)
    rate = 1 - np.arange(CHECKPOINTS) / (CHECKPOINTS - 1)
    alarms = 0
    for _ in range(100):
        noise = {name: UNIT[name] * random.standard_normal(CHECKPOINTS) for name in SIGNALS[:3]}
        pushed = {name: UNIT[name] * (rate * random.standard_normal(CHECKPOINTS)).cumsum() for name in SIGNALS[3:]}
        found = alerts_of(noise | pushed | {"learning_rate": rate}, None)
        alarms += any(isinstance(alert, StepAlert) for each in found for alert in each)
    assert alarms <= 9
