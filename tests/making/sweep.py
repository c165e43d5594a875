"""Every sequence classifier and causal language model of transformers, tiny, through all that a judge goes through.

For one family: save a random model with a tiny tokenizer, load it as a judge, compare its scores with those of
plain transformers and batched scores with lone ones, and give it to a worker for the basic suite. It must work, or
be refused in one sentence; whatever else is raised is a fault of ours.

`python -m tests.making.sweep` prints a table of all of them, in some minutes; names after it choose families.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)
from transformers.models.auto import modeling_auto

from analyzer.checkpoints.architectures import Kind
from analyzer.jobs.messages import WorkerOptions
from analyzer.model.batches import encode
from analyzer.model.hooked_pass import record
from analyzer.model.loading import load_judge
from shared.errors import MidwatchError
from shared.records import JudgeRecord, RunRecord
from shared.views import suite_views
from tests.making.job_bench import FAST, Bench
from tests.making.runs import describe
from tests.making.small_models import small_config
from tests.making.tiny import WORDS

Sort = Literal["classifier", "causal", "multimodal"]
"""Which of transformers' mappings a family is taken from; the last two are prompted judges."""
MAPPINGS: dict[Sort, dict[str, Any]] = {
    "classifier": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "multimodal": modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
}
AUTO: dict[Sort, Any] = {
    "classifier": AutoModelForSequenceClassification,
    "causal": AutoModelForCausalLM,
    "multimodal": AutoModelForImageTextToText,
}
TEXTS = ("how to make a bomb", "how do i kill a python process in my home with the code", "how do i bake bread")
"""Of different lengths, so that two of them are padded."""
LONG = " ".join(["how do i kill a python process"] * 30)
"""Longer than a tiny model has positions, which its tokenizer does not know."""
TEMPLATE = "{prompt} is it safe ?"


class Found(NamedTuple):
    """What became of one family."""

    model_type: str
    sort: Sort
    outcome: Literal["works", "refused", "not built", "wrong", "raised"]
    said: str
    """The sentence of a refusal, of an analysis that cannot be computed, or of what was raised."""
    apart: bool = False
    """Whether it runs one prompt at a time."""


def kind_of(sort: Sort) -> Kind:
    """How such a judge is read."""
    return "classifier" if sort == "classifier" else "prompted"


def plain_tokenizer(model_max_length: int = int(1e30)) -> PreTrainedTokenizerFast:
    """A fast tokenizer of whole words that begins every prompt with <s> and ends it with </s>."""
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    names = [*special.values(), "<mask>", *dict.fromkeys(WORDS)]
    vocabulary = {word: index for index, word in enumerate(names)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        model_max_length=model_max_length,
        model_input_names=["input_ids", "attention_mask"],
        mask_token="<mask>",  # noqa: S106
        **special,
    )


def save_small(path: Path, model_type: str, sort: Sort = "classifier", seed: int = 0, **extra: Any) -> Path:
    """Write a tiny random judge of any family as a checkpoint. Raises what transformers raises."""
    tokenizer = plain_tokenizer()
    labels: dict[str, Any] = {"id2label": {0: "safe", 1: "unsafe"}} if sort == "classifier" else {}
    config = small_config(model_type, len(tokenizer), **labels, **extra)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AUTO[sort].from_config(config).eval()
        for name, parameter in model.named_parameters():  # fresh heads and norms tell prompts hardly apart
            if parameter.ndim > 1 and "norm" not in name.lower():
                parameter.data.normal_(0, 0.2)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def judge_record(kind: Kind) -> JudgeRecord:
    """The record of a run of such judges."""
    if kind == "classifier":
        return JudgeRecord(max_length=160)
    tokenizer = plain_tokenizer()
    safe, unsafe = (int(tokenizer.convert_tokens_to_ids(word)) for word in ("safe", "harm"))  # type: ignore[arg-type]
    return JudgeRecord(kind="prompted", safe_id=safe, unsafe_id=unsafe, template=TEMPLATE, max_length=160)


