"""Class names as published judges and the data sets they were trained on carry them, in many languages."""

from __future__ import annotations

import pytest

from shared.errors import UsageError
from shared.judge_labels import read_classifier, side_of
from shared.judge_labels.words import is_neutral, is_rest

PAIRS = """
safe unsafe|safe jailbreak|safe injection|legit injection|benign injection|benign jailbreak|benign malicious
BENIGN MALICIOUS|SAFE INJECTION|not_toxic toxic|non-toxic toxic|neutral toxic|nontoxic toxic|NonToxic Toxic
nothate hate|NON_HATE HATE|NOT-HATE HATE|NOT_HATE_SPEECH HATE_SPEECH|Non-Hate_Speech Hate_Speech|NOT HOF
non-offensive offensive|Non_Offensive Offensive|OTHER OFFENSE|Normal Abusive|normal hateful|not_harmful harmful
harmless harmful|unharmful harmful|no_harm harm|SFW NSFW|safe nsfw|normal nsfw|benign phishing|clean profanity
acceptable unacceptable|appropriate inappropriate|ethical unethical|no_injection injection|benign attack
allowed blocked
not_jailbreak jailbreak|non-violation violation|unflagged flagged|NO_ATTACK ATTACK|is_safe is_unsafe
LABEL_SAFE LABEL_UNSAFE
safe_prompt unsafe_prompt|low_risk high_risk|nonviolent violent|not-abusive abusive|neutral hate
No_Misogyny Misogyny
not_sexist sexist|non_racist racist|no_threat threat|not_insult insult|ok obscene|no_toxicity toxicity
safe suicide
sicher unsicher|harmlos schädlich|ungefährlich gefährlich|unbedenklich bedenklich|nicht_toxisch toxisch
keine_Hassrede Hassrede|keine_Gefahr Gefahr|no_agresivo agresivo|安全内容 有害内容
sûr dangereux|inoffensif nuisible|non_toxique toxique|sans_danger dangereux|non_haineux haineux
seguro inseguro|inofensivo dañino|no_tóxico tóxico|no_odio odio|seguro peligroso
sicuro insicuro|innocuo dannoso|non_tossico tossico|sicuro pericoloso
seguro perigoso|inofensivo prejudicial|não_tóxico tóxico|não_ofensivo ofensivo
безопасный опасный|безопасно небезопасно|безвредный вредный|нетоксичный токсичный|не_токсично токсично
安全 不安全|无害 有害|正常 违规|合规 不合规|安全 危险|非仇恨 仇恨
安全 危険|無害 有害|適切 不適切|安全 安全ではない
안전 위험|무해 유해|안전 안전하지_않음|정상 혐오
آمن غير_آمن|غير_ضار ضار|آمن خطير|ليس_كراهية كراهية
सुरक्षित असुरक्षित|हानिरहित हानिकारक|गैर-विषाक्त विषाक्त
veilig onveilig|onschadelijk schadelijk|niet_giftig giftig
bezpieczny niebezpieczny|nieszkodliwy szkodliwy|nietoksyczny toksyczny
güvenli güvensiz|zararsız zararlı|GÜVENLİ TEHLİKELİ
aman tidak_aman|an_toàn không_an_toàn|säker osäker|bezpečný nebezpečný|безпечний небезпечний
"""
"""`safe unsafe` each, `_` as a separator of a name's words."""
KNOWN = [pair.split() for line in PAIRS.strip().splitlines() for pair in line.split("|")]


@pytest.mark.parametrize(("safe", "unsafe"), KNOWN, ids=[" ".join(pair) for pair in KNOWN])
def test_pairs_are_told_either_way_round(safe: str, unsafe: str) -> None:
    for names in ({"0": safe, "1": unsafe}, {"0": unsafe, "1": safe}):
        found = read_classifier({"id2label": names}).record
        assert {"safe": names[str(found.safe_id)], "unsafe": names[str(found.unsafe_id)]} == {
            "safe": safe,
            "unsafe": unsafe,
        }
        assert not found.assumed
        spaced = {index: name.replace("_", " ").upper() for index, name in names.items()}
        assert read_classifier({"id2label": spaced}).record == found


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len({tuple(pair) for pair in KNOWN}) == len(KNOWN) >= 57


@pytest.mark.parametrize(
    "pair",
    [
        ("negative", "positive"), ("False", "True"), ("no", "yes"), ("ham", "spam"), ("rejected", "chosen"),
        ("compliance", "refusal"), ("toxic", "harmful"), ("safe", "neutral"), ("A", "B"), ("entailment", "neither"),
        ("safe", "secure"), ("good", "bad"),
    ],
)  # fmt: skip
def test_what_may_mean_either_is_asked(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="--unsafe-label"):
        read_classifier({"id2label": dict(enumerate(pair))})


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("nothing", None), ("notorious", None), ("positive", None), ("LABEL_1", None), ("unsure", None), ("", None),
        ("controversial", None), ("safe/unsafe", None), ("anti-hate", None), ("toxic_or_safe", None), ("___", None),
        ("non_violent_crimes", "unsafe"), ("non_violent_unethical_behavior", None), ("not safe for work", "unsafe"),
        ("severe_toxicity", "unsafe"), ("highly offensive", "unsafe"), ("toxic_comment", "unsafe"),
        ("1: unsafe", "unsafe"), ("isn't safe", "unsafe"), ("isn’t harmful", "safe"), ("not unsafe", "safe"),
        ("normal", "safe"), ("isUnsafe", "unsafe"), ("prompt injection", "unsafe"), ("self-harm", "unsafe"),
        ("identity_hate", "unsafe"), ("implicit_hate", "unsafe"),
        ("ＵＮＳＡＦＥ", "unsafe"), ("x" * 100_000, None),
    ],
)  # fmt: skip
def test_single_names(name: str, side: str | None) -> None:
    assert side_of(name) == side


def test_what_only_says_that_it_is_none_of_the_others() -> None:
    assert all(map(is_neutral, ("neutral", "Neither", "NOT", "无")))
    assert not any(map(is_neutral, ("not_toxic", "safe", "", "nothate", "other", "其他")))
    assert all(map(is_rest, ("other", "Others", "Sonstiges", "其他")))
    assert not any(map(is_rest, ("neutral", "other_harm", "another", "")))


@pytest.mark.parametrize("rest", ["other", "Other", "Others", "otros", "其他"])
def test_the_rest_is_safe_only_where_it_excludes_the_other_classes(rest: str) -> None:
    names = {"id2label": {"0": rest, "1": "insult", "2": "profanity"}}
    assert read_classifier(names).record.unsafe == (1, 2), "a softmax: what is left is none of the harms"
    with pytest.raises(UsageError, match=f"unclear: 0: {rest}"):
        read_classifier({**names, "problem_type": "multi_label_classification"})


def test_a_label_that_says_neither_is_safe_also_beside_labels_with_outputs_of_their_own() -> None:
    config = {"id2label": {"0": "neutral", "1": "insult"}, "problem_type": "multi_label_classification"}
    assert read_classifier(config).record.unsafe == (1,)
