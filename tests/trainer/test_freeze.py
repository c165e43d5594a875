"""What is frozen in each family, found a second way: which parameters move in a training step."""

from __future__ import annotations

import re

import pytest
import torch
from transformers import PreTrainedModel

from analyzer.model.families import FAMILIES as KNOWN
from shared.errors import UsageError
from tests.making.tiny import FAMILIES, FURTHER, ONLY_CAUSAL, TWO_STACKS, tiny_causal_lm, tiny_model
from trainer.freeze import LAYOUTS, freeze

LAYER = re.compile(r"\.(?:layer|layers|h)\.(\d+)\.")


def moved(model: PreTrainedModel) -> set[str]:
    """Names of the parameters that one large step of SGD changes."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=100.0)
    ids = torch.tensor([[2, 9, 8, 7, 3], [2, 5, 6, 3, 3]])
    model(input_ids=ids, labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()
    return {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}


def test_the_trainer_knows_the_families_that_the_analyzer_knows() -> None:
    places = {
        name: (found.embedding_block or found.embeddings, found.layers, found.beside_embeddings)
        for name, found in KNOWN.items()
    }
    assert places == LAYOUTS
    assert KNOWN.keys() == {*FAMILIES, *FURTHER, *TWO_STACKS}


@pytest.mark.parametrize("family", [*FAMILIES, "gpt2", "electra", "gemma3", "nomic_bert"])
def test_embeddings_and_first_layers_stay(family: str) -> None:
    model = tiny_model(family, layers=3)
    frozen = freeze(model, 2)
    assert (frozen.layers, frozen.of_layers) == (2, 3)
    layers = {int(match.group(1)) for name in moved(model) if (match := LAYER.search(name))}
    assert layers == {2}
    still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    outside = {name for name in still if not LAYER.search(name)}
    assert outside and all("embed" in name or ".wte." in name or ".wpe." in name for name in outside)
    assert not any("rel_embeddings" in name for name in outside)  # shared by all layers of DeBERTa
    assert frozen.parameters == sum(model.get_parameter(name).numel() for name in still)
    assert frozen.of_parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_outside_the_body_is_frozen(family: str) -> None:
    """All layers frozen: head, pooler, final norm and shared tables still train."""
    model = tiny_model(family, layers=2)
    freeze(model, 2)
    training = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any(name.startswith(("classifier", "score")) for name in training)
    if family == "deberta-v2":
        assert any("rel_embeddings" in name for name in training)
    if family in ("modernbert", "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "mistral"):
        assert any(name.endswith(("model.norm.weight", "model.final_norm.weight")) for name in training)


def test_every_layout_has_a_tiny_model() -> None:
    assert set(LAYOUTS) == {*FAMILIES, *FURTHER, *TWO_STACKS}


@pytest.mark.parametrize("family", FURTHER + TWO_STACKS)
def test_what_is_named_is_there(family: str) -> None:
    """Frozen in each family that has a table of its own: the embeddings and the first layer, and no other layer."""
    model = (tiny_causal_lm if family in ONLY_CAUSAL else tiny_model)(family, layers=2)
    found = freeze(model, 1)
    assert found.layers == 1 and 0 < found.parameters < found.of_parameters


def test_zero_freezes_nothing() -> None:
    model = tiny_model("bert")
    assert freeze(model, 0).parameters == 0
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_more_layers_than_the_model_has() -> None:
    with pytest.raises(UsageError, match="--freeze-layers 3 is more than the model's 2 layers; use 0 to 2"):
        freeze(tiny_model("llama", layers=2), 3)


def test_unknown_family() -> None:
    model = tiny_model("bert")
    model.config.model_type = "mystery"
    assert freeze(model, 0).layers == 0
    with pytest.raises(UsageError, match="does not know models of type 'mystery'; use --freeze-layers 0"):
        freeze(model, 1)
