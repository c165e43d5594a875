"""The base model inside a model with a head: what gives hidden states, and what a family's paths are below."""

from __future__ import annotations

from typing import Any

from torch import nn

TEXT_PART = "language_model"
"""A whole causal model as a part of a larger one that also sees (Llama 4)."""


def trunk_name(model: nn.Module) -> str:
    """The name under which a model holds its base model; empty where it has none.

    transformers says it, but for causal models that are part of a larger one (Llama 4's text model).
    """
    model_of: Any = model
    for name in (getattr(model_of, "base_model_prefix", ""), "model"):
        if name and isinstance(getattr(model_of, name, None), nn.Module):
            return str(name)
    inner = getattr(model, TEXT_PART, None)
    below = trunk_name(inner) if isinstance(inner, nn.Module) else ""
    return f"{TEXT_PART}.{below}" if below else ""


def trunk_of(model: nn.Module) -> nn.Module:
    """The base model. Raises AttributeError where there is none."""
    name = trunk_name(model)
    if not name:
        raise AttributeError(f"{type(model).__name__} has no base model")
    return model.get_submodule(name)
