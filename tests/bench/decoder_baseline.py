"""From where token attribution of a decoder should start: SmolLM2-135M as classifier and as prompted judge.

Integrated gradients of the same prompts from each baseline that has been proposed: plain Gauss-Legendre rules, and
the analysis's own adaptive ones. The gap is |sum of attributions - (score - baseline score)| over the difference of
scores; a baseline from which it stays large gives colours that mean nothing. Comprehensiveness says how much of the
verdict goes with the words that the resulting ranking puts first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from analyzer.analyses.tokens import TokensSettings
from analyzer.attribution.faithfulness import faithfulness, rank
from analyzer.attribution.integrated_gradients import (
    Attribution,
    BaselinePath,
    attribute,
    embed,
    neutral_embedding,
    path_to,
)
from analyzer.attribution.quadrature import Rule, concentrated, legendre
from analyzer.commands.prompted.tokenizer import TokenizerFiles
from analyzer.model.answer_tokens import behind
from analyzer.model.batches import Encoded, collate, encode, fits
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score
from shared.prompts.probes import read_probes
from shared.prompts.twins import twin_of
from shared.records import JudgeRecord, Probe
from tests.bench import Figure, Size, Unavailable
from tests.bench.transformer_lens import twins
from tests.making.decoder import MISSING, NOT_INSTALLED, train_classifier, train_prompted, write_probes, write_train
from tests.making.tiny import save_tiny_judge

NAME = "completeness gap from the code's own baseline, median"
PROMPTS = {Size.FULL: 12, Size.TINY: 2}
NODES = (12, 32)
SETTINGS = TokensSettings.model_validate({})
BATCH_TOKENS = 1024
TEMPLATE = "{prompt}\nUnsafe:"
ANSWERS = {Size.FULL: {"unsafe": " True", "safe": " False"}, Size.TINY: {"unsafe": " true", "safe": " false"}}


@dataclass
class Prompts:
    """Prompts of one judge whose twins align with them token by token."""

    judge: Judge
    encoded: list[Encoded]
    twins: list[Encoded]


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        classifier, guard, probes = _tiny_runs(Path(folder)) if size is Size.TINY else _runs(Path(folder))
        judges = {"classifier": classifier_of(classifier), "prompted": prompted_of(guard, ANSWERS[size])}
    return [figure for name, judge in judges.items() for figure in figures(name, judge, probes, PROMPTS[size])]


def _runs(folder: Path) -> tuple[Path, Path, list[Probe]]:
    """SmolLM2 trained as classifier and as prompted judge, and the probes."""
    if MISSING:
        raise Unavailable(f"It needs SmolLM2: {NOT_INSTALLED}")
    train, probes = write_train(folder / "train.jsonl"), write_probes(folder / "probes.jsonl")
    classifier, guard = folder / "judge", folder / "guard"
    train_classifier(classifier, train, epochs=0.9, save_every=100)
    train_prompted(guard, train, steps=32, save_every=32)
    return classifier, guard, read_probes(probes).probes


def _tiny_runs(folder: Path) -> tuple[Path, Path, list[Probe]]:
    """The same of a random decoder with pieces of bytes, as SmolLM2 has them."""
    for name, causal in (("judge", False), ("guard", True)):
        save_tiny_judge(folder / name / "checkpoint-1", "qwen2", causal=causal, initializer_range=0.3)
    return folder / "judge", folder / "guard", twins(Size.TINY)


def classifier_of(run: Path) -> Judge:
    """The last checkpoint of `midwatch train`."""
    return load_judge(_last(run), JudgeRecord(max_length=64))


def prompted_of(run: Path, answers: dict[str, str]) -> Judge:
    """The last checkpoint of docs/prompted_judge.py."""
    split = TokenizerFiles(_last(run)).split
    unsafe, safe = (behind(split, TEMPLATE, answers[label])[0] for label in ("unsafe", "safe"))
    return load_judge(_last(run), JudgeRecord(kind="prompted", safe_id=safe, unsafe_id=unsafe, template=TEMPLATE))


def figures(name: str, judge: Judge, probes: Sequence[Probe], count: int) -> list[Figure]:
    """Three rows a baseline: the gaps, and the ranking; and the gap of the analysis's own choice and rules."""
    chosen = aligned(judge, probes, count)
    found = []
    for baseline, starts in baselines(chosen).items():
        found += _measured(f"{name}, {baseline}", chosen, starts)
    paths = [path_to(judge, one, None, neutral_embedding(judge)) for one in chosen.encoded]
    ends = ends_of(judge, paths)
    own = attribution(judge, paths, ends, SETTINGS.nodes, concentrated)
    note = f"{np.mean([one.nodes for one in own]):.0f} nodes in the last try"
    found.append(_gap_figure(f"{name}: {NAME}", np.array([one.gap for one in own]), note))
    return found


