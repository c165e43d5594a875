"""The base model of a run's adapters, kept between checkpoints: what merging writes is put back, not read again.

Before an adapter is merged, the tensors that it will write are copied to the host, and all modules are noted:

1. the parameters of every layer that PEFT wraps: it adds the update to them in place, and some ways of starting an
   adapter (PiSSA, OLoRA) change them before;
2. the base model's own tensors that the adapter saves whole (`bias="all"`);
3. modules that PEFT replaces (`modules_to_save`): the original ones come back;
4. parameters that a wrapped layer shares (tied embeddings, repeated layers): it merges into one of its own, because
   the others do not have its update.

What comes back is bit for bit the base that was loaded: subtracting the update again would leave rounding behind.
Costs as much memory on the host as the layers that the adapter changes.
"""

from __future__ import annotations

from collections import Counter
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

    lent: list[tuple[nn.Module, str, nn.Parameter]] = field(default_factory=list)
    """Layers that have a parameter of their own now, its name there, and the shared one that they had."""

    tied: bool | None = None
    """Whether its config ties the unembedding; merging may change that."""
    shared: set[int] = field(default_factory=set)
    """Ids of the parameters that the base itself has in several places."""

    saved_whole: tuple[str, ...] = ()
    """Paths of the modules that the adapter which is merged now brings along (`modules_to_save`)."""

    def __post_init__(self) -> None:
        self.modules = dict(self.model.named_modules())
        self.tied = getattr(self.model.config, "tie_word_embeddings", None)
        self.shared = {each for each, places in _users(self.model).items() if places > 1}

    def own(self, names: Iterable[str]) -> None:
        """Keep the base's tensors of these names, and those of the modules that they are named after."""
        known = dict(self.model.named_parameters(remove_duplicate=False))
        for name in names:
            self._keep([known[name]] if name in known else [])
            parts = name.split(".")
            for end in range(1, len(parts)):
                if module := self.modules.get(".".join(parts[:end])):
                    self._keep(module.parameters(recurse=False))

    def wrapped(self, wrapped: nn.Module) -> None:
        """Keep the parameters of every layer that PEFT has wrapped, before it merges into them.

        One that is shared is left as it is, and the layer gets a parameter of its own.
        """
        from peft.tuners.tuners_utils import BaseTunerLayer
        from peft.utils import ModulesToSaveWrapper

        users = _users(wrapped)
        self.saved_whole = tuple(
            path.removeprefix("base_model.model.")
            for path, module in wrapped.named_modules()
            if isinstance(module, ModulesToSaveWrapper)
        )
        for module in wrapped.modules():
            if isinstance(module, BaseTunerLayer):
                layer = module.get_base_layer()
                for name, parameter in list(layer.named_parameters(recurse=False)):
                    if users[id(parameter)] > 1:
                        self._lend(layer, name, parameter)
                self._keep(layer.parameters())

    def _lend(self, layer: nn.Module, name: str, shared: nn.Parameter) -> None:
        self.lent.append((layer, name, shared))
        setattr(layer, name, nn.Parameter(shared.detach().clone(), requires_grad=False))
        if self.tied and id(shared) in self.shared:
            self.model.config.tie_word_embeddings = False

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
        for layer, name, shared in self.lent:
            self.values.pop(id(getattr(layer, name)), None)
            self.written.discard(id(getattr(layer, name)))
            setattr(layer, name, shared)
        self.lent.clear()
        for key in self.written:
            parameter, value = self.values[key]
            parameter.data.copy_(value)
        self.written.clear()
        if self.tied is not None:
            self.model.config.tie_word_embeddings = self.tied

    @torch.no_grad()
    def is_as_it_was(self) -> bool:
        """Whether the merged adapter left every parameter as it was, but for modules that it brings along whole."""
        for path, module in self.model.named_modules():
            if any(f"{path}.".startswith(f"{whole}.") for whole in self.saved_whole):
                continue
            for name, parameter in module.named_parameters(recurse=False):
                before = getattr(self.modules.get(path), name, None)
                _, value = self.values.get(id(before), (before, before))
                if value is None or not torch.equal(parameter.to(value.device), value):
                    return False
        return True

    def changed(self) -> set[str]:
        """Names of the merged model's parameters that are not the base's: written, or of a module put in place."""
        ours = {id(parameter) for module in self.modules.values() for parameter in module.parameters(recurse=False)}
        merged: Any = self.model
        return {
            name
            for name, parameter in merged.named_parameters(remove_duplicate=False)
            if id(parameter) in self.written or id(parameter) not in ours
        }


def _users(model: nn.Module) -> Counter[int]:
    """In how many modules each parameter is, by its id."""
    return Counter(id(each) for module in model.modules() for each in module.parameters(recurse=False))
