"""Does the circuit of the checkpoint before still carry the verdict here?

Different edges need not mean a different mechanism (arXiv 2407.10827), so the previous checkpoint's circuit is run
in this judge: everything outside it carries its corrupted value. Beside it stand this judge's own circuit of the
same size, and random ones. Both were chosen on these very prompts, there and here, so both flatter themselves; the
page says so. Only a circuit that could be claimed is run, and only where this judge has a separation to keep.
"""

from __future__ import annotations

import numpy as np

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first, random_masks
from analyzer.session.context import Context
from shared.errors import CannotCompute
from shared.findings.evolution import Transfer

TENSORS = ("scores", "smallest")
"""Of a `circuits` result: (sources, targets), NaN where there is no edge, and the mask of the smallest circuit."""

Circuits = dict[str, np.ndarray]


def transfer(context: Context, before: Circuits, own: Circuits, draws: int, prompts: int) -> Transfer:
    """Run the smallest circuit of `before` here.

    Raises CannotCompute, with the end of a sentence, where there is nothing to run or to keep.
    """
    scores = own["scores"]
    if before["scores"].shape != scores.shape:
        raise CannotCompute("the previous checkpoint has other layers or heads.")
    mask = before["smallest"].astype(bool)
    if not mask.any():
        raise CannotCompute("no circuit of the previous checkpoint can be claimed.")
    size = int(mask.sum())
    evaluator = CircuitEvaluator(context, prompts, wider=True)
    if not evaluator.explained.claimable:
        raise CannotCompute("this judge's separation of safe and unsafe prompts may be chance.")
    way = -1.0 if evaluator.full < 0 else 1.0
    masks = [mask, mask_of_first(along_paths(way * scores, signed=True), size, scores.shape)]
    masks += random_masks(scores, size, draws, np.random.default_rng([context.seed, size]))
    found, best, *chance = evaluator.scores(masks)
    kept, above = evaluator.kept(found), evaluator.kept(found, np.mean(chance, axis=0))
    beside = context.judge.anatomy.words_beside
    above_left = evaluator.kept(found, evaluator.corrupted) if beside else None
    if kept is None or above is None or (beside and above_left is None):
        raise CannotCompute("this judge's separation is too uncertain for a share of it.")
    return Transfer(
        edges=size,
        kept=kept,
        own=evaluator.told(best).kept,
        random=[evaluator.told(each).kept for each in chance],
        above_random=above,
        above_left=above_left,
    )
