"""Write docs/judges.md: which models can be judges, and what works of each (`make docs`); a test keeps it so.

Families are tried: a tiny random model of each is loaded as the worker loads one, which checks every part against
the model itself, and the table says what was found. The other sections come from the modules that hold these facts,
by their `documented()`: rows of cells, the first the heading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import CONFIG_MAPPING

from analyzer.checkpoints import adapter_settings
from analyzer.commands.prompted import presets
from analyzer.jobs.family import Family
from analyzer.model.anatomy import Anatomy
from analyzer.model.families import FAMILIES
from shared import checkpoint_names
from tests.making.known_families import forms, judge_of
from tests.making.sweep import MAPPINGS

HEAD = """# Judges: which models work, and what is read of each

Written by `make docs`, which tries a tiny random model of each family; don't edit it by hand. A family is the
`model_type` in a checkpoint's config.json. What holds of all: tokens, layers' norms, comparison of classes and
training progress. A family that is not here gets these; its logit lens, writes, heads, neurons and circuits come
with a description of it ([families.md](families.md)).
"""
BELOW = """
*classifier*: a head with classes on it. *answer*: a causal language model that judges by what it says next.
*nodes*: circuits are made of whole heads and MLPs: {why}.
*one node*: an MLP is a mixture of experts, read and drawn as one node; the analysis of neurons says that it cannot
be computed.

*writes*: no logit lens. Of an encoder-decoder with classes on it ({known}) the parts are the
encoder's. Its decoder reads the prompt's words itself, so what the encoder's parts carry is not all that the
verdict rests on: circuits say which share of the separation is left with every edge of the encoder cut; a circuit
has to keep that and most of the rest, and where nearly all may be left, none is claimed.

Other encoder-decoders ({two_stacks})
get what holds of all, and their layers are the encoder's; heads, neurons and circuits are not read. One that writes
its answer is refused.
"""
REGISTRIES = (
    ("Adapters over a base model", adapter_settings),
    ("Judges that answer: formats that are known", presets),
    ("Where checkpoints may lie", checkpoint_names),
)
WITH_EYES = ("gemma3", "llama4")
"""Families that are known as the text part of a model that also sees."""
COLUMNS = ("family", "judges by", "laid out as", "logit lens, writes", "heads", "neurons", "circuits")


def page() -> str:
    """The whole text."""
    sections = [("Families", _table([COLUMNS, *map(_row, sorted(FAMILIES))]) + _below())]
    sections += [(title, _table(module.documented())) for title, module in REGISTRIES]
    return HEAD + "".join(f"\n## {title}\n\n{text}" for title, text in sections)


def _row(name: str) -> list[str]:
    tried = forms((name,))
    found = [judge_of(form).anatomy for form in tried]
    wired = [one.wiring for one in found if one.wiring is not None]
    return [
        f"`{name}`",
        " or ".join("classifier" if form.kind == "classifier" else "answer" for form in tried),
        layout(FAMILIES[name]),
        _lens_and_writes(found),
        "yes" if len(wired) == len(found) else "no",
        "yes" if wired and all(one.has_neurons for one in wired) else "one node" if wired else "no",
        "edges" if wired and all(one.has_edges for one in wired) else "nodes" if wired else "no",
    ]


def _lens_and_writes(found: Sequence[Anatomy]) -> str:
    if any(one.mlp_writes is None for one in found):
        return "no"
    return "yes" if all(one.head is not None for one in found) else "writes"


def layout(family: Family) -> str:
    """What its entry says, in words."""
    attention, mlp = family.attention, family.mlp
    norms = {
        "pre": "norms before each block",
        "post": "norms of the stream after each block",
        "sandwich": "norms before and after each block",
        "branch": "norms of what each block writes",
        "unknown": "",
    }[family.norm_position]
    fused = {"by_part": "fused projection", "by_head": "fused projection, head by head"}
    parts = [
        norms,
        "blocks side by side" if family.parallel else "",
        fused[attention.fused] if attention is not None and len(attention.projections) == 1 else "",
        "a mixture of experts" if mlp is not None and mlp.out is None else "",
        "one layer at every depth" if family.shared_layers else "",
        "a factor on writes" if family.residual_multiplier else "",
        "a factor on logits" if family.logits_times or family.logits_over else "",
        "the text part of a larger model" if family.name in WITH_EYES else "",
        "an encoder whose decoder reads the words, too" if family.decoder else "",
    ]
    return ", ".join(part for part in parts if part)


def _below() -> str:
    reasons: dict[str, list[str]] = {}
    for name, family in FAMILIES.items():
        if family.no_edges:
            reasons.setdefault(family.no_edges, []).append(f"`{name}`")
    why = "; ".join(f"of {', '.join(names)}, {reason}" for reason, names in reasons.items())
    known, others = (
        ", ".join(f"`{name}`" for name in _two_stacks() if (name in FAMILIES) == ours) for ours in (True, False)
    )
    return BELOW.format(why=why, known=known, two_stacks=others)


def _two_stacks() -> list[str]:
    """Sequence classifiers of transformers that are encoder-decoders, as their configs say."""
    return [name for name in sorted(MAPPINGS["classifier"]) if CONFIG_MAPPING[name]().is_encoder_decoder]


def _table(rows: Iterable[Sequence[str]]) -> str:
    heading, *others = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(line)} |\n" for line in (heading, *others)]
    return "".join([lines[0], "|---" * len(heading) + "|\n", *lines[1:]])


if __name__ == "__main__":
    Path(__file__).with_name("judges.md").write_text(page(), encoding="utf-8")
