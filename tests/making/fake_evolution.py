"""Made-up but realistic results of the analysis `evolution`, and the tensors that go with them."""

from __future__ import annotations

import hashlib

import numpy as np

from shared.findings.alerts import Flips, StepAlert
from shared.findings.claims import ToExplain
from shared.findings.evolution import AttributionDrift, Compared, EvolutionResult, SetChange, Transfer
from shared.findings.parts import Interval
from shared.records import Label
from tests.making.fake_neurons import Tensors

PROMPTS = 24


def fake_evolution(
    epoch: int, layers: int, frozen: int, *, steps_per_epoch: int = 120, seed: int = 0, advanced: bool = False
) -> tuple[EvolutionResult, Tensors]:
    """The result of an epoch's end: nothing before the first one, and an alarm at every tenth from the 8th on."""
    rng = np.random.default_rng([seed, epoch, 66])
    moving = 1 / epoch
    first, previous = (_compared(number, steps_per_epoch) if epoch > 1 else None for number in (1, epoch - 1))
    result = EvolutionResult(
        previous=previous,
        first=first,
        same="nothing",
        verdicts=_flips(epoch) if previous else None,
        change=_change(moving) if previous else None,
        shift=_around(0.1 * moving, 0.2) if previous else None,
        frozen_check="pass" if first and frozen else "not_possible",
        frozen_check_detail="The same bytes give the same (largest difference of norms 0.0e+00)." if first else "",
        layers=layers,
        frozen_boundary=frozen,
        n_cka=128,
        cka_to_previous=_cka(0.9 * moving, layers, frozen, rng) if previous else None,
        cka_to_first=_cka(0.7 * (1 - moving), layers, frozen, rng) if first else None,
        drift=[_drift(number, moving, rng) for number in range(PROMPTS)] if previous else [],
        drift_to_previous=_around(1 - 0.6 * moving, 0.06) if previous else None,
        drift_to_first=_around(0.3 + 0.4 * moving, 0.09) if first else None,
        divergence_layer=min(layers - 1, 3) if epoch > 1 else None,
        divergence_previous=min(layers - 1, 3) if epoch > 2 else None,
        divergence_first=None,
        neurons_to_previous=_sets("N", 40 + 8 * epoch, 0.8, layers) if advanced and previous else None,
        neurons_to_first=_sets("N", 40 + 8 * epoch, 0.4, layers) if advanced and previous else None,
        neurons_established=[f"L{layers - 1}.N{n * epoch}" for n in (1, 7)] if advanced and epoch > 2 else [],
        neurons_vanished=[f"L{layers - 1}.N{3 * epoch}"] if advanced and epoch > 3 else [],
        edges_to_previous=_sets("E", 100, 0.7, layers) if advanced and previous else None,
        edges_to_first=_sets("E", 100, 0.3, layers) if advanced and previous else None,
        n_edges=100 if advanced else 0,
        transfer=_transfer(moving, rng) if advanced and previous else None,
        alerts=[_alert(epoch)] if epoch % 10 == 8 else [],
        seen=epoch - 1,
        notes=[],
    )
    gram = rng.normal(size=(layers + 1, 8, 8)).astype(np.float32)
    return result, {"gram": gram + gram.transpose(0, 2, 1)}


def _compared(epoch: int, steps_per_epoch: int) -> Compared:
    step = epoch * steps_per_epoch
    digest = hashlib.sha256(f"{step}".encode()).hexdigest()
    return Compared(checkpoint=f"checkpoint-{step}", step=step, label=f"epoch {epoch}", digest=digest)


def _cka(moved: float, layers: int, frozen: int, rng: np.random.Generator) -> list[float]:
    """1 in the frozen part, then falling to the last layer."""
    depth = np.clip(np.arange(layers + 1) - frozen, 0, None) / max(1, layers - frozen)
    return np.clip(1 - moved * depth**1.5 * rng.uniform(0.9, 1.0, layers + 1), 0, 1).tolist()


def _around(value: float, half: float) -> Interval:
    return Interval(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _drift(number: int, moving: float, rng: np.random.Generator) -> AttributionDrift:
    label: Label = "unsafe" if number % 2 else "safe"
    before, first = np.clip([1 - rng.gamma(2, 0.3 * moving), rng.normal(0.3 + 0.4 * moving, 0.2)], -1, 1)
    name = hashlib.sha256(str(number).encode()).hexdigest()[:16]
    return AttributionDrift(probe_id=name, label=label, to_previous=float(before), to_first=float(first))


def _sets(letter: str, now: int, kept_share: float, layers: int) -> SetChange:
    before, kept = round(0.9 * now), round(0.9 * now * kept_share)
    return SetChange(
        before=before,
        now=now,
        kept=kept,
        born=[_name(letter, 2 * number, layers) for number in range(min(20, now - kept))],
        lost=[_name(letter, 2 * number + 1, layers) for number in range(min(20, before - kept))],
        jaccard=kept / (before + now - kept),
    )


def _name(letter: str, number: int, layers: int) -> str:
    layer = number % layers
    return f"L{layer}.N{37 * number}" if letter == "N" else f"L{layer}.H{number % 12} → verdict"


def _transfer(moving: float, rng: np.random.Generator) -> Transfer:
    return Transfer(
        edges=83,
        kept=_around(0.85 - 0.4 * moving, 0.07),
        above_random=_around(0.8 - 0.4 * moving, 0.09),
        own=0.83,
        random=rng.normal(0.03, 0.03, 5).tolist(),
    )


def _alert(epoch: int) -> StepAlert:
    return StepAlert(
        signal="cka_last",
        severity="alarm",
        previous=f"epoch {epoch - 1}",
        label=f"epoch {epoch}",
        before=0.98,
        now=0.31,
        usual=0.04,
        n=12,
        ratio=16.75,
        bar=16.4,
        layers=6,
    )


def _flips(epoch: int) -> Flips:
    """Fewer from epoch to epoch, most of them for the better."""
    flipped = max(1, 24 // epoch)
    wrong = flipped // 3
    return Flips(
        of=128,
        flipped=flipped,
        wrong=wrong,
        wrong_before=40 // epoch + flipped,
        worse=wrong,
        better=flipped - wrong,
        turned=flipped,
        kept=128 - flipped,
        p_value=0.04,
    )


def _change(moving: float) -> ToExplain:
    size = _around(3 * moving, 0.4 * moving)
    return ToExplain(size=size, p_value=1e-9, groups=64, unit="contrast pairs", needed=7)
