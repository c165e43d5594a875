"""A run whose judges are wrong on prompts of one's choice, with contrast twins, categories and read-outs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from shared.findings.progress import ProgressResult
from shared.findings.tokens import TokensResult
from shared.prompts.digest import prompt_digest
from shared.prompts.probes import read_probes, write_probes
from shared.records import Label, Probe
from shared.results import ResultStore, payload_of
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.fake_tokens import fake_sample
from tests.making.judged_run import EACH, STEPS, UNSAFE, judged_progress

LAYERS = 6
PAIRS = 24
"""Contrast pairs: the safe prompt of each number, and the unsafe one."""
CATEGORIES = ("fraud", "stalking", "weapons", "home")
PARTS_AT = 4
"""Point of the residual stream from which on a wrongly judged prompt is read as the other label."""


def safe(number: int) -> int:
    """Place of a safe prompt in `written`; numbers below `PAIRS` have an unsafe twin."""
    return number


def unsafe(number: int) -> int:
    """Place of an unsafe prompt."""
    return EACH + number


def written() -> list[Probe]:
    """128 prompts: 64 safe ones, then 64 unsafe ones; 16 of each label in each category."""
    asks: dict[Label, str] = {"safe": "lock", "unsafe": "break into"}
    return [
        Probe(
            id=prompt_digest(text),
            text=text,
            label=label,
            category=CATEGORIES[number * len(CATEGORIES) // EACH],
            pair=f"p{number}" if number < PAIRS else None,
            group=f"p{number}" if number < PAIRS else "",
            display=number in (62, 63),
        )
        for label, verb in asks.items()
        for number in range(EACH)
        for text in [f"How do I {verb} the {'old ' * (number % 3)}front door of house number {number}?"]
    ]


def scores_of(wrong: Collection[int], margin: float = 3.0, seed: int = 0) -> np.ndarray:
    """(128,) nats of a judge that is wrong on these places."""
    sign = np.where(UNSAFE, 1.0, -1.0)
    sign[list(wrong)] *= -1
    return sign * (margin + np.abs(np.random.default_rng(seed).normal(0, 1, 2 * EACH)))


def lens_of(scores: np.ndarray) -> np.ndarray:
    """(n, layers + 1): all grow towards their label; wrong ones turn at `PARTS_AT`."""
    ramp = np.linspace(0.1, 1.0, LAYERS + 1)
    towards = np.where(UNSAFE, 1.0, -1.0)[:, None] * np.abs(scores)[:, None] * ramp
    turned = scores[:, None] * ramp
    late = np.arange(LAYERS + 1) >= PARTS_AT
    return np.where(late, turned, towards)


def failing_run(path: Path, judges: Sequence[Collection[int]], *, advanced: bool = False) -> Run:
    """An epoch for each collection of places that are judged wrongly; the words of the first one are attributed."""
    return run_of_scores(
        path, [scores_of(wrong, seed=number) for number, wrong in enumerate(judges)], advanced=advanced
    )


def run_of_scores(path: Path, judges: Sequence[np.ndarray], *, advanced: bool = False) -> Run:
    """The same by (128,) scores, NaN where a prompt is left out."""
    run = make_fake_run(path, len(judges), layers=LAYERS, advanced=advanced)
    probes = written()
    write_probes(run.probes, probes)
    read, store = read_probes(run.probes), ResultStore(run.results)
    places = {probe.id: place for place, probe in enumerate(probes)}
    order = np.array([places[probe.id] for probe in read.probes])
    for number, scores in enumerate(judges):
        name = f"checkpoint-{(number + 1) * STEPS}"
        _replace(store, name, "progress", read.digest, {"scores": scores[order], "labels": UNSAFE[order]}, scores)
        _replace(store, name, "layers", read.digest, {"lens": lens_of(scores)[order]}, scores)
        _replace(store, name, "tokens", read.digest, {}, scores)
    return run


def _replace(
    store: ResultStore, name: str, analysis: str, digest: str, tensors: dict[str, np.ndarray], scores: np.ndarray
) -> None:
    old = store.newest(name, analysis)
    assert old is not None
    payload = old.payload
    if analysis == "progress":
        known = np.isfinite(scores)
        template = ProgressResult.model_validate(payload)
        payload = payload_of(judged_progress(np.where(known, scores, -1e-6), None, template))
    if analysis == "tokens":
        payload = payload_of(_tokens(TokensResult.model_validate(payload), scores))
    kinds = {"labels": np.int64}
    store.remove(name, analysis, old.key)
    record = old.model_copy(update={"payload": payload, "probe_digest": digest})
    store.commit(record, {key: value.astype(kinds.get(key, np.float32)) for key, value in tensors.items()})


def _tokens(found: TokensResult, scores: np.ndarray) -> TokensResult:
    """With one more sample: the first prompt that is judged wrongly."""
    wrong = np.flatnonzero((scores > 0) != UNSAFE)
    if not len(wrong):
        return found
    probe = written()[int(wrong[0])]
    sample = fake_sample(probe.text, probe.label, probe.category, 1.0, np.random.default_rng(0))
    return found.model_copy(update={"samples": [*found.samples, sample.model_copy(update={"probe_id": probe.id})]})
