"""Layers that are used at several depths (ALBERT), made tellable by depth.

A hook on a module that is called at every depth cannot tell them apart. So each depth gets a module of its own,
over the very same parameters: no number changes, nothing is stored twice, and a warm load that writes into the one
layer of the checkpoint writes into all of them.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from analyzer.jobs.family import Family


def one_a_depth(trunk: nn.Module, family: Family, config: Any) -> list[nn.Module]:
    """The layers of the base model `trunk`, as many as its depth.

    Raises AttributeError where the layers are shared in a way that cannot be told apart (several groups of them).
    """
    layers: Any = trunk.get_submodule(family.layers)
    depth = int(config.num_hidden_layers) if family.shared_layers else len(layers)
    if family.shared_layers and len(layers) != depth:
        if len(layers) != 1 or getattr(config, family.shared_layers) != 1:
            raise AttributeError(family.shared_layers)
        layers.extend([_over_the_same(layers[0]) for _ in range(depth - 1)])
        setattr(config, family.shared_layers, depth)  # the model looks there which of them comes next
    return list(layers.children())


def _over_the_same(layer: nn.Module) -> nn.Module:
    """A copy of a layer that holds its parameters, buffers and config themselves."""
    own: dict[int, Any] = {id(tensor): tensor for tensor in [*layer.parameters(), *layer.buffers()]}
    configs = [module.config for module in layer.modules() if hasattr(module, "config")]
    return copy.deepcopy(layer, own | {id(config): config for config in configs})
