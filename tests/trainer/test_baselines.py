"""The baselines find what they can see, and nothing else; their plain numbers score as scikit-learn does."""

from __future__ import annotations

import numpy as np
import pytest

from shared.prompts.load import load_prompts
from shared.records import Label, Prompt
from trainer import baselines
from trainer.baselines import fit_baselines, fit_length, fit_words
from trainer.evaluate import Parts, baseline_metrics


def prompts(template: str, label: Label, count: int = 20) -> list[Prompt]:
    return [Prompt(text=template.format(n), label=label) for n in range(10, 10 + count)]


def metrics(train: list[Prompt], val: list[Prompt]) -> dict[str, dict[str, dict[str, float]]]:
    return baseline_metrics(fit_baselines(train), Parts.of({"val": val}))


def test_words_but_not_length() -> None:
    """Unsafe prompts say "bomb", safe ones "cake": of one length, told apart by a word."""
    data = prompts("bake cake {}", "safe") + prompts("make bomb {}", "unsafe")
    val = prompts("cake now {}", "safe", 4) + prompts("bomb now {}", "unsafe", 4)
    found = metrics(data, val)
    assert found["tfidf"]["val"]["accuracy"] == found["tfidf"]["val"]["auc"] == 1
    assert found["length"]["val"]["auc"] == 0.5


def test_length_but_not_words() -> None:
    data = prompts("{}", "safe") + prompts("{} and some more words", "unsafe")
    val = prompts("{} x", "safe", 4) + prompts("{} with other things said", "unsafe", 4)
    assert metrics(data, val)["length"]["val"]["accuracy"] == 1


def test_any_script_has_words() -> None:
    data = [
        Prompt(text=text, label=label) for text, label in (("?", "safe"), ("爆弾", "unsafe"), ("а", "safe"))
    ] * 2  # type: ignore[arg-type]
    assert metrics(data, data[:3])["tfidf"]["val"]["accuracy"] == 1


def test_the_plain_numbers_score_as_scikit_learn_does() -> None:
    """On prompts that the fit has not seen, one without any known word and an empty one among them."""
    shipped = load_prompts("shipped")
    texts, unsafe = [p.text for p in shipped[::4]], [p.label == "unsafe" for p in shipped[::4]]
    others = [
        *(p.text for p in shipped[1::3]),
        "żółw",
        "",
        "É I'm so-so 😀😀 the the the THE",
        "ﬁne  \u2028 Straße",
    ]
    scores = fit_baselines(shipped[::4]).scores(others)
    assert np.allclose(scores["tfidf"], fit_words(texts, unsafe).decision_function(others), rtol=0, atol=1e-9)
    assert np.allclose(scores["length"], fit_length(texts, unsafe).decision_function(others), rtol=0, atol=1e-9)


def test_the_vocabulary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MAX_TERMS", 3)
    data = prompts("bake cake {}", "safe") + prompts("make bomb {}", "unsafe")
    assert len(fit_baselines(data).tfidf.terms) == 3
