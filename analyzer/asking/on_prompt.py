"""What the analyses say of one asked prompt: its words, its way through the layers, and the heads that matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from analyzer.asking.beside_probes import ProbeSide
from analyzer.asking.texts import Texts
from analyzer.attribution.attributed_prompts import attributed_prompts
from analyzer.attribution.samples import sample
from analyzer.attribution.word_checks import Place, check_words, words_to_check
from analyzer.attribution.word_kinds import NeutralWords
from analyzer.model.batches import token_names
from analyzer.session.context import Context
from analyzer.units.attended_tokens import weights_on
from shared.errors import CannotCompute
from shared.findings.asked import Attention, HeadOnPrompt, WordChange
from shared.findings.heads import HeadsResult
from shared.findings.layers import SampleLayers
from shared.findings.tokens import SampleAttribution
from shared.prompts.digest import prompt_digest
from shared.records import Label, Probe

NODES, TWIN_NODES, GAP_BOUND, DRAWS, CHECKED = (12, 16, 32, 96), 8, 0.05, 8, 12
"""Integration and the check of words as the analysis `tokens` does them."""
MOST_WORDS = 128
"""Words that are deleted one by one, at most."""


@dataclass(frozen=True)
class OnPrompt:
    """One prompt on one judge, with its twin where it has one."""

    texts: Texts
    score: float
    beside: ProbeSide

    @property
    def verdict(self) -> Label:
        return "unsafe" if self.score > 0 else "safe"

    @cached_property
    def context(self) -> Context:
        """Of the prompt, and behind it its twin: what the analyses take for a probe set."""
        opened, prompt = self.texts.opened, self.texts.prompt
        own = self.verdict
        other: Label = "safe" if own == "unsafe" else "unsafe"  # only so that the two count as twins
        asked: list[tuple[str, Label]] = [(prompt.text, own)]
        if prompt.twin:
            asked.append((prompt.twin, other))
        return Context(
            judge=opened.judge,
            probes=[
                Probe(
                    text=text,
                    label=label,
                    response=prompt.response,
                    pair="asked",
                    id=prompt_digest(text, prompt.response),
                )
                for text, label in asked
            ],
            step=opened.job.step,
            run=opened.job.record,
            digest=opened.digest,
            batch_tokens=opened.batch_tokens,
            progress=opened.progress("words"),
        )

    def words(self, neutral: Callable[[], NeutralWords]) -> SampleAttribution:
        """The attribution of its words, the strongest of them really replaced. Raises CannotCompute."""
        judge = self.context.judge
        if why := judge.anatomy.no_gradients:
            raise CannotCompute(f"The words are not attributed: {why}.")
        (one,) = attributed_prompts(self.context, [0], NODES, GAP_BOUND, twin_nodes=TWIN_NODES)
        draws = {Place(0, word): DRAWS for word in words_to_check(one, CHECKED)}
        checks, _ = check_words(judge, [one], draws, neutral(), self.context.batch_tokens, self.context.progress)
        return sample(one, GAP_BOUND, {place.word: check for place, check in checks.items()})

    def layers(self) -> SampleLayers:
        """Norms, writes and the score read early."""
        forward, probe = self.context.forward, self.context.probes[0]
        attention, mlp = forward.attention_writes, forward.mlp_writes
        return SampleLayers(
            probe_id=probe.id,
            text=probe.text,
            label=self.verdict,
            score=float(forward.scores[0]),
            residual_norm=forward.norms[0].tolist(),
            attention_write=None if attention is None else attention[0].tolist(),
            mlp_write=None if mlp is None else mlp[0].tolist(),
            lens=None if forward.lens is None else forward.lens[0].tolist(),
        )

    def deleted(self, strongest: SampleAttribution | None) -> list[WordChange]:
        """Each word deleted for itself; of very many the first, or the strongest where they are known."""
        texts, places = self.texts, self.texts.places
        if len(places) > MOST_WORDS:
            if strongest is not None and len(strongest.words) == len(texts.spans):
                places = sorted(places, key=lambda place: -abs(strongest.words[place].value))
            places = sorted(places[:MOST_WORDS])
        without = {place: text for place in places if (text := texts.without(place)).strip()}
        if not without:
            return []
        scores = texts.scores([*without.values()], "words deleted")
        spans = texts.spans
        return [
            WordChange(start=spans[p].start, end=spans[p].end, old=spans[p].text, new="", score=float(value))
            for p, value in zip(without, scores, strict=True)
        ]

    def edits(self) -> list[WordChange]:
        """What was asked to be changed, each for itself. Raises CannotCompute where nothing would be left."""
        prompt, texts = self.texts.prompt, self.texts
        changed = [prompt.text[: edit.start] + edit.word + prompt.text[edit.end :] for edit in prompt.edits]
        if not all(text.strip() for text in changed):
            raise CannotCompute("An edit leaves nothing of the prompt; leave a word in it.")
        scores = texts.scores([texts.read(text) for text in changed], "edits") if changed else []
        return [
            WordChange(
                start=edit.start,
                end=edit.end,
                old=prompt.text[edit.start : edit.end],
                new=edit.word,
                score=float(value),
            )
            for edit, value in zip(prompt.edits, scores, strict=True)
        ]

    def attention(self, heads: HeadsResult | None) -> Attention:
        """The heads that the analysis `heads` names, token by token. Raises CannotCompute."""
        if heads is None:
            raise CannotCompute(
                "Which heads matter is not known at this checkpoint: analyse it with --suite advanced, then ask "
                "again."
            )
        if not heads.top:
            raise CannotCompute("No head of this checkpoint is known to matter, so none is shown.")
        judge, encoded = self.context.judge, self.texts.encoded
        chosen = [(row.layer, row.head) for row in heads.top]
        weights = weights_on(judge, encoded, chosen)
        if weights is None:
            raise CannotCompute(f"This {judge.anatomy.family} gives no attention weights.")
        names = token_names(judge.tokenizer, encoded.ids)
        spelled = [encoded.text[start:end].strip() for start, end in encoded.offsets]
        read = {"cls": 0, "last_token": len(encoded.ids) - 1}.get(judge.anatomy.pooling)
        return Attention(
            tokens=[
                name if special or not own else own
                for name, own, special in zip(names, spelled, encoded.special, strict=True)
            ],
            heads=[
                HeadOnPrompt(
                    layer=row.layer,
                    head=row.head,
                    effect=row.effect.value,
                    read=None if read is None else weights[row.layer, row.head][read].tolist(),
                    received=weights[row.layer, row.head].mean(0).tolist(),
                )
                for row in heads.top
            ],
        )
