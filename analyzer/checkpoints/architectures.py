"""What a checkpoint's config says its model is: a classifier, a model that answers, or neither; no torch.

transformers writes the class of a saved model into its config (`architectures`). Classifiers all end in
ForSequenceClassification; causal language models in ForCausalLM, or bear one of the names that are older than that
one. A ...ForConditionalGeneration is one of two things: an encoder-decoder (T5, BART), which writes its answer
after another start than the prompt's end, or a decoder that can read images, too, and answers prompts as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from shared.errors import CheckpointRejected

Kind = Literal["classifier", "prompted"]

CLASSIFIER = "ForSequenceClassification"
CAUSAL = ("ForCausalLM", "LMHeadModel", "ModelWithLMHead", "WithLMHeadModel", "BertGenerationDecoder")
"""Endings of all classes in transformers' mapping of causal language models, but those that can read images."""
MULTIMODAL = ("ForConditionalGeneration", "ForVisionText2Text")
"""The same of decoders that can read images or sounds."""
TEXT_PARTS = ("text_config", "llm_config", "thinker_config", "language_config")
"""Where such a model's config describes the decoder inside."""

WANTED = {
    "classifier": "a sequence classifier (AutoModelForSequenceClassification)",
    "prompted": "a causal language model (AutoModelForCausalLM)",
}
OTHERWISE: dict[Kind, str] = {
    "classifier": "move it to a run of its own, or describe this one anew with `midwatch init --force`, without "
    "--kind prompted",
    "prompted": "move it to a run of its own, or say how this one answers with `midwatch init --force --kind "
    "prompted` and --chat or --template",
}
"""What is advised where a run was described as of the other kind."""


def architecture(config: Mapping[str, Any]) -> str:
    """The class that a config names, as it can be printed and written; empty where it names none."""
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else ""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def kind_of(config: Mapping[str, Any], name: str) -> Kind | None:
    """How a model with this config.json can judge; None where the config does not say what it is.

    `name` is what the sentence calls the checkpoint. Raises CheckpointRejected ("no_judge") for any other model.
    """
    saved_as = architecture(config)
    if not saved_as:
        return None
    if saved_as.endswith(CLASSIFIER):
        return "classifier"
    if config.get("is_encoder_decoder") is True:
        raise CheckpointRejected(
            "no_judge",
            f"{name} is a {saved_as}, an encoder-decoder that writes its answer; Midwatch reads the verdict of "
            f"a sequence classifier or of a causal language model: train it as {_classifier_of(saved_as)}.",
        )
    if saved_as.endswith(CAUSAL) or is_multimodal(config):
        return "prompted"
    raise CheckpointRejected(
        "no_judge",
        f"{name} is a {saved_as}, and a judge is {WANTED['classifier']} or {WANTED['prompted']}; train it as one "
        "of them, so that its head is saved with it.",
    )


def is_multimodal(config: Mapping[str, Any]) -> bool:
    """Whether this is a decoder that can read more than text, and is loaded as such for its text part."""
    saved_as = architecture(config)
    return saved_as.endswith(MULTIMODAL) and any(isinstance(config.get(part), Mapping) for part in TEXT_PARTS)


def check_kind_is(config: Mapping[str, Any], wanted: Kind, name: str) -> None:
    """Raise CheckpointRejected ("no_judge") where the model is not of the kind that the run's record says."""
    found = kind_of(config, name)
    if found is None or found == wanted:
        return
    raise CheckpointRejected(
        "no_judge",
        f"{name} is a {architecture(config)}, and the run's {wanted} judge is {WANTED[wanted]}; "
        f"{OTHERWISE[found]}.",
    )


def _classifier_of(saved_as: str) -> str:
    stem = saved_as
    for ending in (*MULTIMODAL, "ForQuestionAnswering", "ForTokenClassification", "Model"):
        stem = stem.removesuffix(ending)
    return f"{stem}{CLASSIFIER}"
