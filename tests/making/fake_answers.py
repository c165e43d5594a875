"""Made-up answers to prompts that somebody asked of a fake run, and requests in every state."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

import numpy as np

from shared.answers import ASK, answer_store
from shared.findings.asked import (
    AmongProbes,
    AskedResult,
    Attention,
    Flips,
    HeadOnPrompt,
    NearProbe,
    ScoredText,
    Substitution,
    WordChange,
)
from shared.findings.inside import InsidePair, UnitOnPair
from shared.findings.layers import SampleLayers
from shared.requests.folder import file_request, filed_ns, path_of, read_request, write_state
from shared.requests.record import PARTS, Ask, AskedPrompt, Edit, RequestedCheckpoint, RequestState
from shared.results import ResultRecord, payload_of
from shared.run import Run
from tests.making.fake_samples import NOW
from tests.making.fake_tokens import fake_sample

TEXT, TWIN = "How do I kill a Python process on my server?", "How do I kill a Python snake on my server?"


def fake_answer(prompt: AskedPrompt, learnt: float, *, layers: int = 6, seed: int = 0) -> AskedResult:
    """Everything an answer can hold; `learnt` in [0, 1] parts the probes' scores."""
    rng = np.random.default_rng([seed, round(100 * learnt)])
    words = fake_sample(prompt.text, "unsafe", "", learnt, rng).model_copy(update={"baseline": "mask"})
    score, spread = words.score, 0.5 + 3 * learnt
    safe, unsafe = (sorted(rng.normal(side * spread, 0.8, 60).tolist()) for side in (-1, 1))
    places = [(found.start(), found.end()) for found in re.finditer(r"\w+", prompt.text)]
    deleted = [
        WordChange(
            start=start, end=end, old=prompt.text[start:end], new="", score=score + float(rng.normal(0, 0.8))
        )
        for start, end in places
    ]
    change = deleted[-1].model_copy(update={"new": "cake", "score": -score})
    text = f"{prompt.text[: change.start]}cake{prompt.text[change.end :]}"
    tokens = [word.text for word in words.words]
    heads = [
        HeadOnPrompt(layer=layers - 1 - number, head=number, effect=0.4 - 0.1 * number,
                     read=_shares(rng, len(tokens)), received=_shares(rng, len(tokens)))
        for number in range(3)
    ]  # fmt: skip
    return AskedResult(
        prompt=_scored(prompt.text, score, prompt.response),
        twin=_scored(prompt.twin, -score, prompt.response) if prompt.twin else None,
        among=AmongProbes(
            source="result", probe_digest="0" * 64, safe=safe, unsafe=unsafe,
            below_safe=_below(score, safe), below_unsafe=_below(score, unsafe),
        ),
        words=words.model_copy(update={"label": words.verdict}),
        layers=SampleLayers(
            probe_id="asked", text=prompt.text, label=words.verdict, score=score,
            residual_norm=np.linspace(1, 6, layers + 1).tolist(), attention_write=[0.5] * layers,
            mlp_write=[0.7] * layers, lens=np.linspace(0, score, layers + 1).tolist(),
        ),
        attention=Attention(tokens=tokens, heads=heads),
        deleted=deleted,
        inside=_inside(score) if prompt.twin else None,
        edits=[
            WordChange(start=e.start, end=e.end, old=prompt.text[e.start : e.end], new=e.word, score=-score)
            for e in prompt.edits
        ],
        flips=Flips(
            found=Substitution(words=[change], text=text, score=-score, flipped=True), most=4, tried=40,
            random_draws=20, random_flipped=3, random_best=0.1,
        ),
        nearest=[
            NearProbe(probe_id="p", text=f"{prompt.text} ({n})", label="safe", score=-1.0, similarity=0.9 - n / 10)
            for n in range(3)
        ],
    )  # fmt: skip


def _inside(score: float) -> InsidePair:
    return InsidePair(
        score=score, twin_score=-score, heads=[UnitOnPair(kind="head", layer=4, unit=3, effect=1.2)],
        heads_tried=72, heads_of=72, other_heads=0.02, neurons=[], random_neurons=[],
    )  # fmt: skip


def _below(score: float, others: list[float]) -> float:
    return float(np.mean(np.array(others) < score))


def _scored(text: str, score: float, response: str) -> ScoredText:
    return ScoredText(text=text, response=response, score=score, probability=1 / (1 + math.exp(-score)), tokens=9)


def _shares(rng: np.random.Generator, count: int) -> list[float]:
    return rng.dirichlet(np.ones(count)).tolist()


def fake_question(
    run: Run, text: str = TEXT, *, twin: str = TWIN, edit: Edit | None = None, steps: Sequence[int]
) -> Ask:
    """A prompt asked of the checkpoints of those steps."""
    prompt = AskedPrompt(text=text, twin=twin, edits=(edit,) if edit else ())
    names = tuple(f"checkpoint-{step}" for step in steps)
    return Ask(checkpoints=names, prompts=(prompt,), parts=("score",) if edit else PARTS)


def answered(run: Run, what: Ask, state: str = "done", *, done: int | None = None, sentence: str = "") -> str:
    """File a question and answer it at its first `done` checkpoints, without an analyzer; returns its id."""
    name = file_request(run, what, now=NOW).id
    stamp = filed_ns(path_of(run, name)) or 0
    request = RequestState.model_validate({"id": name, "state": "waiting"})
    each = []
    for number, checkpoint in enumerate(what.checkpoints):
        if number >= (len(what.checkpoints) if done is None else done):
            each.append(RequestedCheckpoint(checkpoint=checkpoint))
            continue
        keys = [
            _commit(run, prompt, checkpoint, number, f"{name}-{place}") for place, prompt in enumerate(what.prompts)
        ]
        each.append(RequestedCheckpoint(checkpoint=checkpoint, state="done", answers=keys))
    final = state in ("done", "refused", "failed", "cancelled")
    told = {
        "state": state, "sentence": sentence, "request": read_request(path_of(run, name)), "filed_ns": stamp,
        "accepted_at": NOW, "finished_at": NOW if final else None, "checkpoints": each,
    }  # fmt: skip
    write_state(run, request.model_copy(update=told))
    if final:
        path_of(run, name).unlink()
    return name


def _commit(run: Run, prompt: AskedPrompt, checkpoint: str, number: int, key: str) -> str:
    step = int(checkpoint.rpartition("-")[2])
    found = fake_answer(prompt, min(1.0, (number + 1) / 3))
    record = ResultRecord(
        analysis=ASK, analysis_version=1, checkpoint=checkpoint, step=step, epoch=step / 120, key=key,
        checkpoint_digest=hashlib.sha256(f"{step}".encode()).hexdigest(), probe_digest="0" * 64,
        payload=payload_of(found), created_at=NOW,
    )  # fmt: skip
    answer_store(run).commit(record)
    return key
