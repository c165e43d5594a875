"""Is the attack's search better than chance and than a plain MAP-Elites, and how much of its time is the judge's?

QD score (nats for the wrong verdict, summed over cells) at equal evaluations, from the probes of a MiniLM judge:
against vectors drawn at random, and against a MAP-Elites of thirty lines that changes one number of an elite at a
time; and of our search with gradients, which count in its evaluations, against the one without, the default.
Throughput: texts a second of a whole search without gradients, warm, against bare batched forward passes over the
same texts. The cold cost is what a process pays before its first text: imports, and what the first batch compiles.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from analyzer.attack.candidates import Candidates
from analyzer.attack.derivation import (
    FIRST_EXCHANGE,
    FIRST_RULE,
    PICKS,
    SECOND,
    SEED,
    SLOTS,
    TECHNIQUE,
    derive,
    slot_of,
)
from analyzer.attack.exchanges import possible
from analyzer.attack.frames import techniques
from analyzer.attack.gradients import estimator
from analyzer.attack.picked import Estimator
from analyzer.attack.rules import RULES
from analyzer.attack.scorer import scorer
from analyzer.attack.search import Scorer, Search, qd_score, wrongness
from analyzer.attack.seeds import Seed, choose_seeds
from shared.records import Label
from tests.bench import Figure, Interval, Size, Unavailable
from tests.bench._judge import trained_judge

SEEDS, BUDGET, STEPS = (
    {Size.FULL: 5, Size.TINY: 1},
    {Size.FULL: 1000, Size.TINY: 96},
    {Size.FULL: 240, Size.TINY: 1},
)
"""Searches whose mean counts, evaluations of each, and steps that the judge is trained for."""
REPEATS = {Size.FULL: 5, Size.TINY: 1}
"""Of the throughput, alternating."""
FIRST = 200
"""Evaluations that the plain MAP-Elites draws at random before it changes elites."""
TOKENS = 4096
LABELS: tuple[Label, ...] = ("unsafe", "safe")
RANDOM_BARS: dict[Label, str] = {"unsafe": ">= 1.5", "safe": ">= 1.1"}


def measure(size: Size = Size.FULL) -> list[Figure]:
    figures = []
    with trained_judge(size, STEPS[size]) as (judge, probes, _):
        score, estimate = scorer(judge, TOKENS), estimator(judge, TOKENS)
        seeds = choose_seeds(probes) if size is Size.FULL else _any_seeds()
        for label in LABELS:
            figures += _against(label, seeds, score, estimate, size)
        figures += [_throughput(seeds, score, size), _gradient(seeds, score, estimate, size), _cold(size)]
    return figures


def _any_seeds() -> list[Seed]:
    """Of the shipped prompts: the tiny judge's own are too short for seeds."""
    from shared.prompts.load import load_prompts

    return choose_seeds(load_prompts("shipped")[::12])


def _right(label: Label, seeds: Sequence[Seed], score: Scorer) -> tuple[list[Seed], np.ndarray]:
    """Seeds of a label that the judge gets right, and how far from wrong it is; all of them where it gets none."""
    own = [seed for seed in seeds if seed.label == label]
    if not own:
        raise Unavailable(f"There is no {label} seed among the probes.")
    wrong = wrongness(score([seed.text for seed in own]), label)
    right = [place for place in range(len(own)) if wrong[place] < 0] or list(range(len(own)))
    return [own[place] for place in right], wrong[right]


def _against(label: Label, seeds: Sequence[Seed], score: Scorer, estimate: Estimator, size: Size) -> list[Figure]:
    own, wrong = _right(label, seeds, score)
    ours, picked, random, plain = [], [], [], []
    for number in range(SEEDS[size]):
        for found, asked in ((ours, None), (picked, estimate)):
            search = Search(Candidates(own, wrong), label, score, number, estimator=asked)
            search.run(BUDGET[size])
            found.append(qd_score(search.elites()))
        random.append(_plain(Candidates(own, wrong), label, score, number, BUDGET[size], first=BUDGET[size]))
        plain.append(_plain(Candidates(own, wrong), label, score, number, BUDGET[size], first=FIRST))
    note = f"{len(own)} {label} seeds, {BUDGET[size]} evaluations; QD score {mean(ours):.1f} nats, "
    return [
        _ratio(f"{label}: QD score / random derivations", ours, random, RANDOM_BARS[label], note),
        _ratio(f"{label}: QD score / plain MAP-Elites", ours, plain, ">= 0.97", note),
        _ratio(f"{label}: QD score with gradients / without", picked, ours, None, note),
    ]


def _ratio(name: str, ours: list[float], theirs: list[float], bar: str | None, note: str) -> Figure:
    theirs = [max(value, 1e-9) for value in theirs]
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    value = mean(ours) / mean(theirs)
    return Figure(
        name=name,
        value=value,
        unit="x",
        interval=Interval(low=min([value, *each]), high=max([value, *each])),
        n=len(ours),
        bar=bar,  # type: ignore[arg-type]
        note=f"{note}theirs {mean(theirs):.1f}; ratio of means over seeds",
    )


