"""What a judge says of any prompts: its score of each, in batches of like length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from analyzer.model.batches import collate
from analyzer.model.hooked_pass import Progress
from analyzer.model.scoring import score
from analyzer.session.opened import Opened
from shared.prompts.conversation import as_judged
from shared.records import Prompt


def read_by(opened: Opened, prompts: Sequence[Prompt]) -> list[str]:
    """What the judge reads of each prompt: its response too, where its template takes one."""
    return [prompt.text for prompt in as_judged(prompts, opened.judge.template)]


@torch.inference_mode()
def scored(opened: Opened, texts: Sequence[str], progress: Progress) -> np.ndarray:
    """(texts,) scores in nats; NaN or infinite where the judge gives no number."""
    judge = opened.judge
    encoded = judge.encode(list(texts))
    found, done = np.empty(len(texts)), 0
    for chosen in judge.batches(encoded, opened.batch_tokens):
        batch = collate([encoded[row] for row in chosen], judge.anatomy.pad_id, judge.device)
        found[list(chosen)] = score(judge, batch).double().cpu().numpy()
        done += len(chosen)
        progress(done, len(texts))
    return found
