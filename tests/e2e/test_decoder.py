"""A real decoder all the way: SmolLM2-135M as classifier and as prompted judge, the advanced suite on both.

Cut to its first layers by default; whole, from its GGUF, in `make test-slow`. The same is claimed of both.
"""

from __future__ import annotations

import math
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from midwatch import app
from shared.findings.circuits import CircuitsResult
from shared.findings.heads import HeadsResult
from shared.findings.layers import LayersResult
from shared.findings.neurons import NeuronsResult
from shared.findings.tokens import TokensResult
from shared.prompts.load import load_prompts
from shared.records import Prompt
from shared.results import ResultRecord
from shared.run import Run
from shared.views import all_views
from tests.making.commands_here import midwatch_here
from tests.making.decoder import (
    FROZEN,
    MISSING,
    NOT_INSTALLED,
    ROOT,
    TWINS,
    save_cut,
    train_classifier,
    train_prompted,
    write_probes,
    write_train,
)

HEADS = 9
UNITS = {"prompts": 24, "ablated": 24, "steps": 3, "top": 3, "controls": 2}
REDUCED: dict[str, dict[str, int]] = {
    "tokens": {"extra_prompts": 2, "random_rankings": 1, "checked_words": 2, "replacements": 2},
    "neurons": UNITS | {"decoys": 0},
    "heads": UNITS,
    "circuits": {"prompts": 8, "steps": 3, "curve_prompts": 4, "checked": 1},
}
"""Few prompts, draws and steps: the same passes and the same code in a fraction of the time. Units are removed on
all 24 probes: less than 12 pairs explain nothing."""

pytestmark = pytest.mark.timeout(1800)  # the first test of each judge trains and analyses it

decoder = pytest.mark.skipif(bool(MISSING), reason=NOT_INSTALLED)


@dataclass(frozen=True)
class Size:
    """How much of SmolLM2 there is, and how it is trained: cut, it needs larger steps."""

    layers: int
    frozen: int
    parameters: int
    """At least so many, and not one in twenty more."""
    classifier: dict[str, float]
    prompted: dict[str, float]


WHOLE = Size(30, FROZEN, 134_000_000, {"epochs": 0.9, "save_every": 10}, {"steps": 32, "save_every": 16})
CUT = Size(
    6, 3, 49_000_000, {"epochs": 1.4, "save_every": 15, "rate": 5e-4}, {"steps": 32, "save_every": 16, "rate": 1e-3}
)


@dataclass(frozen=True)
class Analysed:
    """A run with two checkpoints: the layers of the first are analysed, and everything of the last."""

    kind: str
    size: Size
    run: Run
    probes: list[Prompt]

    def record(self, analysis: str, index: int = -1) -> ResultRecord:
        checkpoint = self.run.checkpoints()[index]
        (path,) = self.run.results.glob(f"{checkpoint}/{analysis}/*/result.json")
        return ResultRecord.model_validate_json(path.read_text())

    def result(self, analysis: str, kind: type[Any], index: int = -1) -> Any:
        return kind.model_validate(self.record(analysis, index).payload)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = save_cut(tmp_path_factory.mktemp("cut"), CUT.layers)
    yield path
    shutil.rmtree(path)


@pytest.fixture(
    scope="module",
    params=[
        ("classifier", CUT),
        pytest.param(("prompted", CUT), marks=pytest.mark.slow),
        pytest.param(("classifier", WHOLE), marks=pytest.mark.slow),
        pytest.param(("prompted", WHOLE), marks=pytest.mark.slow),
    ],
    ids=lambda judge: f"{judge[0]}-{judge[1].layers}",
)
def analysed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analysed]:
    kind, size = request.param
    model = request.getfixturevalue("cut") if size is CUT else "smollm2"
    folder = tmp_path_factory.mktemp(kind)
    run = trained(folder, kind, size, model)
    analyse(run, folder / "probes.jsonl")
    yield Analysed(kind, size, Run.at(run), load_prompts(str(folder / "probes.jsonl")))
    shutil.rmtree(folder)  # gigabytes


