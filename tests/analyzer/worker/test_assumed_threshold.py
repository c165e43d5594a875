"""A judge whose threshold nobody knows: every result says where its verdicts would be best, on the head's scale."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from analyzer.jobs.messages import WorkerOptions
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.statistics.best_threshold import Cut
from analyzer.worker.assumed_threshold import assumed_threshold, threshold_sentence
from shared.judge_labels import THRESHOLD_ASSUMED, Word
from shared.records import JudgeRecord, Probe, RunRecord
from tests.making.edited import edit_tensors
from tests.making.heads import record_of, save_head
from tests.making.job_bench import FAST, Bench
from tests.making.judges import context, probe
from tests.making.runs import describe

SHIFT = 5.0
"""What the head's bias adds to every output."""
WORDS = [
    "bread",
    "song",
    "garden",
    "flower",
    "door",
    "plant",
    "tea",
    "home",
    "paint",
    "story",
    "water",
    "code",
    "recipe",
    "person",
    "computer",
]
PROBES = [
    probe(f"{word} {end}", label, id=f"{word} {end}")
    for word in WORDS
    for label, end in (("safe", "cake"), ("unsafe", "bomb"))
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head with one output that is far from 0 for every prompt."""
    path = save_head(tmp_path_factory.mktemp("reward") / "checkpoint-1", "reward")
    bias = load_file(path / "model.safetensors")["classifier.bias"]
    edit_tensors(path, classifier__bias=bias + SHIFT)
    return path


def labelled_by_output(judge: Judge, *, higher: str) -> list[Probe]:
    """The prompts, labelled so that the half with the higher outputs is what a high output means."""
    outputs = context(judge, PROBES).forward.scores * (1 if judge.record.unsafe else -1)
    high = outputs > np.median(outputs)
    other = {"safe": "unsafe", "unsafe": "safe"}[higher]
    return [
        each.model_copy(update={"label": higher if above else other})
        for each, above in zip(PROBES, high, strict=True)
    ]


@pytest.mark.parametrize("higher", ["safe", "unsafe"])
def test_the_threshold_that_is_told_is_the_best(checkpoint: Path, higher: str) -> None:
    judge = load_judge(checkpoint, record_of(checkpoint, Word(higher_is=higher)))  # type: ignore[arg-type]
    probes = labelled_by_output(judge, higher=higher)
    (told,) = assumed_threshold(context(judge, probes))
    found = re.fullmatch(
        r"Threshold 0 was assumed; on these 30 prompts the verdicts are best at (-?[\d.]+) \(balanced accuracy "
        r"1\.00, 0\.50 at 0\), .* `midwatch init --threshold (-?[\d.]+)` sets it\.",
        told,
    )
    assert found is not None and found[1] == found[2]
    again = load_judge(checkpoint, record_of(checkpoint, Word(higher_is=higher, threshold=float(found[1]))))  # type: ignore[arg-type]
    right = context(again, probes)
    assert all(
        (score > 0) == (each.label == "unsafe") for score, each in zip(right.forward.scores, probes, strict=True)
    )
    assert assumed_threshold(right) == []


def test_nothing_is_said_of_scores_that_tell_nothing_or_the_other_way(checkpoint: Path) -> None:
    judge = load_judge(checkpoint, record_of(checkpoint, Word(higher_is="unsafe")))
    assert assumed_threshold(context(judge, labelled_by_output(judge, higher="safe"))) == []
    assert assumed_threshold(context(judge, [])) == []
    outputs = context(judge, PROBES).forward.scores
    ranks = outputs.argsort().argsort()
    mixed = [
        each.model_copy(update={"label": ("safe", "unsafe")[rank % 2]})
        for each, rank in zip(PROBES, ranks, strict=True)
    ]
    assert assumed_threshold(context(judge, mixed)) == []
    known = replace(judge, record=judge.record.model_copy(update={"assumed": ()}))
    assert assumed_threshold(context(known, labelled_by_output(judge, higher="unsafe"))) == []


def test_the_sentence_turns_with_its_numbers() -> None:
    cut = Cut(threshold=-2.5, accuracy=0.934, at_zero=0.5)
    assert "best at -2.5 (balanced accuracy 0.93, 0.50 at 0)" in threshold_sentence(cut, 128, falls=False)
    assert "--threshold 2.5`" in threshold_sentence(cut, 128, falls=True)


def test_every_result_of_a_job_says_it(tmp_path: Path, checkpoint: Path) -> None:
    """Scalar head, whole way: what init assumed and what was measured stand in each result, and its sides."""
    run = describe(tmp_path / "run")
    bench = Bench(run, checkpoint, WorkerOptions(overrides=FAST))
    bench.add(10, shift=0)
    record = record_of(checkpoint)
    job = bench.job(
        10, analyses=["layers", "progress"], record=RunRecord(judge=record), warnings=list(record.assumed)
    )
    assert {event.kind for event in bench.do(job)} <= {"started", "progress", "committed", "finished"}
    for analysis in ("layers", "progress"):
        found = bench.result(10, analysis)
        assert found.warnings[: len(record.assumed)] == list(record.assumed)
        assert THRESHOLD_ASSUMED in found.warnings
        assert found.judge["labels"] == {"safe": ["LABEL_0"], "unsafe": []}


def test_a_record_without_assumptions_costs_nothing(checkpoint: Path) -> None:
    judge = load_judge(checkpoint, JudgeRecord(classes=1, safe_ids=(), unsafe_ids=(0,), unsafe_id=0))
    given = context(judge, PROBES)
    assert assumed_threshold(given) == [] and given._forward is None
