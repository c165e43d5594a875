"""Words about change: the finding, alarms as flags, and which neurons and edges came and went.

What changed most is said only where something changed that is not chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.circuits.words import kept, mean_of, span
from shared.figures.kit.text_layout import text_width
from shared.findings.claims import FEWEST_GROUPS, nothing_to_explain, power
from shared.findings.parts import layer_name
from shared.findings.text import counted, escape, number, shorten

if TYPE_CHECKING:
    from shared.findings.claims import ToExplain
    from shared.findings.evolution import EvolutionResult
    from shared.findings.parts import Interval

MAX_FLAGS = 4
"""Most alarms in the figure; the caption has all alerts."""
MOVED = "the separation of unsafe and safe changed by"
STILL = 0.995
"""CKA from which on a layer counts as unmoved."""
_FLAG, _NAMES = 400, 860.0
"""Characters of an alert in the figure, more than any of ours has; pixels for a line of names."""


def change_finding(result: EvolutionResult) -> str:
    """What changed since the previous checkpoint, as a sentence without its full stop; not escaped."""
    if result.previous is None:
        return "Nothing to compare with yet"
    if result.same == "judge":
        return f"The same weights as at {result.previous.label}: the same judge"
    weights = "the same weights, with another config or tokenizer" if result.same == "weights" else ""
    parts = [weights, result.verdicts.words if result.verdicts is not None else "verdicts could not be compared"]
    if not result.claimable and result.change is not None:
        parts.append(_nothing(result.change))
    return f"Since {result.previous.label}: {', '.join(part for part in parts if part)}"


def change_words(result: EvolutionResult) -> str:
    """How far unsafe and safe prompts moved apart, and what else changed most only where that is no chance.

    Not escaped; empty where nothing of it is known.
    """
    told = []
    if result.change is not None:
        nothing = nothing_to_explain(result.change, MOVED)
        told.append(f"{nothing or f'{MOVED} {interval_words(result.change.size)} nats'}; {power(result.change)}")
    if result.claimable:
        told += [_moved(result), _transferred(result)]
    return " · ".join(part for part in told if part)


def interval_words(found: Interval) -> str:
    """ "0.20 [−0.10, 0.50]" """
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def _nothing(found: ToExplain) -> str:
    """Why nothing is said of what changed most."""
    if found.groups < FEWEST_GROUPS:
        return "too few prompts to claim more"
    return "the change may be chance" if found.may_be_chance else "unsafe and safe hardly moved apart"


def _moved(result: EvolutionResult) -> str:
    """The layer that moved most."""
    if not result.cka_to_previous:
        return ""
    lowest = min(result.cka_to_previous)
    if lowest >= STILL:
        return f"no layer moved (CKA {_number(lowest)} or more)"
    place = result.cka_to_previous.index(lowest) - 1
    return f"{layer_name(place)} moved most (CKA {_number(lowest)})"


def _transferred(result: EvolutionResult) -> str:
    """Whether the circuit of the checkpoint before still works here; it was chosen on these prompts, too."""
    found = result.transfer
    if found is None:
        return ""
    random = mean_of(found.random)
    beside = "" if random is None else f", random {kept(random)}"
    if found.above_left is not None:
        beside += f", without the encoder {kept(found.kept.value - found.above_left.value)}"
    if not found.works:
        return f"the old circuit is not seen to work ({span(found.kept)}{beside})"
    return f"the old circuit keeps {span(found.kept)} of the separation, in-sample{beside}"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def against_words(result: EvolutionResult) -> str:
    """What is compared with what, and the divergence layer's path: for a subtitle; not escaped."""
    if result.previous is None or result.first is None:
        return f"{counted(result.layers, 'layer')}, {result.frozen_boundary} frozen"
    if result.same == "judge":
        return "nothing is compared with it"
    others = result.previous.label
    if result.first != result.previous:
        others += f" and {result.first.label}"
    return " · ".join([f"compared with {others}", divergence_words(result), *_alert_count(result)])


def divergence_words(result: EvolutionResult) -> str:
    """ "divergence layer 3 → 4 (epoch 1: none)"; "none" is also said where it was not compared."""
    first = ""
    if result.first is not None and result.first != result.previous:
        first = f" ({result.first.label}: {_layer(result.divergence_first)})"
    return f"divergence layer {_layer(result.divergence_previous)} → {_layer(result.divergence_layer)}{first}"


def _layer(layer: int | None) -> str:
    return "none" if layer is None else "emb" if layer < 0 else str(layer)


def _alert_count(result: EvolutionResult) -> list[str]:
    kinds = [alert.severity for alert in result.alerts]
    return [counted(kinds.count(kind), kind) for kind in ("alarm", "note") if kind in kinds]


def alert_flags(result: EvolutionResult) -> list[str]:
    """A failed check and the alarms, escaped."""
    told = [f"Frozen check failed: {result.frozen_check_detail}"] if result.frozen_check == "fail" else []
    told += [alert.sentence for alert in result.alerts if alert.severity == "alarm"]
    flags = [escape(sentence, _FLAG) for sentence in told[:MAX_FLAGS]]
    if len(told) > MAX_FLAGS:
        flags[-1] = f"and {len(told) - MAX_FLAGS + 1} more alarms, listed below the figure"
    return flags


def named_lines(result: EvolutionResult) -> list[str]:
    """Which neurons and edges came and went, one line a set, escaped; none where the change may be chance."""
    if not result.claimable:
        return []
    neurons, edges = result.neurons_to_previous, result.edges_to_previous
    sets = [
        ("Neurons established", result.neurons_established),
        ("Neurons vanished", result.neurons_vanished),
        ("Neurons born", neurons.born if neurons else []),
        ("Neurons lost", neurons.lost if neurons else []),
        (f"{edges_word(result).capitalize()} born", edges.born if edges else []),
        (f"{edges_word(result).capitalize()} lost", edges.lost if edges else []),
    ]
    return [f"<b>{title}</b>: {_cut(names)}" for title, names in sets if names]


def edges_word(result: EvolutionResult) -> str:
    """ "edges", or "nodes" where circuits are made of whole nodes: their names have no arrow."""
    changes = [change for change in (result.edges_to_previous, result.edges_to_first) if change is not None]
    names = [name for change in changes for name in (*change.born, *change.lost)]
    return "nodes" if names and not any("→" in name for name in names) else "edges"


def _cut(names: Sequence[str]) -> str:
    """As many names as fit on a line."""
    room, chosen = _NAMES - 200, []
    for name in names:
        name = shorten(name, 40)
        room -= text_width(f"{name}, ", 12)
        if room < 20:
            return ", ".join(chosen) + f" and {len(names) - len(chosen)} more"
        chosen.append(escape(name))
    return ", ".join(chosen)
