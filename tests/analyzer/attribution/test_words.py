"""Tokens to words: every token in one word, text as in the prompt, whatever the tokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from analyzer.attribution.words import WordSpan, is_filler, words
from analyzer.model.batches import Encoded, encode, token_names
from tests.making.judges import tiny_judge
from tests.making.tiny import tiny_tokenizer

HOSTILE = [
    "<script>alert('x')</script>",
    "# **bold** [link](javascript:alert(1))",
    "don't   stop\n\n\tnow ",
    "naïve café ﬁre 日本語です",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈!",
    "a\u0000b\u200bc\u202ed",
    "מה שלומך مرحبا",
    "ｆｕｌｌ ｗｉｄｔｈ",
    "   ",
    "-" * 300,
]


def named(encoded: Encoded) -> list[WordSpan]:
    return words(encoded, [f"<{position}>" for position in range(len(encoded.ids))])


def by_hand(text: str, spans: list[tuple[int, int]]) -> list[str]:
    encoded = Encoded(text, tuple(range(len(spans))), (False,) * len(spans), tuple(spans), False)
    return [word.text for word in named(encoded)]


def wordpiece() -> PreTrainedTokenizerFast:
    pieces = [
        "[UNK]",
        "[CLS]",
        "poison",
        "##ing",
        "##ed",
        "the",
        "don",
        "'",
        "t",
        "well",
        "-",
        "known",
        "?",
        "kill",
    ]
    raw = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]")  # noqa: S106


def metaspace() -> PreTrainedTokenizerFast:
    pieces = [
        ("<unk>", 0.0),
        ("▁poison", -1.0),
        ("ing", -1.0),
        ("▁the", -1.0),
        ("▁", -3.0),
        ("kill", -2.0),
        ("?", -1.0),
    ]
    raw = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>")  # noqa: S106


def test_wordpieces_join() -> None:
    (encoded,) = encode(wordpiece(), ["Poisoning the Poisoned?"], 40)
    assert [word.text for word in named(encoded)] == ["Poisoning", "the", "Poisoned", "?"]


def test_apostrophes_join_and_hyphens_divide() -> None:
    (encoded,) = encode(wordpiece(), ["don't kill well-known"], 40)
    assert [word.text for word in named(encoded)] == ["don't", "kill", "well", "-", "known"]


def test_sentencepiece_shows_no_markers() -> None:
    (encoded,) = encode(metaspace(), ["poisoning the kill?"], 40)
    assert [word.text for word in named(encoded)] == ["poisoning", "the", "kill", "?"]


def test_byte_level_pieces_of_one_character_are_one_word() -> None:
    (encoded,) = encode(tiny_judge("qwen2").tokenizer, ["日 é bomb"], 40)
    assert [word.text for word in named(encoded)] == ["日", "é", "bomb"]


def test_scripts_without_spaces_divide_by_character() -> None:
    assert by_hand("日本", [(0, 1), (1, 2)]) == ["日", "本"]
    assert by_hand("สวัสดี", [(0, 6)]) == ["สวัสดี"]


def test_invisible_tokens_join_the_next_word_and_lose_nothing() -> None:
    assert by_hand(" bomb ", [(0, 1), (1, 5), (5, 6)]) == ["bomb"]
    assert by_hand("  ", [(0, 1), (1, 2)]) == [""]


@pytest.mark.parametrize("family", ["bert", "llama", "qwen2"])
@pytest.mark.parametrize("text", HOSTILE)
def test_every_token_is_in_exactly_one_word(family: str, text: str) -> None:
    judge = tiny_judge(family)
    (encoded,) = encode(judge.tokenizer, [text], 40)
    found = named(encoded)
    assert [token for word in found for token in word.tokens] == list(range(len(encoded.ids)))
    for word in found:
        assert word.text == (f"<{word.tokens[0]}>" if word.special else text[word.start : word.end])


@pytest.mark.parametrize(
    ("text", "filler"),
    [
        ("the", True),
        ("How", True),
        ("?!", True),
        ("👍", True),
        ("bomb", False),
        ("not", False),
        ("7", False),
        ("日", False),
    ],
)
def test_fillers(text: str, filler: bool) -> None:
    assert is_filler(WordSpan(text, 0, len(text), (0,))) is filler
    assert is_filler(WordSpan(text, 0, 0, (0,), special=True))


def test_tokens_that_are_no_words_are_named_for_people() -> None:
    """A template's tokens by their text, special ones by name; byte-level signs never show."""
    words_, bytes_ = tiny_tokenizer("bert"), tiny_tokenizer("qwen2")
    assert token_names(words_, words_("cake")["input_ids"]) == ["[CLS]", "cake", "[SEP]"]  # type: ignore[arg-type]
    ids = bytes_(" cake\n ", add_special_tokens=False)["input_ids"]
    names = token_names(bytes_, ids)  # type: ignore[arg-type]
    assert not any(sign in name for name in names for sign in "ĠĊ")
    assert names[0] == "cake" and "⏎" in names
