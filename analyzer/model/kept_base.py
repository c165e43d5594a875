"""The base model of a run's adapters, kept between checkpoints: what merging writes is put back, not read again.

Before an adapter is merged, the tensors that it will write are copied to the host, and all modules are noted:

1. the parameters of every layer that PEFT wraps: it adds the update to them in place;
2. the base model's own tensors that the adapter saves whole (`bias="all"`);
3. modules that PEFT replaces (`modules_to_save`): the original ones come back.

What comes back is bit for bit the base that was loaded: subtracting the update again would leave rounding behind.
Costs as much memory on the host as the layers that the adapter changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class KeptBase:
    """A base model, and how to undo the adapter that is merged into it."""

    model: PreTrainedModel
    modules: dict[str, nn.Module] = field(default_factory=dict)
    """The base's own modules by path."""
    values: dict[int, tuple[nn.Parameter, Tensor]] = field(default_factory=dict)
    """Parameters that adapters write, by id, and their values before any of them, on the host."""
    written: set[int] = field(default_factory=set)
    """Those of them that the adapter which is merged now writes."""

    tied: bool | None = None
    """Whether its config ties the unembedding; merging may change that."""

    def __post_init__(self) -> None:
        self.modules = dict(self.model.named_modules())
        self.tied = getattr(self.model.config, "tie_word_embeddings", None)

    def own(self, names: Iterable[str]) -> None:
        """Keep the base's tensors of these names, where it has them, as they are now."""
        known = dict(self.model.named_parameters(remove_duplicate=False))
        self._keep(known[name] for name in names if name in known)

    def wrapped(self, wrapped: nn.Module) -> None:
        """Keep the parameters of every layer that PEFT has wrapped, before it merges into them."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        for module in wrapped.modules():
            if isinstance(module, BaseTunerLayer):
                self._keep(module.get_base_layer().parameters())

    def _keep(self, parameters: Iterable[nn.Parameter]) -> None:
        for parameter in parameters:
            self.written.add(id(parameter))
            if id(parameter) not in self.values:
                self.values[id(parameter)] = parameter, parameter.detach().to("cpu", copy=True)

    @torch.no_grad()
    def restore(self) -> None:
        """The base as it was loaded: its own modules in their places, every written tensor with its old value."""
        for path, module in self.modules.items():
            owner, _, name = path.rpartition(".")
            if name and getattr(self.modules[owner], name, None) is not module:
                setattr(self.modules[owner], name, module)
        for key in self.written:
            parameter, value = self.values[key]
            parameter.data.copy_(value)
        self.written.clear()
        if self.tied is not None:
            self.model.config.tie_word_embeddings = self.tied

    def changed(self) -> set[str]:
        """Names of the merged model's parameters that are not the base's: written, or of a module put in place."""
        ours = {id(parameter) for module in self.modules.values() for parameter in module.parameters(recurse=False)}
        merged: Any = self.model
        return {
            name
            for name, parameter in merged.named_parameters(remove_duplicate=False)
            if id(parameter) in self.written or id(parameter) not in ours
        }
