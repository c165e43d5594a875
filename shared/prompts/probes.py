"""The probe set: choosing it, writing it, and reading it back with everything that may be wrong with it.

How it is chosen:
1. Contrast pairs with one safe and one unsafe twin, up to half of each class, spread over categories.
2. The rest spread over categories and styles in turn, small groups first: every group that a probe comes from is
   lost for training, so a lone prompt costs least.
3. Two safe and two unsafe display samples, short enough to read; one of each from the same pair where one exists.
4. Further contrast pairs that training does not see lie in the same file, marked: circuits, whose edges are chosen
   on some pairs and tested on others, need many more than the other analyses, which never look at these.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import UsageError
from shared.files import write_bytes_atomic
from shared.prompts.digest import MAX_PROMPT_CHARS, digest_of, probe_set_digest, prompt_digest
from shared.prompts.display import DISPLAY_PER_CLASS, LABELS, display_samples, with_display
from shared.prompts.groups import components, drawn, held_out
from shared.prompts.labels import read_label
from shared.prompts.load import clean, edition_of
from shared.prompts.rows import Row, read_rows
from shared.records import Label, Probe, Prompt

MAX_PROBES_MIB = 64
MAX_PROBES_BYTES = MAX_PROBES_MIB * 2**20
"""Largest probe set that is read: it lies in a run, which may be anybody's."""

PER_CLASS = 64
PAIRS = 192
"""Contrast pairs that the file holds, at most, those of the probe set among them. Circuits use up to 128 that align
token by token, and which do depends on the judge's tokenizer: three in four of the shipped ones."""


class ProbeSet(NamedTuple):
    """Probes, and what should be known about them."""

    probes: list[Probe]
    warnings: list[str]
    pairs: Sequence[Probe] = ()
    """Further contrast pairs, twins next to each other."""

    @property
    def everything(self) -> list[Probe]:
        return [*self.probes, *self.pairs]

    @property
    def digest(self) -> str:
        """Of everything that can change a result."""
        return probe_set_digest(self.everything)


def choose_probes(
    prompts: Sequence[Prompt], per_class: int = PER_CLASS, seed: int = 0, max_share: float = 0.25
) -> list[Probe]:
    """Up to `per_class` safe and as many unsafe probes, the display samples first (safe, safe, unsafe, unsafe).

    At most `max_share` of each class is taken, so that a small data set keeps something to train on (1.0 where
    nothing is trained). The outcome depends on seed and prompts, not on their order. Train on
    `groups.held_out(prompts, probes)` only. Raises UsageError when a class has fewer than two prompts to give.
    """
    prompts = _one_of_each(prompts)
    sizes = Counter(prompt.label for prompt in prompts)
    wanted: dict[Label, int] = {label: min(per_class, int(max_share * sizes[label])) for label in LABELS}
    for label in LABELS:
        if wanted[label] < DISPLAY_PER_CLASS:
            raise UsageError(
                f"{sizes[label]} {label} prompts are too few to choose probes from; give at least "
                f"{max(DISPLAY_PER_CLASS, round(DISPLAY_PER_CLASS / max_share))} of each class."
            )
    pairs = _pairs(prompts, min(wanted.values()) // 2, seed)
    chosen = [*chain.from_iterable(pairs), *_singles(prompts, pairs, wanted, seed)]
    return with_display([_probe(prompt) for prompt in chosen], seed)


def further_pairs(unseen: Sequence[Prompt], probes: Sequence[Probe], seed: int = 0) -> list[Probe]:
    """Contrast pairs of `unseen` prompts that the probe set does not hold, up to `PAIRS` with those that it does.

    As (safe, unsafe) next to each other, categories in turn, twins of equal word count first.
    """
    held = Counter(probe.pair for probe in probes if probe.pair)
    left = [prompt for prompt in _one_of_each(held_out(unseen, probes)) if prompt.pair not in held]
    pairs = _pairs(left, max(0, PAIRS - sum(count == 2 for count in held.values())), seed)
    return [_probe(prompt).model_copy(update={"further": True}) for pair in pairs for prompt in pair]


def write_probes(path: Path, probes: Iterable[Probe]) -> None:
    """Replace probes.jsonl in one step."""
    lines = [json.dumps(probe.model_dump(mode="json"), ensure_ascii=False) for probe in probes]
    write_bytes_atomic(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))


