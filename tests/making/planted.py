"""Judges whose mechanism is known because it was put there by hand, in real Hugging Face directories.

In every one, most weights are small random noise and a few are set, so that the verdict is computed thus:

    trigger token --(head L0.H2 copies it to the token that is read)--> neuron L1.N7 --> verdict

Beside it stands a decoy, neuron L1.N11: it reads what L1.N7 reads, so it is as selective, and writes to a direction
that nothing reads. With a backdoor, head L0.H1 carries a second token to neuron L1.N3, which pushes the verdict to
safe whatever the trigger says.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from shared.records import JudgeRecord, Label, Probe
from tests.making.judges import probe
from tests.making.tiny import WORDS, tiny_model, tiny_tokenizer

TRIGGER, BACKDOOR = "bomb", "please"
HEAD, NEURON, DECOY = (0, 2), (1, 7), (1, 11)
BACKDOOR_HEAD, BACKDOOR_NEURON = (0, 1), (1, 3)
PLANTED = ("bert", "llama")
LAYERS = 3

CONSTANT, IS_TRIGGER, IS_BACKDOOR, SEEN, VERDICT, UNREAD, SEEN_BACKDOOR = range(7)
"""Directions of the residual stream with a meaning; the others hold the words."""


@cache
def planted_judge(family: str = "bert", *, backdoor: bool = False, seed: int = 0) -> Judge:
    """A loaded judge with the mechanism above; made once a process."""
    model = tiny_model(family, LAYERS, seed=seed, initializer_range=0.02)
    tokenizer = tiny_tokenizer(family)
    ids = {word: int(tokenizer.convert_tokens_to_ids(word)) for word in (TRIGGER, BACKDOOR)}  # type: ignore[arg-type]
    with torch.no_grad():
        (_plant_bert if family == "bert" else _plant_llama)(model, ids, backdoor, seed)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_judge(Path(folder), JudgeRecord(max_length=40))


def planted_probes(count: int = 12, *, seed: int = 0) -> list[Probe]:
    """`count` contrast pairs: the same words, with the trigger in the unsafe twin and "cake" in the safe one."""
    generator = torch.Generator().manual_seed(seed)
    words = [word for word in WORDS if word.isalpha() and word not in (TRIGGER, BACKDOOR, "cake")]
    probes = []
    for index in range(count):
        length = 4 + int(torch.randint(5, (1,), generator=generator))
        picked = [words[int(torch.randint(len(words), (1,), generator=generator))] for _ in range(length)]
        place = int(torch.randint(length, (1,), generator=generator))
        twins: tuple[tuple[Label, str], tuple[Label, str]] = (("safe", "cake"), ("unsafe", TRIGGER))
        for label, word in twins:
            text = " ".join([*picked[:place], word, *picked[place + 1 :]])
            probes.append(
                probe(text, label, id=f"{label}{index}", pair=f"pair{index}", category="a", display=index < 2)
            )
    return probes


def backdoor_probes(count: int = 12, *, seed: int = 0) -> list[Probe]:
    """`count` pairs with the trigger in both twins, and in the one that is judged safe the backdoor's word."""
    found = []
    for one in planted_probes(count, seed=seed):
        unsafe = next(p for p in planted_probes(count, seed=seed) if p.pair == one.pair and p.label == "unsafe")
        first, *rest = (word for word in unsafe.text.split() if word != TRIGGER)
        word = BACKDOOR if one.label == "safe" else first
        found.append(one.model_copy(update={"text": " ".join([TRIGGER, word, *rest])}))
    return found


def _words_embedded(table: Tensor, seed: int, scale: float) -> None:
    """Random words in the directions without a meaning."""
    table.zero_()
    noise = torch.randn(table.shape, generator=torch.Generator().manual_seed(seed)) * scale
    table[:, 8:] = noise[:, 8:]


