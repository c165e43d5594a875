"""Does the circuit of the checkpoint before still carry the verdict here?

Different edges need not mean a different mechanism (arXiv 2407.10827), so the previous checkpoint's circuit is run
in this judge: everything outside it carries its corrupted value. Beside it stand this judge's own circuit of the
same size, and random ones.
"""

from __future__ import annotations

import numpy as np

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first, random_masks
from analyzer.session.context import Context
from shared.errors import CannotCompute
from shared.findings.evolution import Transfer
from shared.findings.parts import Interval

TENSORS = ("scores", "smallest")
"""Of a `circuits` result: (sources, targets), NaN where there is no edge, and the mask of the smallest circuit."""

Circuits = dict[str, np.ndarray]


def transfer(context: Context, before: Circuits, own: Circuits, n_edges: int, draws: int, prompts: int) -> Transfer:
    """Run the smallest circuit of `before` here, or where it has none its `n_edges` best edges.

    Raises CannotCompute, with the end of a sentence, where there is nothing to run or to keep.
    """
    scores = own["scores"]
    if before["scores"].shape != scores.shape:
        raise CannotCompute("the previous checkpoint has other layers or heads.")
    mask = before["smallest"].astype(bool)
    if not mask.any():
        mask = mask_of_first(along_paths(before["scores"], signed=True), n_edges, scores.shape)
    size = int(mask.sum())
    evaluator = CircuitEvaluator(context, prompts)
    if not evaluator.something_to_keep:
        raise CannotCompute("this judge separates its prompts no better than the corrupted run.")
    masks = [mask, mask_of_first(along_paths(scores, signed=True), size, scores.shape)]
    masks += random_masks(scores, size, draws, np.random.default_rng([context.seed, size]))
    found, best, *chance = evaluator.evaluate_all(masks)
    return Transfer(
        edges=size,
        faithfulness=Interval(value=found.faithfulness, low=found.low, high=found.high),
        own=best.faithfulness,
        random=[each.faithfulness for each in chance],
    )
