"""Every sequence classifier and language model of transformers works as a judge, or is refused in one sentence.

`tests/making/sweep.py` says what each of them goes through. What runs always is a sample of the ways in which they
differ; `slow` has all of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making.sweep import MAPPINGS, Sort, sweep

SAMPLE: list[tuple[str, Sort]] = [
    ("camembert", "classifier"),  # positions from behind the padding id
    ("ctrl", "classifier"),  # changes its embeddings in place
    ("fnet", "classifier"),  # no mask
    ("funnel", "classifier"),  # fewer tokens the higher the layer
    ("ibert", "classifier"),  # embeddings that are no tensor
    ("mobilebert", "classifier"),  # reads a neighbour's embedding
    ("t5", "classifier"),
    ("xlnet", "classifier"),  # tokens before prompts
    ("bert", "causal"),  # refused: it reads
    ("gpt2", "causal"),
    ("mamba", "causal"),  # no attention
    ("gemma3", "multimodal"),
    ("mistral3", "multimodal"),
]
REFUSED = {("bert", "causal")}


@pytest.mark.parametrize(("model_type", "sort"), SAMPLE)
def test_a_sample_of_families(tmp_path: Path, model_type: str, sort: Sort) -> None:
    found = sweep(model_type, sort, tmp_path)
    assert found.outcome == ("refused" if (model_type, sort) in REFUSED else "works"), found
    assert found.apart == (model_type in ("fnet", "funnel", "mobilebert", "xlnet")), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model_type", "sort"), [(name, sort) for sort in MAPPINGS for name in sorted(MAPPINGS[sort])]
)
def test_every_family(tmp_path: Path, model_type: str, sort: Sort) -> None:
    found = sweep(model_type, sort, tmp_path)
    assert found.outcome in ("works", "refused", "not built"), found
    assert found.outcome != "refused" or "\n" not in found.said
