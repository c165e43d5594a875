"""Tiny guards as `midwatch init --like` describes them and the worker loads them."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from analyzer.commands.init import InitReport, InitSettings, init_run
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from tests.making.guards import save_guard, write_probes
from tests.making.noticed_judges import classifier, prompts


@cache
def guard(name: str, **told: Any) -> tuple[Judge, InitReport]:
    """The judge as init describes it from --like alone, and what init said."""
    with TemporaryDirectory() as folder:
        run = save_guard(Path(folder) / "run", name)
        probes = str(write_probes(Path(folder) / "probes.jsonl"))
        given = {"like": name, **told} if "template" not in told else told
        report = init_run(InitSettings(run=run, probes=probes, per_class=16, **given))
        return load_judge(run / "checkpoint-10", report.record.judge), report


def auc(report: InitReport, scores: np.ndarray) -> float:
    return float(roc_auc_score([probe.label == "unsafe" for probe in report.probes], scores))


@cache
def prompt_guard() -> tuple[Judge, InitReport]:
    """The same of a classifier whose classes have no names."""
    with TemporaryDirectory() as folder:
        run, rows = Path(folder) / "run", Path(folder) / "probes.jsonl"
        rows.write_text(
            "".join(json.dumps({"prompt": text, "label": label}) + "\n" for text, label in prompts(96, 5000))
        )
        trained, tokenizer = classifier("bert")
        model = copy.deepcopy(trained)
        model.config.id2label, model.config.label2id = {0: "LABEL_0", 1: "LABEL_1"}, {"LABEL_0": 0, "LABEL_1": 1}
        for part in (model, tokenizer):
            part.save_pretrained(run / "checkpoint-10")
        report = init_run(InitSettings(run=run, probes=str(rows), per_class=16, like="prompt-guard"))
        return load_judge(run / "checkpoint-10", report.record.judge), report
