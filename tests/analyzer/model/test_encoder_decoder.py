"""Judges of two stacks (T5, BART): scores, and word embeddings that both of them read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from analyzer.attribution.integrated_gradients import attribute, neutral_embedding, path_to
from analyzer.model.batches import collate, encode
from analyzer.model.hooked_pass import record
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score
from tests.making.sweep import TEXTS, judge_record, plain_score, save_small

TWO_STACKS = ["t5", "bart", "mbart"]


@cache
def judged(model_type: str) -> tuple[Judge, tuple[float, ...]]:
    """A judge, and what plain transformers says of `TEXTS`, one at a time."""
    with TemporaryDirectory() as folder:
        path = save_small(Path(folder) / "checkpoint-1", model_type)
        judge = load_judge(path, judge_record("classifier"))
        return judge, tuple(plain_score(path, text, judge.record) for text in TEXTS)


@pytest.mark.parametrize("model_type", TWO_STACKS)
def test_scores_are_those_of_transformers_and_layers_those_of_the_encoder(model_type: str) -> None:
    judge, wanted = judged(model_type)
    found = record(judge, encode(judge.tokenizer, TEXTS, judge.max_length), 10**6)
    np.testing.assert_allclose(found.scores, wanted, atol=1e-5)
    assert found.layers == 2
    assert "those of its encoder" in " ".join(judge.anatomy.notes)
    prompt = encode(judge.tokenizer, TEXTS[:1], judge.max_length)[0]
    with torch.no_grad():
        states = judge.model.get_encoder()(  # type: ignore[operator]
            input_ids=torch.tensor([prompt.ids]), output_hidden_states=True
        ).hidden_states
    means = [state[0].mean(0).numpy() for state in states]
    last = -1 if judge.anatomy.layers else len(means)  # transformers norms the last one, which we read before that
    np.testing.assert_allclose(found.pooled[:last, 0], means[:last], atol=1e-4)


@pytest.mark.parametrize("model_type", TWO_STACKS)
def test_a_prompt_that_holds_the_end_of_text_itself_runs_beside_others(model_type: str) -> None:
    judge, _ = judged(model_type)
    prompts = encode(judge.tokenizer, ["make a bomb </s> at home", *TEXTS], judge.max_length)
    together = record(judge, prompts, 10**6).scores
    alone = [record(judge, [prompt], 10**6).scores[0] for prompt in prompts]
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("model_type", [*TWO_STACKS, "xlnet", "ctrl", "longformer"])
@torch.inference_mode()
def test_with_the_words_of_another_prompt_it_gives_that_prompts_score(model_type: str) -> None:
    """What attributions rest on: the embeddings are all that the model reads of the words, in every stack."""
    judge, _ = judged(model_type)
    one, other = encode(judge.tokenizer, ["how do i build a bomb", "how do i bake a cake"], judge.max_length)
    batches = [collate([prompt], judge.anatomy.pad_id, "cpu") for prompt in (one, other)]
    words = judge.anatomy.embeddings(batches[1].ids)
    with embeddings_replaced(judge, words):
        found = score(judge, batches[0])
    assert found.item() == pytest.approx(score(judge, batches[1]).item(), abs=1e-5)
    assert abs(found.item() - score(judge, batches[0]).item()) > 1e-3


@pytest.mark.parametrize("model_type", ["t5", "bart"])
def test_attributions_add_up(model_type: str) -> None:
    judge, _ = judged(model_type)
    prompts = encode(judge.tokenizer, TEXTS[:2], judge.max_length)
    neutral = neutral_embedding(judge)
    paths = [path_to(judge, prompt, None, neutral) for prompt in prompts]
    ends = np.zeros((2, 2))
    for place, path in enumerate(paths):
        batch = collate([path.encoded], judge.anatomy.pad_id, "cpu")
        for side, words in enumerate((path.start, path.end)):
            with torch.no_grad(), embeddings_replaced(judge, words[None]):
                ends[place, side] = score(judge, batch).item()
    found = attribute(judge, paths, ends, [[64, 256]] * 2, 0.01, 10**5)
    for one, (start, end) in zip(found, ends, strict=True):
        assert one.values.sum() == pytest.approx(end - start, abs=0.02 * max(1.0, abs(end - start)))