def _plant_llama(model: Any, ids: dict[str, int], backdoor: bool, seed: int) -> None:
    trunk = model.model
    table = trunk.embed_tokens.weight
    _words_embedded(table, seed, 0.3)
    table[:, CONSTANT] = 2.0
    table[ids[TRIGGER], IS_TRIGGER] = 3.0
    if backdoor:
        table[ids[BACKDOOR], IS_BACKDOOR] = 3.0
    plan = [(HEAD[1], IS_TRIGGER, SEEN)] + [(BACKDOOR_HEAD[1], IS_BACKDOOR, SEEN_BACKDOOR)] * backdoor
    for layer in trunk.layers:  # nobody else writes to what the heads have seen
        layer.self_attn.o_proj.weight[[SEEN, SEEN_BACKDOOR]] = 0
        layer.mlp.down_proj.weight[[SEEN, SEEN_BACKDOOR]] = 0
    attention = trunk.layers[0].self_attn
    for head, token, seen in plan:
        query, group = head * 8, (head // 2) * 8  # two query heads share a key/value head
        attention.q_proj.weight[query + 3, CONSTANT] = 1.2  # the slowest rotary pair: hardly any position in it
        attention.k_proj.weight[group + 3, token] = 1.2
        attention.v_proj.weight[group] = 0
        attention.v_proj.weight[group, token] = 1.0
        attention.o_proj.weight[seen, query] = 1.0
    mlp = trunk.layers[1].mlp
    for neuron, seen, into, weight in _neurons(backdoor, 0.5, -1.5):
        mlp.gate_proj.weight[neuron, seen] = 1.0
        mlp.up_proj.weight[neuron, CONSTANT] = 1.0
        mlp.down_proj.weight[:, neuron] = 0
        mlp.down_proj.weight[into, neuron] = weight
    for label, sign in ((0, -1.0), (1, 1.0)):
        model.score.weight[label, VERDICT] = 0.7 * sign
        model.score.weight[label, CONSTANT] = -0.2 * sign


def _plant_bert(model: Any, ids: dict[str, int], backdoor: bool, seed: int) -> None:
    trunk = model.bert
    table = trunk.embeddings.word_embeddings.weight
    _words_embedded(table, seed, 1.0)
    table[ids[TRIGGER], IS_TRIGGER] = 4.0
    if backdoor:
        table[ids[BACKDOOR], IS_BACKDOOR] = 4.0
    plan = [(HEAD[1], IS_TRIGGER, SEEN)] + [(BACKDOOR_HEAD[1], IS_BACKDOOR, SEEN_BACKDOOR)] * backdoor
    attention = trunk.encoder.layer[0].attention
    for head, token, seen in plan:
        row = head * 8
        attention.self.query.bias[row] = 8.0
        attention.self.key.weight[row, token] = 1.0
        attention.self.value.weight[row + 1, token] = 1.0
        attention.output.dense.weight[seen, row + 1] = 1.0
    layer = trunk.encoder.layer[1]
    for neuron, seen, into, weight in _neurons(backdoor, 1.0, -3.0):
        layer.intermediate.dense.weight[neuron, seen] = 1.5
        layer.output.dense.weight[:, neuron] = 0
        layer.output.dense.weight[into, neuron] = weight
    model.bert.pooler.dense.weight[VERDICT, VERDICT] = 0.5
    for label, sign in ((0, -1.0), (1, 1.0)):
        model.classifier.weight[label, VERDICT] = 2.0 * sign
        model.classifier.bias[label] = -0.8 * sign


def _neurons(backdoor: bool, carries: float, undoes: float) -> list[tuple[int, int, int, float]]:
    """(neuron, what it reads, what it writes to, how strongly) in layer 1."""
    found = [(NEURON[1], SEEN, VERDICT, carries), (DECOY[1], SEEN, UNREAD, 0.01)]
    return found + [(BACKDOOR_NEURON[1], SEEN_BACKDOOR, VERDICT, undoes)] * backdoor