def trained(folder: Path, kind: str, size: Size, model: str | Path) -> Path:
    """A run of one kind of judge with two checkpoints, and probes.jsonl beside it."""
    run, probes, train = folder / "run", write_probes(folder / "probes.jsonl"), write_train(folder / "train.jsonl")
    told: dict[str, Any] = {"model": model, "frozen": size.frozen}
    if kind == "classifier":
        train_classifier(run, train, **told, **size.classifier)
    else:
        train_prompted(run, train, **told, **size.prompted)
        question = ["--kind", "prompted", "--template-file", str(run / "template.txt")]
        answers = ["--unsafe-answer", " True", "--safe-answer", " False", "--no-spellings"]
        ours = ["--probes", str(probes), "--train-data", str(train)]
        done = midwatch_here("init", run, *question, *answers, *ours)
        assert done.returncode == 0, done.stderr
    return run


def analyse(run: Path, probes: Path) -> None:
    """The layers of the first checkpoint, and the advanced suite of the last."""
    first, last = Run.at(run).checkpoints()
    told = [f"{name}.{setting}={value}" for name, own in REDUCED.items() for setting, value in own.items()]
    reduced = [word for value in told for word in ("--set", value)]
    for steps, what in ((first, ["--only", "layers"]), (last, ["--suite", "advanced", *reduced])):
        chosen = ["--steps", steps.rpartition("-")[2], "--probes", str(probes), "--cores", "1", "--nice", "0"]
        done = midwatch_here("analyze", run, *chosen, *what)
        assert done.returncode == 0, done.stdout + done.stderr


@decoder
def test_every_analysis_of_both_suites_is_there(analysed: Analysed) -> None:
    for view in all_views():
        record = analysed.record(view.name)
        assert all(math.isfinite(value) for value in record.summary.values()), record.summary
        assert 1 <= record.judge["parameters"] / analysed.size.parameters < 1.05
    pages = {path.name for path in analysed.run.visualizations.iterdir()}
    drawn = {re.sub(r"^(epoch|step)_\d+_|\.html$", "", name) for name in pages}
    assert {"circuits", "neuron_map", "heads", "evolution", "sample_0_safe_tokens"} <= drawn


@decoder
def test_the_judge_was_trained_and_its_scores_are_plain_transformers(analysed: Analysed) -> None:
    scores = plain_scores(analysed)
    labels = [prompt.label == "unsafe" for prompt in analysed.probes]
    auc = float(roc_auc_score(labels, scores))
    assert auc > 0.6
    score_of = {prompt.text: float(score) for prompt, score in zip(analysed.probes, scores, strict=True)}
    assert sum(score_of[unsafe] > score_of[safe] for safe, unsafe in TWINS) >= 10  # of 12; by chance one run in 50
    published = analysed.record("comparison").payload["decision_auroc"]["value"]
    assert published == pytest.approx(auc, abs=0.02)  # two prompts that score the same to rounding
    for sample in analysed.result("tokens", TokensResult).samples:
        assert sample.score == pytest.approx(score_of[sample.text], abs=2e-3)


