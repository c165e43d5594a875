"""Judges compiled from a small programme to a known circuit, in the manner of Tracr (arXiv 2301.05062).

Each computes something that takes several parts, and hands over the edges that its programme uses; InterpBench
(arXiv 2407.14494) trains such judges, here the weights are written. `COMPILED[name](seed)` makes one.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.making.plant_prompts import both_twins, majority_twins, ordered_twins
from tests.making.plants import Plant, begun, written


def word_after_word(seed: int) -> Plant:
    """Unsafe: beta right after alpha.

    L0.H1 tells each token whether alpha stands before it; L1.H2 looks for the token that is beta and was told so.
    """
    made = begun(seed, positions=True)
    made.word("alpha")
    made.word("beta", size=3.0)
    made.previous_head(0, 1, carries={"alpha": 1}, into="after alpha", gain=0.8)
    both = {"after alpha": 1.0, "beta": 1.0}
    made.head(1, 2, looks_for=both, carries=both, into="verdict", gain=0.8, sharp=6.0)
    return written(made, ordered_twins(seed), heads=((0, 1), (1, 2)))


def majority(seed: int) -> Plant:
    """Unsafe: more alphas than betas.

    L0.H0 looks at all tokens evenly and carries +1 for alpha, -1 for beta; L1.N5 and L1.N6 read the sign.
    """
    made, twins = begun(seed), majority_twins(seed)
    for word in ("alpha", "beta"):
        made.word(word)
    made.head(0, 0, carries={"alpha": 1, "beta": -1}, into="balance", gain=9.0)
    for neuron, sign in ((5, 1), (6, -1)):
        made.neuron(1, neuron, reads={"balance": 1.5 * sign}, above=0, into="verdict", gain=0.6 * sign)
    return written(made, twins, heads=((0, 0),), neurons=((1, 5), (1, 6)))


def both_words(seed: int) -> Plant:
    """Unsafe: alpha and beta.

    L0.H0 finds alpha, L0.H3 beta; L1.N4 fires where both are, L1.N8 where one is missing.
    """
    made, twins = begun(seed), both_twins(seed)
    for head, word in ((0, "alpha"), (3, "beta")):
        made.word(word)
        made.head(0, head, looks_for={word: 1}, carries={word: 1}, into="found", gain=0.8)
    safe, unsafe = (made.before_mlp(1, "found", texts) for texts in zip(*twins, strict=True))
    middle = float(safe.mean() + unsafe.mean()) / 2
    for neuron, sign in ((4, 1), (8, -1)):
        above = 4 * sign * middle
        made.neuron(1, neuron, reads={"found": 4.0 * sign}, above=above, into="verdict", gain=0.6 * sign)
    return written(made, twins, heads=((0, 0), (0, 3)), neurons=((1, 4), (1, 8)))


COMPILED: dict[str, Callable[[int], Plant]] = {
    maker.__name__: maker for maker in (word_after_word, majority, both_words)
}
