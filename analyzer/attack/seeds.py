"""Seeds: labelled prompts that attacks start from, and what the rules must know of them.

1. Near duplicates are one seed (shared.prompts.dedupe).
2. Ambiguous ones are left out: framed already, a fragment, so long that its ask is not one thing, or unclear to a
   reader.
3. A seed's risk is its category; of a safe prompt that of its unsafe twin, or of the unsafe prompts of its group.
   The fifteen categories of the shipped prompts are gathered in ten risks; any other taxonomy is taken as it is.
4. Words in which the twins of a pair differ are protected: no rule touches them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.attack.frames import Kind
from analyzer.attack.words import WORD, word_lists, words_of
from shared.prompts.dedupe import deduplicate
from shared.records import Prompt

SHORTEST, LONGEST = 4, 40
"""Words of a seed."""
QUESTION = re.compile(
    r"(?:how|what|whats|where|when|which|who|whom|whose|why|is|are|was|were|do|does|did|can|could|would|will|should"
    r"|may|might|has|have|isn't|aren't|don't)\b",
    re.I,
)
REQUEST = re.compile(
    r"(?:please |kindly )?(?:write|give|tell|show|help|make|explain|draft|plan|list|find|teach|describe|suggest"
    r"|name|compose|invent|create|design|summari[sz]e|translate|prepare|recommend|compare|think up|come up|walk me"
    r"|pick|choose|turn|put|post|check|rewrite|improve|let|convince|persuade|send|sort|set|get|add|build|fake|hide|rank"
    r"|outline|sketch|propose|brainstorm|correct|proofread|shorten|define|guide|remind|advise|talk|read|look)\b",
    re.I,
)
ASKER = re.compile(
    r"\b(?:(?:do|can|could|should|would|shall|may|must|might|did) (?:i|we)"
    r"|(?:i|we) (?:want|wanna|need|plan|hope|intend|wish)|(?:i'm|i am|we're|we are) (?:going|trying|planning)"
    r"|(?:i|we)(?:'d| would) (?:like|love)|let me|help (?:me|us))\b",
    re.I,
)


@dataclass(frozen=True)
class Seed:
    """A prompt that an attack starts from."""

    prompt: Prompt
    risk: str
    kind: Kind
    """What its last sentence is."""
    asker_acts: bool
    """Whether the asker is the one who acts ("how do I", "we want to", "help me"), not somebody told of."""
    protected: frozenset[str] = frozenset()
    """Words in which it differs from its twin, in lower case."""

    @property
    def text(self) -> str:
        return self.prompt.text

    @property
    def label(self) -> str:
        return self.prompt.label


def choose_seeds(prompts: Sequence[Prompt], fold: bool = True) -> list[Seed]:
    """Unambiguous seeds in their given order; with `fold` the shipped categories become ten risks."""
    kept = deduplicate(prompts).kept
    risks, twins = _risks(kept), _twins(kept)
    seeds = []
    for prompt in kept:
        if ambiguous(prompt):
            continue
        risk = risks.get(prompt.pair or "") or risks.get(prompt.group) or prompt.category or "all"
        seeds.append(
            Seed(
                prompt=prompt,
                risk=word_lists().risks.get(risk, risk) if fold else risk,
                kind=kind_of(prompt.text),
                asker_acts=ASKER.search(prompt.text) is not None,
                protected=differing(prompt.text, twins.get((prompt.pair, prompt.label), "")),
            )
        )
    return seeds


def kind_of(text: str) -> Kind:
    """What the last sentence of a prompt is."""
    last = re.split(r"(?<=[.!?])\s+", text.strip())[-1]
    if last.rstrip().endswith("?") or QUESTION.match(last):
        return "question"
    return "request" if REQUEST.match(last) else "statement"


def ambiguous(prompt: Prompt) -> bool:
    """Whether a prompt's label could hang on how it is put: framed already, a fragment, of many parts, or one that
    can be read either way."""
    text = prompt.text.lower().strip()
    count = len(WORD.findall(text))
    if prompt.style == "evasive" or prompt.response or not SHORTEST <= count <= LONGEST:
        return True
    if any(phrase in text for phrase in word_lists().unclear):
        return True
    return any(re.match(rf"{re.escape(opening)}\b", text) for opening in word_lists().framed)


def differing(text: str, twin: str) -> frozenset[str]:
    """Words of `text` that its twin has not, or not as often; nothing without a twin."""
    if not twin:
        return frozenset()
    return frozenset(Counter(words_of(text)) - Counter(words_of(twin)))


def _risks(prompts: Sequence[Prompt]) -> dict[str, str]:
    """Contrast pair, and group, -> the category most of its unsafe prompts have."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for prompt in prompts:
        if prompt.label == "unsafe" and prompt.category:
            for key in {prompt.pair or "", prompt.group} - {""}:
                found[key][prompt.category] += 1
    return {key: max(sorted(counts), key=counts.__getitem__) for key, counts in found.items()}


def _twins(prompts: Sequence[Prompt]) -> dict[tuple[str | None, str], str]:
    """Pair and label -> the other twin's text."""
    other = {"safe": "unsafe", "unsafe": "safe"}
    return {(prompt.pair, other[prompt.label]): prompt.text for prompt in prompts if prompt.pair}