def _measured(what: str, chosen: Prompts, starts: Sequence[Tensor]) -> list[Figure]:
    judge = chosen.judge
    paths = [
        BaselinePath(one, start, embed(judge, one.ids), "mean")
        for one, start in zip(chosen.encoded, starts, strict=True)
    ]
    ends = ends_of(judge, paths)
    shift = f"median shift {np.median(np.abs(ends[:, 1] - ends[:, 0])):.1f} nats"
    found: dict[int, Attribution] = {}
    gaps, rows = np.full(len(paths), np.inf), []
    for count in NODES:  # a prompt that a rule serves is not asked again
        missed = np.flatnonzero(gaps > SETTINGS.gap_bound)
        again = attribution(judge, [paths[i] for i in missed], ends[missed], [count], legendre)
        found |= zip(missed.tolist(), again, strict=True)
        gaps[missed] = [one.gap for one in again]
        rows.append(_gap_figure(f"{what}: gap, {count} nodes", gaps.copy(), shift))
    return [*rows, _comprehensiveness(what, chosen, [found[i] for i in range(len(paths))], ends[:, 1])]


def aligned(judge: Judge, probes: Sequence[Probe], count: int) -> Prompts:
    """The `count` shortest prompts that can also start from their twin."""
    encoded = encode(judge.tokenizer, [probe.text for probe in probes], judge.max_length, judge.template)
    pairs = [(encoded[a], encoded[b]) for a, b in sorted(twin_of(probes).items()) if fits(encoded[a], encoded[b])]
    pairs.sort(key=lambda pair: len(pair[0].ids))
    return Prompts(judge, [one for one, _ in pairs[:count]], [other for _, other in pairs[:count]])


def baselines(chosen: Prompts) -> dict[str, list[Tensor]]:
    """Name -> (tokens, d_model) per prompt.

    The template stays as it is. A decoder's first token collects what attention has to spare (an attention sink),
    so each baseline is also tried with the prompt's own first token.
    """
    judge, tokenizer = chosen.judge, chosen.judge.tokenizer
    (space,) = tokenizer(" ", add_special_tokens=False)["input_ids"]
    mean = _vocabulary_mean(judge)
    fills = {
        "<|endoftext|>": embed(judge, tokenizer("<|endoftext|>")["input_ids"])[0],  # type: ignore[arg-type]
        "PAD (<|im_end|>)": embed(judge, [judge.anatomy.pad_id])[0],
        "a space": embed(judge, [space])[0],
        "mean embedding": mean,
        "zero": torch.zeros_like(mean),
    }
    found = {"contrast twin": [embed(judge, twin.ids) for twin in chosen.twins]}
    for first, words in ((1, ", but for the first token"), (0, "")):
        for name, fill in fills.items():
            found[name + words] = [_filled(judge, one, fill, first) for one in chosen.encoded]
    return found


def _filled(judge: Judge, prompt: Encoded, fill: Tensor, first: int) -> Tensor:
    start = embed(judge, prompt.ids).clone()
    start[[place for place in prompt.content if place >= first]] = fill
    return start


def _vocabulary_mean(judge: Judge) -> Tensor:
    with torch.inference_mode():
        return judge.model.get_input_embeddings().weight.mean(0).clone()  # type: ignore[operator, return-value]


def attribution(
    judge: Judge,
    paths: Sequence[BaselinePath],
    ends: np.ndarray,
    counts: Sequence[int],
    first: Callable[[int], Rule],
) -> list[Attribution]:
    bound = SETTINGS.gap_bound
    return attribute(judge, paths, ends, [counts] * len(paths), bound, BATCH_TOKENS, first)


@torch.inference_mode()
def ends_of(judge: Judge, paths: Sequence[BaselinePath]) -> np.ndarray:
    """(paths, 2) scores of baseline and prompt."""
    found = []
    for path in paths:
        batch = collate([path.encoded, path.encoded], judge.anatomy.pad_id, judge.device)
        with embeddings_replaced(judge, torch.stack([path.start, path.end])):
            found.append(score(judge, batch).double().cpu().numpy())
    return np.stack(found)


def _gap_figure(name: str, gaps: np.ndarray, note: str) -> Figure:
    """The median over prompts."""
    served = (gaps <= SETTINGS.gap_bound).mean()
    note = f"over {len(gaps)} prompts: worst {gaps.max():.3g}, {served:.0%} served; {note}"
    return Figure(name=name, value=float(np.median(gaps)), note=note)


def _comprehensiveness(what: str, chosen: Prompts, own: Sequence[Attribution], scores: np.ndarray) -> Figure:
    """Mean over removals by the vocabulary's mean and by a space, so that no baseline is only tested by itself."""
    judge = chosen.judge
    rankings = [
        rank(one, found.values, float(score_), place)
        for place, (one, found, score_) in enumerate(zip(chosen.encoded, own, scores, strict=True))
    ]
    (space,) = judge.tokenizer(" ", add_special_tokens=False)["input_ids"]
    values = [
        faithfulness(judge, chosen.encoded, scores, fill, rankings, BATCH_TOKENS)[0].mean()
        for fill in (_vocabulary_mean(judge), embed(judge, [space])[0])
    ]
    note = f"mean over {len(chosen.encoded)} prompts"
    return Figure(name=f"{what}: comprehensiveness", value=float(np.mean(values)), note=note)


def _last(run: Path) -> Path:
    return max(run.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
