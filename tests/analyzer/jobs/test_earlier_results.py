"""What an earlier checkpoint's files may be: a regular file of the run, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.lineage import Ancestor
from shared.results import ResultStore, write_tensors
from tests.making.waiting import LIMIT_S

KEY = "e" * 20


@pytest.mark.timeout(LIMIT_S)
def test_a_pipe_in_the_place_of_tensors_is_not_waited_for(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    index = SimpleNamespace(store=store, has=lambda *key: True)
    search: Any = SimpleNamespace(index=index, comparisons=lambda checkpoint, digest: [(KEY, None)])
    earlier = EarlierResults(checkpoint="checkpoint-1", search=search)
    path = store.directory("checkpoint-1", "evolution", KEY) / "tensors.safetensors"
    path.parent.mkdir(parents=True)
    write_tensors(path, {"gram": np.ones((2, 3, 3))})
    found = earlier.own_gram()
    assert found is not None and found.shape == (2, 3, 3) and not earlier.notes
    path.unlink()
    os.mkfifo(path)
    assert earlier.own_gram() is None and "SchemaError" in earlier.notes[0]


def test_what_it_is_compared_with_is_told_with_the_digest_of_its_content() -> None:
    search: Any = SimpleNamespace(
        step=lambda name: 120, epoch=lambda name: 1.0, content=lambda name: {"checkpoint-120": "ab" * 32}.get(name)
    )
    before = Ancestor(checkpoint="checkpoint-120", keys={}, gram=False, transfer=False)
    told = EarlierResults(checkpoint="checkpoint-240", search=search).compared(before)
    assert told is not None and (told.label, told.digest) == ("epoch 1", "ab" * 32)
