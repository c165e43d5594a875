"""The class of transformers that loads or makes a judge."""

from __future__ import annotations

from typing import Any

import transformers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSequenceClassification

from analyzer.checkpoints.architectures import is_multimodal
from shared.errors import JudgeError

ALL_SORTS = "AutoModelForMultimodalLM"
"""Decoders that can read sounds, too; older versions of transformers have no such class."""


def auto_class(config: Any, prompted: bool) -> Any:
    """For a model with this config; a decoder that can read images, too, is loaded whole, and given text.

    Raises JudgeError where transformers has no such model of this family.
    """
    found = _auto_class(config, prompted)
    if type(config) not in found._model_mapping:
        what = "causal language model" if prompted else "sequence classifier"
        raise JudgeError(
            f"The installed transformers has no {what} of the kind {config.model_type!r}: give a checkpoint of one "
            "that docs/judges.md lists, or install the version that it was trained with."
        )
    return found


def _auto_class(config: Any, prompted: bool) -> Any:
    if not prompted:
        return AutoModelForSequenceClassification
    if not is_multimodal(config.to_dict()):
        return AutoModelForCausalLM
    autos = (getattr(transformers, ALL_SORTS, AutoModelForImageTextToText), AutoModelForImageTextToText)
    return next((auto for auto in autos if type(config) in auto._model_mapping), AutoModelForCausalLM)