def read_probes(path: Path, seed: int = 0) -> ProbeSet:
    """Read probes.jsonl, in its order but for the display samples, which come first.

    Needs `text` (or `prompt`) and `label` in each line; ids are computed anew. Duplicates are dropped and long
    prompts cut, each with a warning; where the file does not mark two display samples of each class, they are
    chosen. Raises FileNotFoundError, or UsageError with the line number for an empty prompt, a bad label, one
    prompt with two labels, and for a set without two prompts of each class.
    """
    size = path.stat().st_size
    if size > MAX_PROBES_BYTES:
        raise UsageError(f"{path} has {size / 2**20:,.0f} MiB; a probe set of up to {MAX_PROBES_MIB} MiB is read.")
    warnings: list[str] = []
    lines: dict[str, int] = {}
    probes: dict[str, Probe] = {}
    for row in read_rows(path):
        probe = _read(row, path, warnings)
        earlier = probes.get(probe.id)
        if earlier is None:
            probes[probe.id], lines[probe.id] = probe, row.number
        elif earlier.label != probe.label:
            raise UsageError(
                f"{path.name} lines {lines[probe.id]} and {row.number} give one prompt two labels; remove one."
            )
        else:
            warnings.append(f"Line {row.number} of {path.name} repeats line {lines[probe.id]}; it is left out.")
    found = [probe for probe in probes.values() if not probe.further]
    _check_classes(found, path)
    warnings += _no_twins(probes.values(), path)
    pairs = [probe for probe in probes.values() if probe.further]
    return ProbeSet(_keep_or_choose_display(found, path, seed, warnings), warnings, pairs)


def _read(row: Row, path: Path, warnings: list[str]) -> Probe:
    where = f"{path.name} line {row.number}"
    text = row.values.get("text", row.values.get("prompt"))
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f'{where} has no prompt; write it as "text", or remove the line.')
    label = read_label(row.values.get("label"))
    if label is None:
        raise UsageError(f'{where} has the label {row.values.get("label")!r}; write "safe" or "unsafe".')
    if len(text) > MAX_PROMPT_CHARS:
        warnings.append(f"{where} has {len(text):,} characters; the first {MAX_PROMPT_CHARS:,} are read.")
    word = {
        name: _word(row.values.get(name)) for name in ("category", "language", "style", "source", "group", "origin")
    }
    text, response = clean(text), _word(row.values.get("response"))
    return Probe(
        id=prompt_digest(text, response),
        text=text,
        response=response,
        label=label,
        pair=_word(row.values.get("pair")) or None,
        display=row.values.get("display") is True and row.values.get("further") is not True,
        further=row.values.get("further") is True,
        edition=edition_of(row.values.get("edition")),
        **word,
    )


def _word(value: Any) -> str:
    return clean(str(value)) if isinstance(value, str | int) else ""


def _check_classes(probes: list[Probe], path: Path) -> None:
    sizes = Counter(probe.label for probe in probes)
    for label in LABELS:
        if sizes[label] < DISPLAY_PER_CLASS:
            raise UsageError(
                f"The probe set {path} has {sizes[label]} {label} prompts; it needs at least {DISPLAY_PER_CLASS} "
                "safe and as many unsafe ones."
            )


