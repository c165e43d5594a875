"""`--family FILE` all the way: an architecture that Midwatch does not list, the advanced suite, by the command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from analyzer.model.families import FAMILIES
from shared.prompts.probes import read_probes
from shared.results import ResultRecord, ResultStore
from tests.e2e.inputs import midwatch
from tests.making.commands_here import midwatch_here
from tests.making.families import SHAPES, family_file
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.tiny import save_tiny_judge

UNITS = {"steps": 2, "top": 3, "controls": 2}
REDUCED: dict[str, dict[str, int]] = {
    "tokens": {"extra_prompts": 2, "random_rankings": 1, "checked_words": 2, "replacements": 2},
    "comparison": {"bootstraps": 100, "shuffles": 20},
    "neurons": UNITS | {"decoys": 0, "shuffles": 2},
    "heads": UNITS,
    "circuits": {"steps": 2, "checked": 1},
}
QUICK = [
    word
    for name, own in REDUCED.items()
    for key, value in own.items()
    for word in ("--set", f"{name}.{key}={value}")
]
QUICK += ["--suite", "advanced", "--cores", "1", "--nice", "0"]


def make_run(path: Path, name: str = "stablelm") -> Path:
    """A run with one checkpoint of a family that is not ours, as a Trainer leaves it an hour ago."""
    assert name not in FAMILIES
    run = describe(path)
    checkpoint = save_tiny_judge(run / "checkpoint-10", name, **SHAPES[name])
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": 10, "epoch": 1.0, "log_history": []}))
    for number, file in enumerate(sorted(checkpoint.iterdir(), key=lambda file: file.name == "trainer_state.json")):
        os.utime(file, (1_700_000_000 + number,) * 2)
    return run


def results(run: Path) -> dict[str, ResultRecord]:
    """Analysis -> its newest result."""
    store = ResultStore(run / "_midwatch" / "results")
    names = [path.name for path in (store.root / "checkpoint-10").iterdir()] if store.root.exists() else []
    found = {name: store.newest("checkpoint-10", name) for name in sorted(names)}
    return {name: record for name, record in found.items() if record is not None}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Analysed without a file first, and then with one, by a worker process."""
    folder = tmp_path_factory.mktemp("family")
    run = make_run(folder / "run")
    bare = midwatch_here("analyze", str(run), "--out", str(folder / "bare"), *QUICK)
    assert bare.returncode == 0, bare.stderr
    told = midwatch("analyze", str(run), "--family", str(family_file(folder)), *QUICK)
    assert told.returncode == 0, told.stderr
    assert "is not used" not in told.stderr
    return run


def test_without_the_file_only_what_needs_no_parts(run: Path) -> None:
    bare = results(run.parent / "bare")
    assert not {"neurons", "heads", "circuits"} & bare.keys() and {"layers", "tokens", "comparison"} <= bare.keys()
    assert "family" not in bare["layers"].settings
    assert bare["layers"].payload["norm_position"] == "unknown"


def test_with_it_every_analysis(run: Path) -> None:
    found = results(run)
    assert {
        "layers",
        "tokens",
        "comparison",
        "progress",
        "calibration",
        "neurons",
        "heads",
        "circuits",
        "evolution",
    } == found.keys()
    assert len({record.settings["family"] for record in found.values()}) == 1
    assert found["layers"].payload["norm_position"] == "pre"
    assert found["heads"].payload["heads"] == 4 and found["neurons"].payload["neurons_per_layer"] == 64
    assert found["circuits"].payload["layers"] == 2


def test_the_published_norms_are_those_of_plain_hooks(run: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(run / "checkpoint-10")
    model = AutoModelForSequenceClassification.from_pretrained(run / "checkpoint-10").eval()
    seen: list[torch.Tensor] = []
    for layer in model.model.layers:
        layer.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    model.model.norm.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    wanted = []
    for one in read_probes(run / "probes.jsonl").probes:
        seen.clear()
        with torch.no_grad():
            model(**tokenizer(one.text, return_tensors="pt"))
        wanted.append([state[0].norm(dim=-1).mean().item() for state in seen])
    store = ResultStore(run / "_midwatch" / "results")
    published = store.tensors(results(run)["layers"])["residual_norms"]
    np.testing.assert_allclose(published, wanted, rtol=1e-4)


def test_asking_again_computes_nothing_and_another_description_anew(run: Path, tmp_path: Path) -> None:
    before = results(run)["layers"]
    file = str(family_file(tmp_path))
    again = midwatch_here("analyze", str(run), "--only", "layers", "--family", file)
    assert again.returncode == 0 and again.stdout.startswith("run: nothing to do, figures in ")
    assert results(run)["layers"].created_at == before.created_at
    plain = str(family_file(tmp_path / "other", neurons="plain"))
    assert midwatch_here("analyze", str(run), "--only", "layers", "--family", plain).returncode == 0
    assert results(run)["layers"].key != before.key


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("analyze", {"colour": "red"}, "unknown field 'colour'; there are name,"),
    ("analyze", {"attention__out": "self_attn.dense"}, "attention.out = 'self_attn.dense' matches no module"),
    ("watch --once", {"attention__read_norm": None}, "attention.module of layer 0 does not read the residual"),
    ("watch", {"final_norm": None}, "the logit lens after the last layer does not give the judge's score"),
]


@pytest.mark.parametrize(("command", "changes", "sentence"), MISTAKES)
def test_a_wrong_file_ends_the_command_and_nothing_is_published(
    tmp_path: Path, command: str, changes: dict[str, Any], sentence: str
) -> None:
    run = make_run(tmp_path / "run")
    name, *flags = command.split()
    done = midwatch_here(name, str(run), *flags, "--family", str(family_file(tmp_path, **changes)), *QUICK)
    assert done.returncode == 2, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("midwatch: ")]
    assert len(said) == 1 and sentence in said[0], done.stderr
    assert "Traceback" not in done.stderr
    assert not results(run) and not list((run / "training_visualizations").glob("*.html"))
    attempts = [json.loads(path.read_text())["attempts"] for path in run.glob("_midwatch/attempts/*.json")]
    assert not any(attempts), "the checkpoint is not to blame"


def test_a_file_for_another_family_is_said_once_and_changes_no_key(tmp_path: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, judge_template(tmp_path), 1.0)
    assert midwatch_here("analyze", str(run), "--only", "layers").returncode == 0
    before = results(run)["layers"]
    done = midwatch_here("analyze", str(run), "--only", "layers", "--family", str(family_file(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("--family stablelm is not used, as its model is a bert") == 1
    assert results(run)["layers"].created_at == before.created_at
