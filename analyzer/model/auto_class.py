"""The class of transformers that loads or makes a judge."""

from __future__ import annotations

from typing import Any

import transformers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSequenceClassification

from analyzer.checkpoints.architectures import is_multimodal

ALL_SORTS = "AutoModelForMultimodalLM"
"""Decoders that can read sounds, too; older versions of transformers have no such class."""


def auto_class(config: Any, prompted: bool) -> Any:
    """For a model with this config; a decoder that can read images, too, is loaded whole, and given text."""
    if not prompted:
        return AutoModelForSequenceClassification
    if not is_multimodal(config.to_dict()):
        return AutoModelForCausalLM
    autos = (getattr(transformers, ALL_SORTS, AutoModelForImageTextToText), AutoModelForImageTextToText)
    return next((auto for auto in autos if type(config) in auto._model_mapping), AutoModelForCausalLM)