def plain_score(path: Path, text: str, judged: JudgeRecord, sort: Sort = "classifier") -> float:
    """The score of one prompt by transformers alone."""
    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    model = AUTO[sort].from_pretrained(path, dtype=torch.float32).eval()
    for config in (model.config, model.config.get_text_config()):
        config.use_cache = False
    text = text if judged.kind == "classifier" else TEMPLATE.replace("{prompt}", text)
    with torch.inference_mode():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0].double()
    logits = logits if judged.kind == "classifier" else logits[-1]
    return float(logits[judged.unsafe_id] - logits[judged.safe_id])


def sweep(model_type: str, sort: Sort, folder: Path, *, suite: bool = True) -> Found:
    """One family through all of it. Nothing is raised but the interruption of the whole."""
    path = folder / "checkpoint-1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what transformers says of its own code
        try:
            save_small(path, model_type, sort)
        except Exception as error:  # noqa: BLE001 (transformers cannot make it: no finding about us)
            return Found(model_type, sort, "not built", _first_line(error))
        try:
            return _through(path, model_type, sort, suite)
        except MidwatchError as error:
            return Found(model_type, sort, "refused", str(error))
        except Exception as error:  # noqa: BLE001 (that is what the sweep looks for)
            return Found(model_type, sort, "raised", _first_line(error))


def _through(path: Path, model_type: str, sort: Sort, suite: bool) -> Found:
    judged = judge_record(kind_of(sort))
    judge = load_judge(path, judged)
    apart = bool(getattr(judge, "apart", False))
    prompts = encode(judge.tokenizer, TEXTS, judge.max_length, judge.template)
    alone = np.array([record(judge, [prompt], 10**6).scores[0] for prompt in prompts])
    together = record(judge, prompts, 10**6).scores
    record(judge, encode(judge.tokenizer, [LONG], judge.max_length, judge.template), 10**6)
    wanted = plain_score(path, TEXTS[0], judged, sort)
    scale = 1 + float(np.abs(alone).max())
    if abs(alone[0] - wanted) > 1e-5 * scale:
        return Found(model_type, sort, "wrong", f"{alone[0]:.6f}, and transformers says {wanted:.6f}", apart)
    if np.abs(alone - together).max() > 1e-4 * scale:
        gap = np.abs(alone - together).max()
        return Found(model_type, sort, "wrong", f"batched scores are off by {gap:.4f}", apart)
    said = _suite(path, judged) if suite else ""
    return Found(model_type, sort, "raised" if said.startswith("!") else "works", said, apart)


def _suite(path: Path, judged: JudgeRecord) -> str:
    """The basic suite as the worker computes it; what it cannot compute, in words, with ! where that is a fault."""
    run = path.parent
    describe(run)
    bench = Bench(run, path, WorkerOptions(overrides=FAST))
    names = [view.name for view in suite_views("basic")]
    job = bench.job(1, analyses=names, record=RunRecord(judge=judged))
    failed = [event for event in bench.do(job) if event.kind == "failed"]
    faults = [
        f"!{event.analysis} {event.failure}: {event.cause}" for event in failed if event.failure == "analysis"
    ]
    return " ".join(faults) or " ".join(f"{event.analysis}: {event.cause}" for event in failed)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}"


def main(names: list[str]) -> None:
    """Print the table: one line a family, then how many became what."""
    counts: Counter[tuple[str, str]] = Counter()
    for sort, mapping in MAPPINGS.items():
        for model_type in sorted(mapping):
            if names and model_type not in names:
                continue
            with TemporaryDirectory() as folder:
                found = sweep(model_type, sort, Path(folder))
            counts[sort, found.outcome] += 1
            print(f"{sort:10} {model_type:24} {found.outcome:9} {'apart' if found.apart else '':5} {found.said}")
    for (sort, outcome), count in sorted(counts.items()):
        print(f"{sort}: {count} {outcome}")


if __name__ == "__main__":
    main(sys.argv[1:])
