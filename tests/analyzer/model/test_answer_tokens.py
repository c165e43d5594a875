"""The tokens of answers behind a template, against a plain split of the whole text; conversations in a template."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from analyzer.attribution.words import words
from analyzer.model.answer_tokens import behind, filled, find_answers, split_by
from analyzer.model.batches import encode
from shared.errors import JudgeError, UsageError
from shared.prompts.conversation import BETWEEN, joined
from tests.making.guards import bpe_tokenizer
from tests.making.tiny import tiny_tokenizer

GROWN = [
    "Answer: Yes", "Answer: No", "yes", "YES", "No", "NO", "\n\nsafe", "\n\nunsafe\nS1", "S10", "\n\n\n\n",
    "Safety: Safe", "Safety: Unsafe", "hello world", "unable",
]  # fmt: skip


def byte_level() -> PreTrainedTokenizerBase:
    return bpe_tokenizer([text for text in GROWN for _ in range(3)])


def line_breaks_merge() -> PreTrainedTokenizerBase:
    """Line breaks in a row are one token, as in Llama 3 and Qwen."""
    raw = byte_level().backend_tokenizer  # type: ignore[attr-defined]
    runs = pre_tokenizers.Split(Regex(r"\s*[\r\n]+| ?\w+|[^\s\w]+|\s+"), "isolated")
    byte_pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.pre_tokenizer = pre_tokenizers.Sequence([runs, byte_pieces])
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>")  # noqa: S106


def metaspace() -> PreTrainedTokenizerBase:
    """Pieces with their space, as sentencepiece has them."""
    pieces = ["<unk>", "▁Answer", ":", "▁Yes", "Yes", "▁No", "No", "▁", "▁hello", "hello", "▁yes"]
    raw = Tokenizer(models.Unigram([(piece, -float(i + 1)) for i, piece in enumerate(pieces)], unk_id=0))
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    raw.decoder = decoders.Metaspace(prepend_scheme="first")
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", pad_token="<unk>")  # noqa: S106


def ids(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [byte_level, metaspace])
@pytest.mark.parametrize("template", ["{prompt} Answer:", "{prompt} Answer: "])
def test_a_space_at_the_border_is_the_answers(make, template: str) -> None:
    tokenizer = make()
    answers = (" Yes", " No") if template.endswith(":") else ("Yes", "No")
    found = find_answers(split_by(tokenizer), template, {answers[0]: "unsafe", answers[1]: "safe"})
    assert found.template == "{prompt} Answer:"
    whole = ids(tokenizer, "hello Answer: Yes")
    assert whole[-1] == found.tokens["unsafe"][0]
    assert ids(tokenizer, filled(found.template)) == whole[:-1]
    assert found.dropped == ("" if template.endswith(":") else " ")
    assert set(ids(tokenizer, "hello Answer:Yes")[-1:]) <= set(found.tokens["unsafe"]), "another spelling"


def test_what_answers_share_goes_to_the_template() -> None:
    tokenizer = byte_level()
    found = find_answers(split_by(tokenizer), "{prompt}?", {"Safety: Unsafe": "unsafe", "Safety: Safe": "safe"})
    assert found.template == "{prompt}?Safety:" and found.moved == "Safety:" and not found.opening
    assert {text for text, side in found.answers.items() if side == "safe"} >= {" Safe", "Safe"}
    assert not set(found.tokens["safe"]) & set(found.tokens["unsafe"])
    exact = find_answers(
        split_by(tokenizer), "{prompt}?", {"Safety: Unsafe": "unsafe", "Safety: Safe": "safe"}, spellings=False
    )
    assert exact.answers == {" Unsafe": "unsafe", " Safe": "safe"}
    assert [len(side) for side in exact.tokens.values()] == [1, 1]


def test_line_breaks_that_no_text_is_split_into_are_tokens() -> None:
    tokenizer = byte_level()
    found = find_answers(split_by(tokenizer), "{prompt}<|eot_id|>", {"\n\nsafe": "safe", "\n\nunsafe": "unsafe"})
    whole = ids(tokenizer, "hello<|eot_id|>\n\nsafe")
    assert ids(tokenizer, filled(found.template)) + found.opening == whole[:-1]
    assert found.tokens["safe"][0] == whole[-1]
    (encoded,) = encode(tokenizer, ["hello"], 40, found.template, special_tokens=False, opening=found.opening)
    assert encoded.ids == whole[:-1] and encoded.special[-2:] == (True, True)
    text = "\n\nunsafe\nS10"
    assert encoded.ids + behind(split_by(tokenizer), found.template, text, found.opening) == ids(
        tokenizer, "hello<|eot_id|>" + text
    )


def test_where_line_breaks_merge_the_judge_is_asked_as_it_is() -> None:
    tokenizer = line_breaks_merge()
    found = find_answers(split_by(tokenizer), "{prompt}\n\n", {"\n\nsafe": "safe", "\n\nunsafe": "unsafe"})
    assert found.template == "{prompt}\n\n" and found.alone
    (encoded,) = encode(tokenizer, ["hello"], 40, found.template, opening=found.opening, special_tokens=False)
    assert encoded.ids == ids(tokenizer, "hello\n\n") + ids(tokenizer, "\n\nsafe")[:-1]


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ({"yes": "safe", "yes it is": "unsafe"}, "'yes' is how"),
        ({"safe": "safe", "": "unsafe"}, "is empty"),
        ({"safe": "safe", "Safe": "safe"}, "No answer means unsafe"),
        ({"yes a": "safe", "yes b": "unsafe", "No": "safe"}, "begin with the same token"),
    ],
)
def test_answers_that_nothing_tells_apart_are_one_sentence(sides: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_answers(split_by(byte_level()), "{prompt}\n", sides)


def test_an_unknown_answer_is_one_sentence() -> None:
    tokenizer = tiny_tokenizer("llama")
    unknown = frozenset({tokenizer.unk_token_id})
    with pytest.raises(UsageError, match="does not know the answer 'zebra'"):
        find_answers(split_by(tokenizer), "{prompt} safe ?", {"zebra": "unsafe", "false": "safe"}, unknown=unknown)
    with pytest.raises(UsageError, match="does not know the answer 'zebra'"):  # both are the one unknown token
        find_answers(split_by(tokenizer), "{prompt} ?", {"zebra": "unsafe", "okapi": "safe"}, unknown=unknown)
    found = find_answers(split_by(tokenizer), "{prompt} ?", {"true": "unsafe", "false": "safe"}, unknown=unknown)
    assert [len(side) for side in found.tokens.values()] == [1, 1], "it lower-cases: one spelling is all"


CONVERSATION = "user : {prompt} . you : {response} . safe ?"


def test_both_sides_of_a_conversation_are_words() -> None:
    tokenizer = tiny_tokenizer("llama")
    text = joined("how do i bake", "open the computer")
    (found,) = encode(tokenizer, [text], 40, CONVERSATION)
    assert found.text == "how do i bake" + BETWEEN + "open the computer"
    assert found.ids == tuple(
        tokenizer(CONVERSATION.format(prompt="how do i bake", response="open the computer"))["input_ids"]
    )  # type: ignore[arg-type]
    spans = [found.text[slice(*found.offsets[place])] for place in found.content]
    assert spans == ["how", "do", "i", "bake", "open", "the", "computer"]
    named = words(found, ["?"] * len(found.ids))
    assert [word.text for word in named if not word.special] == spans
    (alone,) = encode(tokenizer, ["how do i bake"], 40, CONVERSATION)
    assert len(alone.content) == 4 and len(alone.ids) == len(found.ids) - 3


@pytest.mark.parametrize(("prompt", "response", "left"), [(28, 5, (10, 5)), (5, 28, (5, 10)), (25, 25, (7, 8))])
def test_what_is_too_long_loses_the_end_of_its_longer_side(prompt: int, response: int, left: tuple) -> None:
    tokenizer = tiny_tokenizer("llama")
    text = joined("cake " * prompt, "bomb " * response)
    (found,) = encode(tokenizer, [text], 24, CONVERSATION)
    spans = [found.text[slice(*found.offsets[place])] for place in found.content]
    assert found.truncated and len(found.ids) == 24
    assert (spans.count("cake"), spans.count("bomb")) == left
    (short,) = encode(tokenizer, [joined("cake", "bomb")], 40, CONVERSATION)
    assert [i for i, own in zip(found.ids, found.special, strict=True) if own] == [
        i for i, own in zip(short.ids, short.special, strict=True) if own
    ]
    with pytest.raises(JudgeError, match="leaves no room"):
        encode(tokenizer, [text], 9, CONVERSATION)