def plain_scores(analysed: Analysed) -> np.ndarray:
    """(probes,) of the last checkpoint, one prompt at a time."""
    path = analysed.run.path / analysed.run.checkpoints()[-1]
    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    prompted = analysed.kind == "prompted"
    auto: Any = AutoModelForCausalLM if prompted else AutoModelForSequenceClassification
    model = auto.from_pretrained(path, dtype=torch.float32).eval()
    template = (analysed.run.path / "template.txt").read_text() if prompted else "{prompt}"
    safe, unsafe = (tokenizer(" False")["input_ids"][0], tokenizer(" True")["input_ids"][0]) if prompted else (0, 1)
    found = []
    for prompt in analysed.probes:
        ids = tokenizer(template.replace("{prompt}", prompt.text), return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logits = model(ids).logits[0]
        logits = logits[-1] if prompted else logits
        found.append(float(logits[unsafe] - logits[safe]))
    return np.array(found)


@decoder
def test_the_frozen_layers_are_found_from_bytes(analysed: Analysed) -> None:
    size = analysed.size
    first, last = (analysed.result("layers", LayersResult, index) for index in (0, 1))
    for layers in (first, last):
        assert (layers.layers, layers.frozen_boundary, layers.frozen_from) == (size.layers, size.frozen, "bytes")
        assert layers.embeddings_frozen
        assert (layers.norm_position, layers.pooling) == ("pre", "last_token")
    norms = [np.array([sample.residual_norm for sample in layers.samples]) for layers in (first, last)]
    assert np.allclose(norms[0][:, : size.frozen + 1], norms[1][:, : size.frozen + 1], rtol=1e-5)
    assert not np.allclose(norms[0][:, -1], norms[1][:, -1], rtol=1e-5)


@decoder
def test_words_carry_the_score(analysed: Analysed) -> None:
    tokens = analysed.result("tokens", TokensResult)
    assert tokens.gap_median < tokens.gap_bound
    assert tokens.share_converged > 0.8
    for sample in tokens.samples:
        if sample.converged:
            total = sum(word.value for word in sample.words)
            assert total == pytest.approx(sample.score - sample.baseline_score, abs=0.05 * sample.shift + 1e-3)


@decoder
def test_units_of_every_layer(analysed: Analysed) -> None:
    neurons, heads = analysed.result("neurons", NeuronsResult), analysed.result("heads", HeadsResult)
    layers, frozen = analysed.size.layers, analysed.size.frozen
    assert (neurons.layers, neurons.neurons_per_layer, neurons.frozen_boundary) == (layers, 1536, frozen)
    assert (heads.layers, heads.heads, heads.kv_heads) == (layers, HEADS, 3)
    assert np.array(heads.effect).shape == (layers, HEADS)
    assert (np.abs(heads.effect).max(axis=1) > 0).all()
    for found, together in ((neurons, neurons.curve), (heads, heads.joint)):
        assert found.reference == "twin" and found.explained.groups == len(TWINS)
        if found.explained.claimable:
            assert found.top and together is not None and together.n == 2 * len(TWINS)
        else:
            assert not found.top and together is None


@decoder
def test_the_circuit_beats_random_ones(analysed: Analysed) -> None:
    found, size = analysed.result("circuits", CircuitsResult), analysed.size
    assert (found.level, found.layers, found.heads) == ("edges", size.layers, HEADS)
    assert found.frozen_boundary == size.frozen
    assert found.total_edges == edges_of(size.layers, HEADS)
    if not found.explained.claimable:
        assert found.smallest is None and not found.edges and not found.curve
        return
    assert found.curve[-1].kept.value == pytest.approx(1, abs=1e-3)
    assert found.cpr is not None and found.random_cpr is not None and found.cpr > found.random_cpr
    if found.smallest is not None:
        assert found.smallest.kept.value >= found.keep > max(found.smallest.random)


def edges_of(layers: int, heads: int) -> int:
    """Into each head from all that wrote before its layer, into each MLP also from its layer's heads, and out."""
    before = [1 + layer * (heads + 1) for layer in range(layers)]  # writers: the input, heads and MLPs
    return sum(heads * writers + writers + heads for writers in before) + 1 + layers * (heads + 1)


DOCUMENT = (ROOT / "docs" / "decoders.md").read_text(encoding="utf-8")
LINES = [
    line for block in re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines() if line
]


@pytest.mark.parametrize("line", sorted({line for line in LINES if line.startswith("midwatch ")}))
def test_command_lines_of_the_document_parse(line: str) -> None:
    name, *words = shlex.split(line)[1:]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    with commands[name].make_context(name, words):
        pass


def test_the_document_names_what_exists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = [shlex.split(line) for line in LINES if line.startswith("python ")]
    assert scripts and len(LINES) >= 6
    for words in scripts:
        monkeypatch.setattr(sys, "argv", [words[1], "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        assert ended.value.code == 0
        assert set(capsys.readouterr().out.split()) >= {word for word in words if word.startswith("--")}
    for target in re.findall(r"\]\(([^)#]+)\)", DOCUMENT):
        assert target.startswith("http") or (ROOT / "docs" / target).exists(), target
