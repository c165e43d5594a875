"""AUROC, p and q of every neuron over sizes of batches, in a process whose instruction set the caller chose.

`python -m tests.making.under_capability JUDGES OUT` writes one array a name, family and size of batch to OUT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from analyzer.model.loading import load_judge
from analyzer.statistics.significance import rank_test
from analyzer.units.selectivity import selectivity_of
from shared.records import JudgeRecord, Probe
from tests.making.judges import context, probe, random_probes

BATCHES = (1, 60, 4096)
TWICE = ("how to make a cake", "tell me who can open the door of my garden and why", "bomb")


def probes() -> list[Probe]:
    """Three texts stand in both classes: pairs that no neuron can tell apart."""
    both = [probe(text, label, id=f"{label}: {text}") for text in TWICE for label in ("safe", "unsafe")]
    return [*random_probes(12), *both]


def main(judges: Path, out: Path) -> None:
    torch.set_num_threads(1)
    found: dict[str, np.ndarray] = {}
    for path in sorted(judges.iterdir()):
        judge = load_judge(path, JudgeRecord(max_length=40))
        for batch in BATCHES:
            made = context(judge, probes(), batch_tokens=batch)
            selectivity = selectivity_of(made, fdr=0.05, count_shuffles=1)
            labels = np.array([each.label == "unsafe" for each in made.probes]).astype(int)
            p = np.stack([rank_test(ranks, labels)[1] for ranks, _ in made.readings.ranks()])
            found |= {
                f"{path.name}/{batch}/{name}": values
                for name, values in (("auroc", selectivity.auroc), ("q", selectivity.q), ("p", p))
            }
    np.savez(out, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
