"""Nothing that is said about neurons depends on the size of a batch or on the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from analyzer.model.hooked_pass import forward_pass
from analyzer.model.neuron_readings import Readings, neuron_readings
from analyzer.model.precision import ComputedIn
from analyzer.statistics.significance import q_values, rank_test
from tests.making.forms import short_and_long
from tests.making.judges import tiny_judge
from tests.making.tiny import FAMILIES, save_tiny_judge
from tests.making.under_capability import BATCHES, probes

ROOT = Path(__file__).parents[3]


def capabilities() -> list[str]:
    """What torch can be told to use here, whatever it is told to use now."""
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text().split() if cpu.is_file() else []
    return ["default", *(name for name, flag in (("avx2", "avx2"), ("avx512", "avx512f")) if flag in flags)]


@pytest.mark.parametrize("which", short_and_long(["narrowest and widest", "all"]))
def test_auroc_p_and_q_are_the_same_on_every_processor_and_in_every_batch(tmp_path: Path, which: str) -> None:
    """The very same files are read by each process: random weights would differ in their last bits, too."""
    known = capabilities()
    for family in FAMILIES:
        save_tiny_judge(tmp_path / "judges" / family, family, initializer_range=0.3)
    running = {}
    for name in dict.fromkeys(known if which == "all" else (known[0], known[-1])):
        command = [sys.executable, "-m", "tests.making.under_capability", "judges", f"{name}.npz"]
        command[3:] = [str(tmp_path / part) for part in command[3:]]
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": name, "OMP_NUM_THREADS": "1"}
        running[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    files = {}
    for name, child in running.items():
        said = child.communicate()[1]
        assert child.returncode == 0, f"{name}: {said}"
        with np.load(tmp_path / f"{name}.npz") as file:
            files[name] = dict(file)
    for family in FAMILIES:
        for kind in ("auroc", "p", "q"):
            wanted = files["default"][f"{family}/{BATCHES[0]}/{kind}"]
            for name, found in files.items():
                for batch in BATCHES:
                    assert (found[f"{family}/{batch}/{kind}"] == wanted).all(), (family, kind, name, batch)


@pytest.mark.numeric
@pytest.mark.parametrize("family", ["bert", "deberta-v2", "llama"])
def test_on_a_gpu_they_differ_by_less_than_a_ten_thousandth(family: str) -> None:
    """There float32 readings are ranked gradually; where each batch is another, exact ranks would jump."""
    judge, made = tiny_judge(family), probes()
    encoded = forward_pass(judge, made).encoded
    labels = np.array([each.label == "unsafe" for each in made]).astype(int)
    tests = [
        auroc_and_q(neuron_readings(judge, encoded, batch, precision="float32"), labels) for batch in (2, 120, 8192)
    ]
    for auroc, q in tests[1:]:
        np.testing.assert_allclose(auroc, tests[0][0], atol=1e-4)
        np.testing.assert_allclose(q, tests[0][1], atol=1e-4)


def auroc_and_q(readings: Readings, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both over all neurons; a p-value alone may move further, where it says nothing (near 1)."""
    found = [rank_test(ranks, labels) for ranks, _ in readings.ranks()]
    return np.stack([auroc for auroc, _ in found]), q_values(np.concatenate([p for _, p in found]))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pass_in_float64_gives_the_same_and_leaves_the_model(family: str) -> None:
    """The same numbers to float32 rounding, and the model as it was; that they are finer the batches above show."""
    judge = tiny_judge(family)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    with torch.inference_mode():
        plain = judge.model(input_ids=ids).logits
        with ComputedIn(torch.float64):
            found = judge.model(input_ids=ids).logits
        again = judge.model(input_ids=ids).logits
    assert found.dtype == torch.float64 and plain.dtype == torch.float32
    assert torch.equal(plain, again), "the model is as it was"
    torch.testing.assert_close(found.float(), plain, atol=1e-4, rtol=1e-4)
