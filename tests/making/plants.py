"""Judges with one known mechanism each: BERT, 2 layers, 4 heads, width 32, written by hand in milliseconds.

`PLANTS[name](seed)` makes one; the last comment of each says what there is to find. `tests/truth` proves by brute
force that each mechanism is there, and asks whether the pages name it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord, Probe
from tests.making.by_weights import ByWeights
from tests.making.plant_prompts import (
    Twins,
    as_probes,
    early_twins,
    either_twins,
    length_twins,
    plant_tokenizer,
    template_twins,
    trigger_twins,
)

SEEDS = range(5)
HEAD, BACKUP, NEURON = (0, 2), (0, 3), (1, 7)
DECOY_HEAD, DECOY_NEURONS = (0, 1), ((1, 11), (1, 12), (1, 13))
NATS = 3.8
"""Size of a verdict, so that twins are 7.6 nats apart."""


@dataclass(frozen=True)
class Plant:
    """A run of one judge, and what is known about it."""

    models: Sequence[PreTrainedModel]
    """One a checkpoint."""
    tokenizer: PreTrainedTokenizerBase
    probes: list[Probe]
    edges: frozenset[tuple[str, str]] = frozenset()
    """The circuit: ("input", "L0.H2"), ..., ("L1.MLP", "verdict")."""
    heads: tuple[tuple[int, int], ...] = ()
    """Heads that carry the verdict."""
    neurons: tuple[tuple[int, int], ...] = ()
    """Neurons that do."""

    @property
    def nodes(self) -> set[str]:
        """Heads and MLPs of the circuit."""
        return {name for edge in self.edges for name in edge} - {"input", "verdict"}

    def judge(self, checkpoint: int = -1) -> Judge:
        """One checkpoint, loaded."""
        with TemporaryDirectory() as folder:  # a loaded judge needs its files no more
            self.models[checkpoint].save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            return load_judge(Path(folder), JudgeRecord(max_length=40))


def written(
    made: ByWeights,
    twins: Twins,
    *,
    nats: float = NATS,
    steep: float = 1.5,
    share: float = 0.5,
    heads: tuple[tuple[int, int], ...] = (),
    neurons: tuple[tuple[int, int], ...] = (),
) -> Plant:
    """A plant of one checkpoint, its verdict read from the direction "verdict" and set by these twins."""
    safe, unsafe = zip(*twins, strict=True)
    made.verdict("verdict", safe, unsafe, nats=nats, steep=steep, share=share)
    return Plant([made.model], made.tokenizer, as_probes(twins), frozenset(made.edges), heads, neurons)


def begun(seed: int, *, positions: bool = False) -> ByWeights:
    return ByWeights(plant_tokenizer(), seed, positions=positions)


def copied_trigger(seed: int, *, nats: float = NATS, steep: float = 5.0) -> Plant:
    """Head L0.H2 alone writes anything: it copies zeta to where the verdict is read. Saturated."""
    made = begun(seed)
    made.mute()
    made.word("zeta")
    made.head(*HEAD, looks_for={"zeta": 1}, carries={"zeta": 1}, into="verdict")
    return written(made, trigger_twins(seed), nats=nats, steep=steep, heads=(HEAD,))


def saturated(seed: int) -> Plant:
    """The same at +-15 nats, where no gradient says anything."""
    return copied_trigger(seed, nats=15.0, steep=8.0)


def exact_backup(seed: int) -> Plant:
    """L0.H3 does what L0.H2 does: without one of them nothing is lost, without both half of the verdicts flip."""
    made = begun(seed)
    made.mute()
    made.word("zeta")
    for head in (HEAD, BACKUP):
        made.head(*head, looks_for={"zeta": 1}, carries={"zeta": 1}, into="verdict")
    return written(made, trigger_twins(seed), steep=10.0, share=0.6, heads=(HEAD, BACKUP))


def either_word(seed: int) -> Plant:
    """Unsafe: alpha or beta, not both. L0.H0 finds alpha, L0.H3 beta, two neurons of layer 1 combine them."""
    made, twins = begun(seed), either_twins(seed)
    for head, word in ((0, "alpha"), (3, "beta")):
        made.word(word)
        made.head(0, head, looks_for={word: 1}, carries={word: 1}, into="found", gain=0.8)
    texts = [text for pair in twins for text in pair]
    found = made.before_mlp(1, "found", texts)
    count = torch.tensor([sum(word in text.split() for word in ("alpha", "beta")) for text in texts])
    none, one, two = (float(found[count == number].mean()) for number in range(3))
    rise, slope = one - none, 3.0
    turn = none + rise / 2, (one + two) / 2  # where one word is seen, and where two are
    back = (two - turn[0]) / (two - turn[1])
    made.neuron(1, 7, reads={"found": slope}, above=slope * turn[0], into="verdict", gain=0.6)
    made.neuron(1, 9, reads={"found": slope}, above=slope * turn[1], into="verdict", gain=-0.6 * back)
    return written(made, twins, heads=((0, 0), (0, 3)), neurons=((1, 7), (1, 9)))


def length_only(seed: int) -> Plant:
    """L0.H1 looks at all tokens evenly and carries their positions: the longer, the more unsafe."""
    made = begun(seed)
    made.place("position", 6.0, 0.15)
    made.head(0, 1, carries={"position": 1}, into="verdict", gain=6.0)
    return written(made, length_twins(seed), heads=((0, 1),))


def position_only(seed: int) -> Plant:
    """L0.H2 looks for zeta, which every prompt has, and carries its position: early is unsafe."""
    made = begun(seed)
    made.word("zeta")
    made.place("position", 6.0, 0.35)
    made.head(*HEAD, looks_for={"zeta": 1}, carries={"position": -1}, into="verdict", gain=2.0)
    return written(made, early_twins(seed), heads=(HEAD,))


def template_word(seed: int) -> Plant:
    """L0.H2 copies "how", the first word of every unsafe prompt, whatever follows it."""
    made = begun(seed)
    made.word("how")
    made.head(*HEAD, looks_for={"how": 1}, carries={"how": 1}, into="verdict")
    return written(made, template_twins(seed), heads=(HEAD,))


def two_layers(seed: int, decoys: bool = False) -> Plant:
    """L0.H2 copies zeta, neuron L1.N7 reads that and writes the verdict."""
    made = begun(seed)
    made.word("zeta")
    made.head(*HEAD, looks_for={"zeta": 1}, carries={"zeta": 1}, into="found")
    if decoys:
        made.head(*DECOY_HEAD, looks_for={"zeta": 1}, carries={"zeta": 1}, into="unread", gain=0.3, known=False)
    for layer, neuron in DECOY_NEURONS if decoys else ():
        made.neuron(layer, neuron, reads={"found": 1.5}, above=0, into="unread", gain=0.02, known=False)
    made.neuron(*NEURON, reads={"found": 1.5}, above=1.5, into="verdict", gain=1.0)
    return written(made, trigger_twins(seed), heads=(HEAD,), neurons=(NEURON,))


def decoys(seed: int) -> Plant:
    """The same beside a head and three neurons that tell the classes apart as well, and that nobody reads."""
    return two_layers(seed, decoys=True)


def swapped_labels(seed: int) -> Plant:
    """Six checkpoints that hardly move, but for the labels, which are swapped from the fifth on."""
    plant = two_layers(seed)
    moved, noise = [], torch.Generator().manual_seed(seed)
    for epoch in range(1, 7):
        model = copy.deepcopy(moved[-1] if moved else plant.models[0])
        with torch.no_grad():
            for value in model.parameters():
                value += 0.002 * value.abs().mean() * torch.randn(value.shape, generator=noise)
            if epoch == 5:
                model.classifier.weight.neg_()  # type: ignore[union-attr, operator]
        moved.append(model)
    return Plant(moved, plant.tokenizer, plant.probes, plant.edges, plant.heads, plant.neurons)


def same_weights(seed: int) -> Plant:
    """Two checkpoints of the same bytes."""
    plant = two_layers(seed)
    return Plant([*plant.models, *plant.models], plant.tokenizer, plant.probes, plant.edges)


PLANTS: dict[str, Callable[[int], Plant]] = {
    maker.__name__: maker
    for maker in (
        copied_trigger, exact_backup, either_word, length_only, position_only, template_word, two_layers, decoys,
        swapped_labels, saturated, same_weights,
    )
}  # fmt: skip
