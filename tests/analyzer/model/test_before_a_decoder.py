"""Encoders whose decoder reads the words, too (T5, mT5, UMT5): their parts, as plain transformers has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analyzer.model import partial_pass
from analyzer.model.attention_weights import weights_by_layer
from analyzer.model.batches import collate
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import known_wiring
from analyzer.model.selfcheck import checked_anatomy
from analyzer.session.frozen_layers import frozen_boundary
from analyzer.units.attended_tokens import weights_on
from shared.errors import FamilyError, UsageError
from tests.making.families import described
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.known_families import Form, judge_of, plain_model, plain_score
from tests.making.tiny import TWO_STACKS

PROBES = random_probes(6, pairs=3, seed=5)
LAYERS = 3


@pytest.mark.parametrize("family", TWO_STACKS)
def test_scores_streams_and_writes_are_those_of_plain_transformers(family: str) -> None:
    judge = judge_of(Form(family, "classifier"), LAYERS)
    found, alone = forward_pass(judge, PROBES), forward_pass(judge, PROBES, 1)
    model = plain_model(Form(family, "classifier"), LAYERS)
    wanted = [plain_score(judge, model, prompt.ids) for prompt in found.encoded]
    assert np.ptp(wanted) > 0.1 and found.lens is None and found.attention_writes is not None
    np.testing.assert_allclose(found.scores, wanted, atol=1e-5, rtol=1e-5)
    for name in ("scores", "pooled", "norms", "attention_writes", "mlp_writes"):
        np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=1e-4, rtol=1e-5, err_msg=name)
    for row, prompt in enumerate(found.encoded):
        states = encoder_states(model, prompt.ids)
        norms = [state.norm(dim=-1).mean().item() for state in states[:-1]]  # the last is normed there
        np.testing.assert_allclose(found.norms[row, :-1], norms, rtol=1e-4)
        with torch.no_grad():
            last = model.transformer.encoder.final_layer_norm(states[-2] + changes(model, prompt.ids, states))
        np.testing.assert_allclose(last, states[-1], atol=1e-4)


def encoder_states(model: Any, ids: tuple[int, ...]) -> list[torch.Tensor]:
    with torch.no_grad():
        return list(model.get_encoder()(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states)


def changes(model: Any, ids: tuple[int, ...], states: list[torch.Tensor]) -> torch.Tensor:
    """What the blocks of the last layer write, by hooks of the test's own."""
    block, written = model.transformer.encoder.block[-1], []
    parts = (block.layer[0].SelfAttention.o, block.layer[1].DenseReluDense.wo)
    hooks = [part.register_forward_hook(lambda _m, _a, output: written.append(output)) for part in parts]
    encoder_states(model, ids)
    for hook in hooks:
        hook.remove()
    assert len(states) == LAYERS + 1 and len(written) == 2
    return written[0] + written[1]


@pytest.mark.parametrize("family", TWO_STACKS)
def test_what_is_said_of_its_parts(family: str) -> None:
    judge = judge_of(Form(family, "classifier"), LAYERS)
    anatomy, wiring = judge.anatomy, known_wiring(judge)
    assert anatomy.words_beside and anatomy.head is None and wiring.has_edges and wiring.only_added
    assert (wiring.heads, wiring.head_size, wiring.neurons) == (4, 12, 64), "heads are wider than d_model / heads"
    assert len(anatomy.notes) == 1 and "circuits and comparisons are those of its encoder" in anatomy.notes[0]
    gated = bool(judge.model.config.is_gated_act)
    assert anatomy.reading == ("mean" if gated else "max") and gated == (family != "t5")


@pytest.mark.parametrize("family", TWO_STACKS)
def test_the_decoder_is_part_of_the_head_and_the_first_layer_holds_the_biases(family: str) -> None:
    judge = judge_of(Form(family, "classifier"), LAYERS)
    names = set(judge.model.state_dict())
    places = {name: judge.anatomy.place_of(name) for name in names}
    words = {name for name in names if "embed_tokens" in name or "shared" in name}
    assert len(words) == 3 and {places[name] for name in words} == {"embeddings"}, "one tensor, named three times"
    assert {places[name] for name in names - words if ".decoder." in name} == {"head"}
    assert places["transformer.encoder.final_layer_norm.weight"] == places["classification_head.dense.weight"]
    assert places["classification_head.dense.weight"] == "head"
    bias = "transformer.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    assert places[bias] == 0 and frozen_boundary({bias}, names, judge) == (0, True)
    upper = {name for name, place in places.items() if place in (2, "head")}
    assert frozen_boundary(upper, names, judge) == (2, True)


@pytest.mark.parametrize("family", ["t5", "umt5"])
def test_attention_weights_are_the_encoders_and_no_biases_of_positions(family: str) -> None:
    judge = judge_of(Form(family, "classifier"), LAYERS)
    prompt = context(judge, PROBES).encoded[0]
    plain = plain_model(Form(family, "classifier"), LAYERS)
    plain.set_attn_implementation("eager")
    with torch.no_grad():
        wanted = plain.get_encoder()(input_ids=torch.tensor([prompt.ids]), output_attentions=True).attentions
    found = weights_on(judge, prompt, [(0, 1), (2, 3)])
    assert found is not None
    for (layer, head), weights in found.items():
        torch.testing.assert_close(weights, wanted[layer][0, head], atol=1e-5, rtol=1e-5)
    batch = collate([prompt], judge.anatomy.pad_id, "cpu")
    for mine, theirs in zip(weights_by_layer(judge, batch, known_wiring(judge)), wanted, strict=True):
        assert mine is not None
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_without_the_biases_that_layers_hand_on_no_layer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the self-check is for: a version of transformers that makes them in another way."""
    judge = tiny_judge("t5", layers=LAYERS)
    assert judge.anatomy.layers
    monkeypatch.setattr(partial_pass, "bias_handed_on", lambda *_args, **_kwargs: None)
    anatomy = checked_anatomy(judge)
    assert not anatomy.layers and anatomy.wiring is None and anatomy.words_beside
    assert "loses its biases of positions" in anatomy.notes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"position_bias": None}, "returns 3 things: name what it hands on as position_bias"),
        ({"position_bias": "layer.1"}, "has no compute_bias"),
        ({"decoder": None}, "the model is an encoder-decoder: name its decoder"),
        ({"decoder": "encoder"}, "is not the decoder of an encoder-decoder"),
        ({"neurons_option": "gated"}, "is no field of the model's config"),
        ({"head": ["classification_head"]}, "a decoder stands between the layers and the head"),
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises((FamilyError, UsageError), match=said):
        described("t5", like="t5", **changes)
