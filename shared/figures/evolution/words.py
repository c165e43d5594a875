"""Words about change: the finding, the alerts as flags, and which neurons and edges came and went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.figures.circuits.words import kept, mean_of, span
from shared.figures.kit.text_layout import text_width
from shared.findings.parts import layer_name
from shared.findings.text import escape, shorten

if TYPE_CHECKING:
    from shared.findings.evolution import EvolutionResult

MAX_FLAGS = 4
"""Most alerts in the figure; the caption has all."""
STILL = 0.995
"""CKA from which on a layer counts as unmoved."""
_FLAG, _NAMES = 92, 860.0
"""Characters of an alert in the figure; pixels for a line of names."""


def change_finding(result: EvolutionResult) -> str:
    """What changed most since the previous checkpoint, as a sentence without its full stop; not escaped."""
    if result.previous is None:
        return "Nothing to compare with yet"
    parts = [part for part in (_moved(result), _transferred(result)) if part]
    if len(parts) < 2 and result.drift_to_previous is not None:
        parts.append(f"attributions correlate at {_number(result.drift_to_previous.value)}")
    return f"Since {result.previous.label}: {', '.join(parts) or 'nothing could be compared'}"


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
    """Whether the circuit of the checkpoint before still works here."""
    found = result.transfer
    if found is None:
        return ""
    random = mean_of(found.random)
    beside = "" if random is None else f", random {kept(random)}"
    if not found.works:
        return f"the old circuit is not seen to work ({span(found.kept)}{beside})"
    return f"the old circuit keeps {span(found.kept)} of the separation{beside}"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def against_words(result: EvolutionResult) -> str:
    """What is compared with what, and the divergence layer's path: for a subtitle; not escaped."""
    if result.previous is None or result.first is None:
        return f"{result.layers} layers, {result.frozen_boundary} frozen"
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
    count = len(result.alerts)
    return [f"{count} {'alert' if count == 1 else 'alerts'}"] if count else []


def alert_flags(result: EvolutionResult) -> list[str]:
    """The alerts' sentences, escaped, each on one line."""
    flags = [escape(alert.sentence, _FLAG) for alert in result.alerts[:MAX_FLAGS]]
    if len(result.alerts) > MAX_FLAGS:
        flags[-1] = f"and {len(result.alerts) - MAX_FLAGS + 1} more alerts, listed below the figure"
    return flags


def named_lines(result: EvolutionResult) -> list[str]:
    """Which neurons and edges came and went, one line a set, escaped; empty sets have none."""
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
    room, chosen = _NAMES - 150, []
    for name in names:
        name = shorten(name, 40)
        room -= text_width(f"{name}, ", 12)
        if room < 20:
            return ", ".join(chosen) + ", …"
        chosen.append(escape(name))
    return ", ".join(chosen)
