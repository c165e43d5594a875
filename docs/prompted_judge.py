"""Fine-tune a language model into a judge that answers True (unsafe) or False, with Hugging Face's own Trainer.

    python docs/prompted_judge.py runs/guard

Only the loss of the answer's one token is trained. RUN gets checkpoints, and beside them template.txt (the question
around a prompt), train.jsonl and held_out.jsonl, which `midwatch init` takes: see docs/decoders.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    set_seed,
)

from shared.prompts.groups import held_out
from shared.prompts.load import load_prompts
from shared.prompts.probes import choose_probes
from shared.records import Prompt
from trainer.judge import find_model, forget_quantization

TEMPLATE = "{prompt}\nUnsafe:"
ANSWERS = {"unsafe": " True", "safe": " False"}


def examples(
    prompts: Sequence[Prompt], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[dict[str, Any]]:
    """The question with its answer; every token but the answer is masked out of the loss (-100)."""
    answers = {label: tokenizer(word, add_special_tokens=False)["input_ids"] for label, word in ANSWERS.items()}
    assert all(len(answer) == 1 for answer in answers.values()), "each answer must be one token"  # noqa: S101
    found = []
    for prompt in prompts:
        question = tokenizer(TEMPLATE.replace("{prompt}", prompt.text))["input_ids"]
        if len(question) < max_length:
            answer = answers[prompt.label]
            found.append({"input_ids": question + answer, "labels": [-100] * len(question) + answer})
    return found


def write(path: Path, prompts: Sequence[Prompt]) -> None:
    path.write_text("".join(prompt.model_dump_json() + "\n" for prompt in prompts), encoding="utf-8")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="output directory")
    options.add_argument("--model", default="smollm2", help="smollm2, a local directory or a Hub name")
    options.add_argument("--prompts", default="shipped", help="labelled prompts: shipped, or a file")
    options.add_argument("--held-out", type=int, default=64, help="prompts a class kept out of the training")
    options.add_argument("--freeze-layers", type=int, default=20, help="layers that do not train, from the bottom")
    options.add_argument("--steps", type=int, default=200, help="optimizer steps")
    options.add_argument("--save-steps", type=int, default=50, help="steps between checkpoints")
    options.add_argument("--batch-size", type=int, default=8)
    options.add_argument("--learning-rate", type=float, default=3e-4)
    options.add_argument("--seed", type=int, default=0)
    told = options.parse_args()

    set_seed(told.seed)
    source = find_model(told.model)
    tokenizer = AutoTokenizer.from_pretrained(source.path, gguf_file=source.gguf_file)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(source.path, gguf_file=source.gguf_file, dtype="float32")
    if source.gguf_file is not None:
        forget_quantization(model)
    model.get_input_embeddings().requires_grad_(False)  # where it is tied, the unembedding is the same tensor
    model.model.layers[: told.freeze_layers].requires_grad_(False)

    prompts = load_prompts(told.prompts)
    kept = choose_probes(prompts, told.held_out, told.seed)
    train = held_out(prompts, kept)
    told.run.mkdir(parents=True, exist_ok=True)
    (told.run / "template.txt").write_text(TEMPLATE, encoding="utf-8")
    write(told.run / "train.jsonl", train)
    write(told.run / "held_out.jsonl", kept)

    arguments = TrainingArguments(
        output_dir=str(told.run),
        max_steps=told.steps,
        save_steps=told.save_steps,
        save_only_model=True,
        logging_steps=10,
        per_device_train_batch_size=told.batch_size,
        learning_rate=told.learning_rate,
        warmup_steps=0.1,
        seed=told.seed,
        report_to="none",
    )
    data: Any = examples(train, tokenizer, max_length=128)
    collator = DataCollatorForTokenClassification(tokenizer)
    Trainer(model, arguments, collator, data, processing_class=tokenizer).train()


if __name__ == "__main__":
    main()
