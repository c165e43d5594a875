"""A loaded judge: model, tokenizer, how its verdict is read, and what is known of its insides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from analyzer.jobs.family import Family
from analyzer.model.adapter import place_of
from analyzer.model.anatomy import Anatomy
from analyzer.model.batches import CALL, CALL_OF_A_GPU, Encoded, encode, packed
from shared.errors import CannotCompute
from shared.judge_labels import side_names
from shared.records import JudgeRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from analyzer.model.kept_base import KeptBase
    from analyzer.model.wiring import Wiring


PLAIN = "{prompt}"
"""The template of a prompted judge that was given none."""


@dataclass(frozen=True)
class Judge:
    """A model that scores prompts, frozen and in eval mode."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    record: JudgeRecord
    anatomy: Anatomy
    device: str
    dtype: str
    """"float32", or on a GPU what the checkpoint was saved in."""
    max_length: int
    """Tokens a prompt is cut to: the run's limit, or the model's positions where these are fewer."""
    layout: dict[str, tuple[str, ...]]
    """What the checkpoint's files hold: tensor name -> dtype and shape. Empty for an adapter."""
    identity: str
    """Digest of kind, classes, config, tokenizer, device and `given`: a warm judge takes over only weights of the
    same one."""
    held: dict[str, str] = field(default_factory=dict)
    """Tensor name -> digest of the bytes that the model holds of it, where they are known. A warm load takes a name
    out before it writes, and puts it back when all is written and checked: what stands here can be trusted."""
    given: Family | None = None
    """What the user says of its family; None leaves it to ours."""
    base: KeptBase | None = None
    """Of an adapter: its base model, which it is merged into."""
    quantised: str = ""
    """How its weights were quantised before they were made whole; empty for plain ones."""
    warnings: tuple[str, ...] = ()
    """What every result on this judge should say."""
    apart: bool = False
    """Whether padding changes its scores, so that only prompts of one length run together."""

    @property
    def adapter(self) -> bool:
        """Whether the checkpoint is an adapter, merged into its base here."""
        return self.base is not None

    @property
    def answers(self) -> tuple[int, ...] | None:
        """Token ids of a prompted judge's answers, the safe ones first, each once; None for a classifier."""
        return answers_of(self.record)

    @property
    def columns(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Columns of the safe and of the unsafe logits among those that are read; a side may have none."""
        safe, unsafe = _once(self.record.safe), _once(self.record.unsafe)
        if self.answers is None:
            return safe, unsafe
        return tuple(range(len(safe))), tuple(range(len(safe), len(safe) + len(unsafe)))

    def batches(self, prompts: Sequence[Encoded], batch_tokens: int) -> Iterator[list[int]]:
        """Indices of the prompts in batches under a token budget, the longest first (`batches.packed`)."""
        return packed([len(prompt.ids) for prompt in prompts], batch_tokens, self.alike(prompts), self.call)

    @property
    def call(self) -> int:
        """What a call of this judge costs by itself, in tokens (`batches.split`)."""
        return CALL if self.device == "cpu" else CALL_OF_A_GPU

    def alike(self, prompts: Sequence[Encoded]) -> list[tuple[int, int]] | None:
        """What must be equal of prompts that run in one batch; None where nothing must.

        (tokens, ends): the length where padding counts, and of an encoder-decoder how often the end-of-text token
        is there, as transformers reads its verdict at the last of them and wants as many in each row.
        """
        end = self.anatomy.read_at
        if not self.apart and end is None:
            return None
        return [
            (len(prompt.ids) if self.apart else 0, prompt.ids.count(end) if end is not None else 0)
            for prompt in prompts
        ]

    @property
    def template(self) -> str | None:
        """A prompted judge's text around `{prompt}`."""
        return (self.record.template or PLAIN) if self.answers is not None else None

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Prompts as the judge reads them; raises JudgeError as `analyzer.model.batches.encode` does.

        Of a judge of conversations, texts are prompt and response joined (`shared.prompts.conversation`).
        """
        return encode(
            self.tokenizer,
            texts,
            self.max_length,
            self.template,
            special_tokens=self.record.special_tokens,
            opening=self.record.opening_ids,
        )

    def place_of(self, name: str) -> int | Literal["embeddings", "head"]:
        """Where a tensor of the checkpoint acts in the model: layer index, "embeddings" or "head"."""
        if not self.adapter:
            return self.anatomy.place_of(name)
        tied = bool(getattr(self.model.config.get_text_config(), "tie_word_embeddings", False))
        return place_of(name, self.anatomy, tied)


def answers_of(record: JudgeRecord) -> tuple[int, ...] | None:
    """Token ids of a prompted judge's answers, the safe ones first, each once; None for a classifier."""
    return None if record.kind == "classifier" else (*_once(record.safe), *_once(record.unsafe))


def _once(ids: tuple[int, ...]) -> tuple[int, ...]:
    """Each id once: two spellings that are the same token are one answer, not two."""
    return tuple(dict.fromkeys(ids))


def judge_facts(judge: Judge) -> dict[str, Any]:
    """What a result says about the judge it was computed on."""
    config = judge.model.config.get_text_config()
    return {
        "family": judge.anatomy.family,
        "kind": judge.record.kind,
        "layers": judge.anatomy.depth or int(getattr(config, "num_hidden_layers", 0)),
        "hidden_size": int(getattr(config, "hidden_size", 0)),
        "norm_position": judge.anatomy.norm_position,
        "pooling": judge.anatomy.pooling,
        "labels": side_names(judge.record, _names(judge)),
        "parameters": sum(parameter.numel() for parameter in judge.model.parameters()),
        "max_length": judge.max_length,
    }


def _names(judge: Judge) -> dict[int, str]:
    """What its classes are called by index, or its answers by token."""
    if judge.answers is None:
        return {int(index): str(name) for index, name in (judge.model.config.id2label or {}).items()}
    return {token: str(judge.tokenizer.convert_ids_to_tokens(token)) for token in judge.answers}


def known_wiring(judge: Judge) -> Wiring:
    """The judge's wiring. Raises CannotCompute where heads and neurons are not known."""
    if judge.anatomy.wiring is None:
        reason = " ".join(judge.anatomy.notes)
        raise CannotCompute(
            f"Heads and neurons of the model family {judge.anatomy.family!r} are not known: {reason}"
        )
    return judge.anatomy.wiring


def known_neurons(judge: Judge) -> Wiring:
    """The judge's wiring. Raises CannotCompute where its MLPs are not read neuron by neuron."""
    wiring = known_wiring(judge)
    if not wiring.has_neurons:
        raise CannotCompute(
            f"In {judge.anatomy.family!r} no one linear map reads all neurons of an MLP (a mixture of experts), so "
            "single neurons are not read; circuits have each MLP as one node."
        )
    return wiring
