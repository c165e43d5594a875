"""Attribution patching of every head and neuron against TransformerLens, on a small pre-norm decoder; one thread.

The same mathematics in both: contrast twins of equal length, the plain gradient and the mean of five along the path
from twin to prompt. TransformerLens gets its best case, all prompts of one length in one batch. It is no dependency
of ours: `pip install transformer-lens` for this figure.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from analyzer.model.loading import load_judge
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.session.context import Context
from shared.records import JudgeRecord, Probe, RunRecord
from tests.bench import Figure, Size, Unavailable, median_figure
from tests.making.judges import probe
from tests.making.tiny import WORDS, save_tiny_judge

PAIRS = {Size.FULL: 16, Size.TINY: 8}
WORDS_EACH, STEPS = 24, 5
LAYERS = {Size.FULL: 4, Size.TINY: 1}
ROUNDS = {Size.FULL: 5, Size.TINY: 1}
SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 32,
    "initializer_range": 0.1,
}


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    shape = SHAPE if size is Size.FULL else {"initializer_range": 0.1}
    with tempfile.TemporaryDirectory() as folder:
        path = save_tiny_judge(Path(folder), "llama", layers=LAYERS[size], causal=True, **shape)
        tokenizer: Any = AutoTokenizer.from_pretrained(path)
        answers = {label: int(tokenizer.convert_tokens_to_ids(word)) for label, word in ANSWERS.items()}
        record = JudgeRecord(
            kind="prompted", template="{prompt}", safe_id=answers["safe"], unsafe_id=answers["unsafe"]
        )
        judge = load_judge(path, record)
        probes = twins(size)
        if importlib.util.find_spec("transformer_lens") is None:
            raise Unavailable("It needs TransformerLens: pip install transformer-lens")
        lens = Lens(path, tokenizer, probes, answers)

    def ours() -> Any:
        context = Context(judge=judge, probes=probes, step=1, run=RunRecord(), suite=frozenset({"neurons"}))
        return gradient_pass(context, STEPS, len(probes))

    found, theirs = ours(), lens.effects()  # warms up too
    worst = max(
        float(np.abs(a - b).max() / np.abs(b).max())
        for a, b in zip(
            (found.heads.plain, found.heads.integrated, found.neurons.plain, found.neurons.integrated),
            theirs,
            strict=True,
        )
    )
    ratios = []
    for _ in range(ROUNDS[size]):
        started = time.perf_counter()
        ours()
        middle = time.perf_counter()
        lens.effects()
        ratios.append((time.perf_counter() - middle) / (middle - started))
    return [
        median_figure("TransformerLens / ours, node attribution, same steps", ratios, "x"),
        Figure(name="largest difference to TransformerLens", value=worst, unit="of the largest", bar="<= 1e-4"),
    ]


ANSWERS = {"safe": "false", "unsafe": "true"}


def twins(size: Size) -> list[Probe]:
    """Contrast pairs of one length."""
    words = [word for word in WORDS if word.isalpha() and word not in ("bomb", "cake")]
    found = []
    for index in range(PAIRS[size]):
        text = [words[(index * 7 + place * 3) % len(words)] for place in range(WORDS_EACH)]
        for label, word in (("safe", "cake"), ("unsafe", "bomb")):
            text[index % WORDS_EACH] = word
            found.append(probe(" ".join(text), label, id=f"{label}{index}", pair=f"pair{index}"))  # type: ignore[arg-type]
    return found


class Lens:
    """The same numbers with TransformerLens's hooks."""

    def __init__(self, path: Path, tokenizer: Any, probes: list[Probe], answers: dict[str, int]) -> None:
        from transformer_lens.model_bridge import TransformerBridge  # type: ignore[import-not-found]

        model = AutoModelForCausalLM.from_pretrained(path).eval().requires_grad_(False)
        self.bridge: Any = TransformerBridge.boot_transformers(str(path), hf_model=model, tokenizer=tokenizer)
        self.answers = answers
        self.layers = int(model.config.num_hidden_layers)
        self.ids = torch.tensor([tokenizer(each.text)["input_ids"] for each in probes])
        other = {each.pair: {} for each in probes}
        for index, each in enumerate(probes):
            other[each.pair][each.label] = index
        self.twin = [other[each.pair]["safe" if each.label == "unsafe" else "unsafe"] for each in probes]
        self.sign = torch.tensor([1.0 if each.label == "unsafe" else -1.0 for each in probes])
        self.points = [
            f"blocks.{layer}.{part}" for part in ("attn.hook_z", "mlp.hook_post") for layer in range(self.layers)
        ]

    def effects(self) -> list[np.ndarray]:
        """Class-signed mean contributions: heads plain, heads integrated, neurons plain, neurons integrated."""
        clean, entry = self._values()
        deltas = {name: value - value[self.twin] for name, value in clean.items()}
        alphas = [1.0, *((step + 0.5) / STEPS for step in range(STEPS))]
        gradients = [self._gradients(entry[self.twin] + alpha * (entry - entry[self.twin])) for alpha in alphas]
        found = []
        for part in ("attn.hook_z", "mlp.hook_post"):
            for chosen in (gradients[:1], gradients[1:]):
                found.append(
                    np.stack([self._effect(deltas, chosen, f"blocks.{i}.{part}") for i in range(self.layers)])
                )
        return found

    def _effect(self, deltas: dict[str, Tensor], gradients: list[dict[str, Tensor]], name: str) -> np.ndarray:
        mean = torch.stack([gradient[name] for gradient in gradients]).mean(0)
        product = deltas[name] * mean
        product = product.sum(-1) if product.ndim == 4 else product  # a head's own width
        return (product.sum(1) * self.sign[:, None]).mean(0).numpy()

    def _values(self) -> tuple[dict[str, Tensor], Tensor]:
        entry = "blocks.0.hook_in"
        with torch.no_grad():
            kept, _ = self._run({}, [*self.points, entry])
        return kept, kept.pop(entry)

    def _gradients(self, entry: Tensor) -> dict[str, Tensor]:
        put = {"blocks.0.hook_in": entry.requires_grad_()}
        kept, logits = self._run(put, self.points)
        score = (logits[:, self.answers["unsafe"]] - logits[:, self.answers["safe"]]).sum()
        return dict(zip(kept, torch.autograd.grad(score, list(kept.values())), strict=True))

    def _run(self, put: dict[str, Tensor], names: list[str]) -> tuple[dict[str, Tensor], Tensor]:
        """The values at these hooks, by the names asked for (the hooks know others), and the last logits."""
        kept: dict[str, Tensor] = {}
        hooks: list[tuple[str, Any]] = [(name, lambda _v, hook, value=value: value) for name, value in put.items()]
        hooks += [(name, lambda value, hook, name=name: kept.setdefault(name, value.clone())) for name in names]
        with self.bridge.hooks(fwd_hooks=hooks):
            return kept, self.bridge(self.ids)[:, -1]
