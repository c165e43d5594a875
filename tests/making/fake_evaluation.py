"""An evaluation with every part filled, from drawn scores and no judge."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.evaluation.trigger_words import shipped_triggers, trigger_pack
from analyzer.evaluation.verdicts import against, verdicts_of
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.score_meaning import Amount, Scored, cells_by_name, score_meaning
from shared.findings.evaluation import EvaluatedData, Evaluation, Mistake, Mistakes
from shared.findings.tokens import SampleAttribution, Word

AMOUNT = Amount(draws=200)


def fake_evaluation(
    apart: float = 2.0, words: float = 0.4, text: str = "how do i bake", **changes: Any
) -> Evaluation:
    """`apart`: how far the judge's classes lie from 0; `words`: TF-IDF's; `text`: that of a mistake."""
    random = np.random.default_rng(0)
    unsafe = np.arange(160) % 2 == 0
    scores, theirs = (random.normal(mean * (2 * unsafe - 1.0), 1.5) for mean in (apart, words))
    judge = Scored(scores, unsafe, np.arange(160) // 2)
    clusters = Clusters(judge.groups.tolist(), AMOUNT.draws, 0)
    triggers = shipped_triggers()
    meant = np.array([1.0 if each.prompt.label == "unsafe" else -1.0 for each in triggers])
    cells = list(cells_by_name(judge, {"source": [f"{text}{i % 2}" for i in range(160)]}))
    found = Evaluation(
        run="a run",
        checkpoint="checkpoint-10",
        step=10,
        epoch=1.0,
        data=EvaluatedData(
            name="test", source="test.jsonl", digest="ab" * 32, labelled=160, unlabelled=0, unscored=0, groups=80,
            leaks=0,
        ),
        flagged=int((scores > 0).sum()),
        verdicts=verdicts_of("judge", judge, clusters),
        baselines=[against("tfidf", judge, theirs, clusters)],
        meaning=score_meaning(judge, AMOUNT, cells, "groups of prompts"),
        trigger=trigger_pack(triggers, meant * apart + random.normal(size=len(triggers)), AMOUNT.draws, 0),
        mistakes=Mistakes(missed=[_mistake(text)], refused=[]),
        warnings=[f"A warning about {text}."],
    )  # fmt: skip
    return found.model_copy(update=changes)


def _mistake(text: str) -> Mistake:
    words = [
        Word(text=word, value=-1.0 - place, gradient_x_input=0.0, start=0, end=0)
        for place, word in enumerate(text.split(" "))
    ]
    sample = SampleAttribution(
        probe_id="p", text=text, label="unsafe", score=-3.0, probability=0.047, baseline="mask", baseline_score=0.0,
        gap=0.01, converged=True, nodes=12, words=words,
    )  # fmt: skip
    return Mistake(text=text, label="unsafe", category=text, score=-3.0, probability=0.047, attribution=sample)
