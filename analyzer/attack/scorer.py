"""The judge as a scorer of texts: batches of similar length, each text once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from analyzer.model.batches import collate
from analyzer.model.judge import Judge
from analyzer.model.scoring import finite_scores, score


@torch.inference_mode()
def scores_of(judge: Judge, texts: Sequence[str], batch_tokens: int) -> np.ndarray:
    """(texts,) float32 scores in nats, positive for unsafe. Raises CannotCompute where one is not finite."""
    encoded = judge.encode(texts)
    found = np.empty(len(texts), dtype=np.float32)
    for rows in judge.batches(encoded, batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        found[rows] = score(judge, batch).float().cpu().numpy()
    return finite_scores(found, "texts")