def _plain(candidates: Candidates, label: Label, score: Scorer, seed: int, budget: int, first: int) -> float:
    """MAP-Elites by hand: `first` vectors at random, then one number of an elite changed; its QD score."""
    rng = np.random.default_rng(seed)
    best: dict[tuple[str, str], tuple[float, np.ndarray]] = {}
    done = 0
    while done < budget:
        vectors, texts, cells = [], [], []
        while len(vectors) < min(64, budget - done):
            vector = _drawn(rng, len(candidates.seeds))
            if done >= first:
                elites = list(best.values())
                parent, place = elites[rng.integers(len(elites))][1].copy(), rng.integers(FIRST_EXCHANGE)
                parent[place] = vector[place] if place < FIRST_RULE else _slot(rng)
                vector = parent
            made = candidates.new(vector)
            if made is not None:
                vectors.append(vector)
                texts.append(made.text)
                cells.append((made.seed.risk, made.technique))
        for vector, cell, fitness in zip(vectors, cells, wrongness(score(texts), label), strict=True):
            if cell not in best or fitness > best[cell][0]:
                best[cell] = (float(fitness), vector)
        done += len(vectors)
    return sum(max(fitness, 0.0) for fitness, _ in best.values())


def _drawn(rng: np.random.Generator, seeds: int) -> np.ndarray:
    vector = rng.integers(0, 64, FIRST_EXCHANGE)
    vector[SEED], vector[TECHNIQUE] = rng.integers(seeds), rng.integers(len(techniques()))
    vector[SECOND] = rng.integers(12) if rng.random() < 0.5 else 0
    vector[FIRST_RULE:] = [_slot(rng) if rng.random() < 0.4 else 0 for _ in range(SLOTS)]
    return vector


def _slot(rng: np.random.Generator) -> int:
    return slot_of(int(rng.integers(len(RULES))), int(rng.integers(PICKS)))


def _throughput(seeds: Sequence[Seed], score: Scorer, size: Size) -> Figure:
    """Texts a second of the search over those of one bare pass over its texts, in one order after the other."""
    own, wrong = _right("unsafe", seeds, score)
    ratios, rate = [], 0.0
    for number in range(REPEATS[size]):
        search = Search(Candidates(own, wrong), "unsafe", score, number)
        whole = _seconds(lambda search=search: search.run(BUDGET[size]))
        texts = [made.text for trial in search.trials if (made := derive(trial.vector, own)) is not None]
        ratios.append(_seconds(lambda texts=texts: score(texts)) / whole)
        rate = len(texts) / whole
    return Figure(
        name="throughput of the search / bare batched passes",
        value=float(np.median(ratios)),
        unit="x",
        interval=Interval(low=min(ratios), high=max(ratios)),
        n=len(ratios),
        bar=">= 0.8",  # type: ignore[arg-type]
        note=f"{BUDGET[size]} texts, warm, batches of {TOKENS} tokens; {rate:.0f} texts a second in the search",
    )


def _gradient(seeds: Sequence[Seed], score: Scorer, estimate: Estimator, size: Size) -> Figure:
    """Seconds of a gradient, its variants' tokens and gains included, over those of a scored text."""
    own, wrong = _right("unsafe", seeds, score)
    search = Search(Candidates(own, wrong), "unsafe", score, 0)
    search.run(BUDGET[size] // 4)
    made = [trial.derivation for trial in search.trials]
    texts, variants = [one.text for one in made], [[new for _, new in possible(one.text, one.seed)] for one in made]
    ratios = []
    for _ in range(REPEATS[size]):
        asked, scored = _seconds(lambda: estimate(texts, variants)), _seconds(lambda: score(texts))
        ratios.append(asked / scored)
    return Figure(
        name="seconds of a gradient / of a scored text",
        value=float(np.median(ratios)),
        unit="x",
        interval=Interval(low=min(ratios), high=max(ratios)),
        n=len(ratios),
        note=f"{len(texts)} texts, {np.mean([*map(len, variants)]):.0f} exchanges each; the budget counts it as 3",
    )


ROOT = Path(__file__).parents[2]
COLD = """
import time; start = time.perf_counter()
import analyzer.attack.attack
from tests.making.attack_search import searched
imported = time.perf_counter(); searched(64)
first = time.perf_counter(); searched(64)
print(imported - start, first - imported, time.perf_counter() - first)
"""


def _cold(size: Size) -> Figure:
    """Seconds of imports and of what is compiled in a process's first search."""
    found = []
    for _ in range(REPEATS[size]):
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True, cwd=ROOT)
        whole = time.perf_counter() - begun
        imported, first, again = map(float, done.stdout.split())
        found.append((whole - again, imported, first - again))
    whole, imports, compiled = np.median(found, axis=0)
    return Figure(
        name="cold: process start, imports, first use",
        value=float(whole),
        unit="s",
        interval=Interval(low=min(each[0] for each in found), high=max(each[0] for each in found)),
        n=len(found),
        note=f"imports {imports:.1f} s, the first search's own {compiled:.1f} s; loading the judge comes on top",
    )


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
