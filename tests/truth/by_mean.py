"""Removing units by plain hooks: each carries its mean over all real tokens of the prompts instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.making.by_hand import hooked
from tests.making.by_weights import HEAD_SIZE, HEADS, LAYERS, NEURONS
from tests.making.plants import Plant

Unit = tuple[int, int]
ALL_HEADS = [(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
ALL_NEURONS = [(layer, neuron) for layer in range(LAYERS) for neuron in range(NEURONS)]


class ByMean:
    """One checkpoint of a plant on its own prompts, or on others."""

    def __init__(self, plant: Plant, checkpoint: int = -1, texts: Iterable[str] = ()) -> None:
        self.model: Any = plant.models[checkpoint]
        self.sign = np.array([1 if probe.label == "unsafe" else -1 for probe in plant.probes])
        chosen = list(texts) or [probe.text for probe in plant.probes]
        self.batch = plant.tokenizer(chosen, padding=True, return_tensors="pt")
        self.clean = self.scores()

    @torch.no_grad()
    def scores(self) -> np.ndarray:
        """(prompts,) nats."""
        logits = self.model(**self.batch).logits
        return (logits[:, 1] - logits[:, 0]).double().numpy()

    def without(self, heads: Iterable[Unit] = (), neurons: Iterable[Unit] = ()) -> np.ndarray:
        """(prompts,) scores with all of these at their means together."""
        columns: dict[torch.nn.Module, list[int]] = {}
        for layer, head in heads:
            module = self.model.bert.encoder.layer[layer].attention.output.dense
            columns.setdefault(module, []).extend(range(HEAD_SIZE * head, HEAD_SIZE * (head + 1)))
        for layer, neuron in neurons:
            columns.setdefault(self.model.bert.encoder.layer[layer].output.dense, []).append(neuron)
        with hooked([module.register_forward_pre_hook(self._mean(places)) for module, places in columns.items()]):
            return self.scores()

    def lost(self, heads: Iterable[Unit] = (), neurons: Iterable[Unit] = ()) -> float:
        """Share of the mean class-signed score that goes with them."""
        gone = self.sign * (self.clean - self.without(heads, neurons))
        return float(gone.mean() / (self.sign * self.clean).mean())

    def activations(self, layer: int) -> Tensor:
        """(prompts, neurons) at the token that the verdict is read from."""
        kept: list[Tensor] = []
        module = self.model.bert.encoder.layer[layer].output.dense
        with hooked([module.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))]):
            self.scores()
        return kept[0][:, 0]

    def _mean(self, places: list[int]) -> Any:
        mask = self.batch["attention_mask"].bool()

        def hook(_module: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
            values = args[0].clone()
            values[..., places] = values[mask][:, places].mean(0)
            return (values,)

        return hook
