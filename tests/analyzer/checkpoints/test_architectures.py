"""What a config says its model is, held against the classes that the installed transformers maps."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.checkpoints.architectures import check_kind_is, is_multimodal, kind_of
from shared.errors import CheckpointRejected


def config(saved_as: str, **fields: Any) -> dict[str, Any]:
    return {"architectures": [saved_as], **fields}


def refused(saved_as: str, **fields: Any) -> str:
    with pytest.raises(CheckpointRejected) as caught:
        kind_of(config(saved_as, **fields), "checkpoint-3")
    assert caught.value.code == "no_judge"
    assert str(caught.value).startswith(f"checkpoint-3 is a {saved_as}")
    return str(caught.value)


def test_every_class_that_transformers_maps_is_what_it_is_mapped_as() -> None:
    from transformers.models.auto import modeling_auto as mapped

    for saved_as in mapped.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.values():
        assert kind_of(config(saved_as), "c") == "classifier"
    for saved_as in mapped.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        assert kind_of(config(saved_as, text_config={}), "c") == "prompted"
    for names in (mapped.MODEL_FOR_MASKED_LM_MAPPING_NAMES, mapped.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES):
        others = set(names.values()) - set(mapped.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
        for saved_as in others:
            if not saved_as.endswith(("ForConditionalGeneration", "WithLMHeadModel")):
                assert refused(saved_as)


def test_a_decoder_that_can_read_images_answers_and_an_encoder_decoder_does_not() -> None:
    assert kind_of(config("Llama4ForConditionalGeneration", text_config={}, vision_config={}), "c") == "prompted"
    assert is_multimodal(config("Llama4ForConditionalGeneration", text_config={}))
    assert not is_multimodal(config("LlamaForCausalLM", text_config={}))
    said = refused("T5ForConditionalGeneration", is_encoder_decoder=True)
    assert "T5ForSequenceClassification" in said
    assert kind_of(config("T5ForSequenceClassification", is_encoder_decoder=True), "c") == "classifier"
    assert refused("BartForConditionalGeneration")  # older configs do not say that they are encoder-decoders


def test_the_kind_must_be_the_runs() -> None:
    check_kind_is(config("GPT2LMHeadModel"), "prompted", "checkpoint-3")
    check_kind_is({}, "prompted", "checkpoint-3")  # nothing said: the weights will tell
    with pytest.raises(CheckpointRejected, match=r"checkpoint-3 is a GPT2LMHeadModel.*--kind prompted"):
        check_kind_is(config("GPT2LMHeadModel"), "classifier", "checkpoint-3")
    with pytest.raises(CheckpointRejected, match="without --kind prompted"):
        check_kind_is(config("BertForSequenceClassification"), "prompted", "checkpoint-3")


@pytest.mark.parametrize("value", [None, [], "BertModel", {}, 3])
def test_a_config_that_names_no_class_says_nothing(value: object) -> None:
    assert kind_of({"architectures": value}, "c") is None


def test_a_class_can_be_named_in_a_sentence() -> None:
    with pytest.raises(CheckpointRejected) as caught:
        kind_of(config("X\ud800\n"), "checkpoint-3")
    assert str(caught.value).startswith("checkpoint-3 is a X??,") and str(caught.value).isprintable()
