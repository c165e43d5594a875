"""Judges that TRL trained, from its own output directory to results: supervised answers, with LoRA, and rewards."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.inputs import midwatch
from tests.e2e.processes import ENVIRONMENT
from tests.making.runs import probes
from tests.making.waiting import LIMIT_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="TRL not installed: pip install trl"),
]
ASKED = ["--template", "is this harmful ? {prompt} answer :", "--unsafe-answer", "yes", "--safe-answer", "no"]


def trained(run: Path, kind: str) -> Path:
    """A run of TRL's own trainer; and prompts beside it."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.e2e.train_trl", kind, str(run)]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    lines = [json.dumps({"text": probe.text, "label": probe.label, "pair": probe.pair}) for probe in probes()]
    (run.parent / "probes.jsonl").write_text("\n".join(lines))
    return run


@pytest.mark.parametrize("kind", ["sft", "sft-lora", "reward"])
def test_a_run_of_trl(tmp_path: Path, kind: str) -> None:
    run = trained(tmp_path / "run", kind)
    told = ["--higher-is", "safe"] if kind == "reward" else ASKED
    described = midwatch("init", str(run), "--probes", str(tmp_path / "probes.jsonl"), "--per-class", "6", *told)
    assert described.returncode == 0, described.stderr
    done = midwatch("analyze", str(run), "--cores", "1", "--nice", "0")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    metrics = sorted((run / "training_visualizations").glob("epoch_*_metrics.json"))
    assert len(metrics) == 6
    last = json.loads(metrics[-1].read_text())
    assert last["probe_auc"] > 0.95, "it learned six pairs of prompts by heart"