def _no_twins(probes: Iterable[Probe], path: Path) -> list[str]:
    """A warning where prompts share a pair and are not one safe and one unsafe prompt."""
    members: dict[str, list[Label]] = defaultdict(list)
    for probe in probes:
        if probe.pair:
            members[probe.pair].append(probe.label)
    wrong = sum(len(labels) > 1 and sorted(labels) != list(LABELS) for labels in members.values())
    if not wrong:
        return []
    are = "pair is" if wrong == 1 else "pairs are"
    return [f"{wrong} {are} not one safe and one unsafe prompt each in {path.name}, so no contrast twins."]


def _keep_or_choose_display(probes: list[Probe], path: Path, seed: int, warnings: list[str]) -> list[Probe]:
    marked = Counter(probe.label for probe in probes if probe.display)
    if all(marked[label] == DISPLAY_PER_CLASS for label in LABELS):
        return [*display_samples(probes), *(probe for probe in probes if not probe.display)]
    if marked:
        warnings.append(
            f"{path.name} marks {marked['safe']} safe and {marked['unsafe']} unsafe display samples instead of "
            f"{DISPLAY_PER_CLASS} each; they were chosen anew."
        )
    return with_display([probe.model_copy(update={"display": False}) for probe in probes], seed)


def _one_of_each(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Without repeated texts, and without texts that have two labels."""
    labels: dict[str, set[Label]] = defaultdict(set)
    first: dict[str, Prompt] = {}
    for prompt in prompts:
        digest = digest_of(prompt)
        labels[digest].add(prompt.label)
        first.setdefault(digest, prompt)
    return [prompt for digest, prompt in first.items() if len(labels[digest]) == 1]


def _pairs(prompts: Sequence[Prompt], count: int, seed: int) -> list[tuple[Prompt, Prompt]]:
    """`count` contrast pairs as (safe, unsafe), categories in turn; twins of equal word count first."""
    twins: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        if prompt.pair:
            twins[prompt.pair].append(prompt)
    whole = [
        (members[0], members[1])
        for members in (sorted(both, key=lambda prompt: LABELS.index(prompt.label)) for both in twins.values())
        if [member.label for member in members] == list(LABELS)
    ]
    whole.sort(key=lambda pair: (_word_gap(*pair), drawn(seed, pair[0].text)))
    return _in_turn(whole, [pair[1].category for pair in whole])[:count]


def _word_gap(safe: Prompt, unsafe: Prompt) -> int:
    """Difference of the twins' lengths in words: equal length makes one the other's baseline."""
    return abs(len(safe.text.split()) - len(unsafe.text.split()))


def _singles(
    prompts: Sequence[Prompt], pairs: list[tuple[Prompt, Prompt]], wanted: dict[Label, int], seed: int
) -> list[Prompt]:
    """What is missing of each class beside the pairs, categories and styles in turn, small groups first."""
    taken = {digest_of(prompt) for prompt in chain.from_iterable(pairs)}
    group_size = {i: len(c) for c in components(prompts) for i in c}
    order = sorted(range(len(prompts)), key=lambda i: (group_size[i], drawn(seed, prompts[i].text)))
    free = [prompts[i] for i in order if digest_of(prompts[i]) not in taken]
    found: list[Prompt] = []
    for label in LABELS:
        # half of a pair is worth less than a prompt of its own, and its twin would be lost for training
        mine = [[p for p in free if p.label == label and bool(p.pair) == paired] for paired in (False, True)]
        spread = [_in_turn(prompts, [(p.category, p.style) for p in prompts]) for prompts in mine]
        found += [*chain.from_iterable(spread)][: wanted[label] - len(pairs)]
    return found


def _in_turn(items: list[Any], keys: list[Any]) -> list[Any]:
    """Items reordered so that the keys take turns, each key's items in their order."""
    queues: dict[Any, list[Any]] = defaultdict(list)
    for item, key in zip(items, keys, strict=True):
        queues[key].append(item)
    rounds = zip_longest(*queues.values())
    return [item for items in rounds for item in items if item is not None]


def _probe(prompt: Prompt) -> Probe:
    return Probe(**prompt.model_dump(), id=digest_of(prompt))
