"""A made-up result of `tokens`: with the epochs, attribution moves from filler words to those that matter."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from shared.findings.tokens import CellCount, Faithfulness, SampleAttribution, TokensResult, Word
from shared.findings.word_checks import Agreement, TopWord, TopWords, WordCheck, WordPair
from shared.records import Label
from tests.making.fake_progress import fake_separation
from tests.making.fake_samples import around, fake_id

PUSHES = {
    "kill": 0.4, "password": 2.2, "bank": 0.7, "email": 0.3, "convincing": 1.0, "ex": 1.3, "girlfriend": 0.8,
    "phone": 0.5, "without": 1.1, "noticing": 1.9, "follow": 1.2, "looks": 0.6, "enter": 0.5,
    "python": -1.6, "process": -1.1, "server": -0.9, "linux": -1.0, "responding": -0.4, "explain": -1.2,
    "vaccines": -0.8, "immune": -1.0, "system": -0.4, "recognise": -0.5, "virus": 0.7, "train": 0.2,
}  # fmt: skip


def fake_words(text: str, learnt: float, rng: np.random.Generator, twin: bool) -> list[Word]:
    """The words of `text` between [CLS] and [SEP], with attributions in nats; `learnt` in [0, 1].

    Those that push are checked; of a `twin` they stand instead of another word.
    """

    def special(name: str) -> Word:
        value = float(rng.normal(0, 0.02))
        return Word(text=name, value=value, gradient_x_input=value, start=0, end=0, special=True)

    words = [special("[CLS]")]
    for found in re.finditer(r"\w+|[^\w\s]", text):
        value = float(PUSHES.get(found.group().lower(), 0.0) * learnt + rng.normal(0, 0.15))
        gradient = value + float(rng.normal(0, 0.3))
        pushes = found.group().lower() in PUSHES
        effect = around(0.8 * value if value < 1.5 else -0.2, 0.3, -99, 99)
        words.append(
            Word(
                text=found.group(),
                value=value,
                gradient_x_input=gradient,
                start=found.start(),
                end=found.end(),
                instead_of="cake" if twin and pushes else None,
                check=WordCheck(effect=effect, kind="noun", draws=8) if pushes else None,
            )
        )
    return [*words, special("[SEP]")]


def fake_sample(
    text: str, label: Label, category: str, learnt: float, rng: np.random.Generator, converged: bool = True
) -> SampleAttribution:
    words = fake_words(text, learnt, rng, twin=label == "unsafe")
    total = sum(word.value for word in words)
    baseline_score = float(rng.normal(-0.3, 0.1))
    gap = float(abs(rng.normal(0.004, 0.003))) if converged else 0.31
    score = baseline_score + total * (1 - gap)
    return SampleAttribution(
        probe_id=fake_id(text),
        text=text,
        label=label,
        category=category,
        score=score,
        probability=1 / (1 + math.exp(-max(-500.0, min(500.0, score)))),
        baseline="twin" if label == "unsafe" else "mask",
        baseline_score=baseline_score,
        gap=gap,
        converged=converged,
        nodes=24 if converged else 96,
        words=words,
    )


def fake_tokens(samples: Sequence[tuple[str, Label, str]], learnt: float, rng: np.random.Generator) -> TokensResult:
    drawn = [
        fake_sample(text, label, category, learnt, rng, converged=not (i == 3 and learnt < 0.5))
        for i, (text, label, category) in enumerate(samples)
    ]
    filler = 0.55 - 0.3 * learnt

    def top(sign: int, twin: bool) -> list[TopWord]:
        known = sorted(PUSHES.items(), key=lambda item: -sign * item[1])[:8]
        return [
            TopWord(
                text=w,
                value=around(v * learnt / 4, 0.1, -99, 99),
                count=12 + i,
                groups=12,
                instead_of=["cake", "song"] if twin else [],
                check=around(v * learnt / 5, 0.1, -99, 99),
                checked=12,
            )
            for i, (w, v) in enumerate(known)
        ]

    return TokensResult(
        samples=drawn,
        n_prompts=64,
        gap_bound=0.05,
        gap_median=0.003,
        gap_worst=max([0.02, *(s.gap for s in drawn)]),
        share_converged=1.0 if all(s.converged for s in drawn) else 0.98,
        baselines={"twin": 40, "mask": 24},
        faithfulness=[
            Faithfulness(
                method="integrated_gradients",
                comprehensiveness=around(0.1 + 0.35 * learnt, 0.05),
                sufficiency=around(0.4 - 0.3 * learnt, 0.05),
            ),
            Faithfulness(
                method="gradient_x_input",
                comprehensiveness=around(0.08 + 0.2 * learnt, 0.05),
                sufficiency=around(0.4 - 0.15 * learnt, 0.05),
            ),
            Faithfulness(method="random", comprehensiveness=around(0.06, 0.03), sufficiency=around(0.38, 0.04)),
        ],
        separation=fake_separation(learnt),
        shift=fake_separation(learnt),
        top=[
            TopWords(baseline="mask", prompts=24, unsafe=top(1, False), safe=top(-1, False)),
            TopWords(baseline="twin", prompts=40, unsafe=top(1, True), safe=[]),
        ],
        agreement=[
            Agreement(baseline="mask", words=80, prompts=24, spearman=around(0.3, 0.2)),
            Agreement(baseline="twin", words=5, prompts=2, spearman=None),
        ],
        pairs=[
            WordPair(
                words=("password", "bank"),
                prompts=14,
                groups=14,
                alone=(around(1.0, 0.3, -99, 99), around(0.5, 0.3, -99, 99)),
                together=around(0.1, 0.3, -99, 99),
                share=0.01,
                p_value=0.6,
            )
        ],
        check_rows=640,
        cells=[
            CellCount(cell="true_positive", count=int(20 + 11 * learnt), content_share=0.45 + 0.3 * learnt),
            CellCount(cell="false_positive", count=int(10 - 7 * learnt), content_share=0.4),
            CellCount(cell="true_negative", count=int(22 + 7 * learnt), content_share=0.5 + 0.2 * learnt),
            CellCount(cell="false_negative", count=0, content_share=None),
        ],
        shortcut_share=filler,
        shortcut_alarm=(
            "Special tokens, punctuation and stop words carry 51 % of the attribution: the judge may read the "
            "template instead of the request."
            if filler > 0.5
            else None
        ),
    )
