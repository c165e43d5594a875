"""What inside the judge tells one prompt from its twin: heads and neurons that take the twin's value, each alone.

1. Every head of a judge of up to `MOST_HEADS` is really given the value it has for the twin (activation patching,
   Vig et al. 2020), token by token, and the prompt scored; of larger judges those that gradients call strongest.
2. Of the neurons the strongest by gradient, plain and integrated, on these two prompts; each is really given its
   twin's value, and so are as many random ones of the same layers.
3. What each neuron reads in both, as the analysis `neurons` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.asking.on_prompt import OnPrompt
from analyzer.model.batches import fits
from analyzer.model.judge import known_wiring
from analyzer.patching.ablation import Ablation, patched_scores
from analyzer.patching.gradient_pass import GradientPass, UnitEffects, gradient_pass
from analyzer.patching.references import References
from analyzer.session.context import Context
from analyzer.units.effects import Unit, random_others, strongest_units
from shared.errors import CannotCompute
from shared.findings.inside import InsidePair, UnitOnPair

NAMED = 8
"""Units of a kind that are named."""
MOST_HEADS = 1024
"""Heads that are tried one by one."""
STEPS = 5
"""Of the integrated gradient, as the analyses of units take them."""
PAIR = References(
    kind="twin",
    indices=np.array([0, 1]),
    twins=np.array([1, 0]),
    sign=np.ones(2),
    groups=np.zeros(2, dtype=int),
)
"""The prompt and its twin; effects are on the score as it is, not class-signed."""


def inside(on: OnPrompt, seed: int) -> InsidePair:
    """Of a prompt with a twin that aligns token by token. Raises CannotCompute."""
    if not on.texts.prompt.twin:
        raise CannotCompute("What is inside is told beside a twin: give one with --twin.")
    context = on.context
    wiring = known_wiring(context.judge)
    one, other = context.encoded
    if not fits(one, other):
        raise CannotCompute(
            f"The prompt and its twin do not align token by token ({len(one.ids)} and {len(other.ids)} tokens), so "
            "no head or neuron can take the twin's value."
        )
    found = None if context.judge.anatomy.no_gradients else _gradients(context)
    shape = (len(wiring.layers), wiring.heads)
    tried = _heads(shape, found)
    effects = _patched(context, tried, "heads")
    order = np.argsort(-np.abs(effects), kind="stable")
    neurons, random = _neurons(context, found, seed) if found is not None and wiring.has_neurons else ([], [])
    left = np.abs(effects[order[NAMED:]])
    return InsidePair(
        score=float(context.forward.scores[0]),
        twin_score=float(context.forward.scores[1]),
        heads=[
            UnitOnPair(kind="head", layer=tried[at][0], unit=tried[at][1], effect=float(effects[at]))
            for at in order[:NAMED]
        ],
        heads_tried=len(tried),
        heads_of=shape[0] * shape[1],
        other_heads=float(np.median(left)) if len(left) else None,
        neurons=neurons,
        random_neurons=random,
    )


def _gradients(context: Context) -> GradientPass:
    return gradient_pass(context, STEPS, 2, references=PAIR, by_prompt=True)


def _heads(shape: tuple[int, int], found: GradientPass | None) -> list[Unit]:
    """All heads, or of very many those that gradients call strongest."""
    every = [(layer, head) for layer in range(shape[0]) for head in range(shape[1])]
    if len(every) <= MOST_HEADS:
        return every
    if found is None:
        raise CannotCompute(f"{len(every):,} heads are too many to try one by one without gradients.")
    return strongest_units(_strength(found.heads), MOST_HEADS, least=None)


def _strength(effects: UnitEffects) -> np.ndarray:
    """(layers, units) how much the prompt's score depends on a unit, by either gradient."""
    assert effects.by_prompt is not None  # noqa: S101 (asked for)
    return np.abs(effects.by_prompt[:, 0]).max(0)


def _patched(context: Context, units: Sequence[Unit], kind: str) -> np.ndarray:
    """(units,) what the prompt's score gains with each alone at its twin's value, nats."""
    ablations = [Ablation(**{kind: {layer: [unit]}}) for layer, unit in units]
    scores = patched_scores(context.judge, context.encoded, ablations, context.batch_tokens, context.progress)
    return scores[:, 0] - float(context.forward.scores[0])


def _neurons(context: Context, found: GradientPass, seed: int) -> tuple[list[UnitOnPair], list[float]]:
    """The strongest, and what random ones do."""
    strength = _strength(found.neurons)
    named = strongest_units(strength, NAMED)
    if not named:
        return [], []
    random = random_others(named, strength.shape, NAMED, seed)
    effects = _patched(context, [*named, *random], "neurons")
    readings = context.readings.values  # (layers, 2, neurons)
    order = np.argsort(-np.abs(effects[: len(named)]), kind="stable")
    told = [
        UnitOnPair(
            kind="neuron",
            layer=layer,
            unit=neuron,
            effect=float(effects[at]),
            reading=float(readings[layer, 0, neuron]),
            twin_reading=float(readings[layer, 1, neuron]),
        )
        for at in order
        for layer, neuron in [named[at]]
    ]
    return told, np.abs(effects[len(named) :]).tolist()
