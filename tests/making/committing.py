"""A process that commits one result under its lease: `python -m tests.making.committing RUN OWNER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from shared.errors import LeaseLost
from shared.results import ResultRecord, ResultStore
from shared.run import Run

KEY = "0" * 20


def commit(run: Path, owner: str) -> bool:
    """Whether it was the first one. Raises LeaseLost, and OSError where what it wrote aside was swept away."""
    record = ResultRecord(
        analysis="layers",
        analysis_version=1,
        checkpoint="checkpoint-5",
        step=5,
        key=KEY,
        checkpoint_digest="c",
        probe_digest="p",
        warnings=[owner],
    )
    return ResultStore(Run.at(run).results, owner).commit(record, {"a": np.zeros(10)})


if __name__ == "__main__":
    try:
        print("committed" if commit(Path(sys.argv[1]), sys.argv[2]) else "there")
    except (LeaseLost, OSError) as error:
        print(f"refused: {type(error).__name__}")
