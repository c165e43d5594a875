"""Planted mechanisms, scored on the sentence: the headline of a page names what was put there.

The table says which page has to say what; it is the place to adjust when a page's wording changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.making.every_plant import EVERY_PLANT, every_plant
from tests.making.plants import SEEDS
from tests.truth.suite import COMPARED, Pages, Said, pages_of


@dataclass(frozen=True)
class Wanted:
    """What the headline of one page of an analysis says."""

    analysis: str
    names: tuple[str, ...] = ()
    """Heads, neurons and words: each is named, and is no part of a longer name."""
    says: str = ""
    """Pattern of the kind of mechanism; case does not matter."""
    never: str = ""
    """Pattern of what no page of the analysis may say above its figure: what is denied, or blamed wrongly."""
    step: int | None = None
    """Checkpoint whose page it is, None: the newest, or the page over the run."""
    claims: bool = True
    """Whether it says something of the judge that a null must not get."""


ONE_AS_MANY = re.compile(
    r"(?<!of )(?<!epoch )(?<!step )(?<!layer )(?<![\d.,−])1 (\w+ )?"
    r"(ones|heads|neurons|edges|nodes|layers|prompts|pairs|words|groups|draws|steps|folds|verdicts|checkpoints)\b"
)
"""One thing called many."""


def either_neuron(one: int, other: int) -> str:
    """Pattern of a headline about a pair of which one carries all that the other does not."""
    return rf"L1\.N({one}|{other})\b.*carr"


NO_DENIAL = (
    r"nothing is proven|nothing to explain|not clear of random|(?<!of )\b1 (heads|neurons|edges)\b|0\.0000\d+ nats"
)
"""What was said of these very judges, and what no page may say of a mechanism that is there."""
HEAD_CARRIES = Wanted("heads", ("L0.H2",), "carr|lost|loses|of the separation", NO_DENIAL + "|against the right")
EITHER = Wanted("tokens", ("alpha", "beta"), "in combination|together|interact")
BOTH_NAMED = Wanted("tokens", ("alpha", "beta"))
BACKUP = Wanted("heads", ("L0.H2", "L0.H3"), "redundan|backup|back each other", NO_DENIAL)
LENGTH = Wanted("progress", (), "length")
HEAD_AND_NEURON = (HEAD_CARRIES, Wanted("neurons", ("L1.N7",), "carr|lost|loses|of the separation", NO_DENIAL))

WANTED: dict[str, tuple[Wanted, ...]] = {
    "copied_trigger": (HEAD_CARRIES, Wanted("tokens", ("zeta",), never=r"\bw\d+\b.*carr")),
    "saturated": (HEAD_CARRIES, Wanted("tokens", ("zeta",))),
    "exact_backup": (BACKUP,),
    "either_word": (EITHER, Wanted("heads", ("L0.H0", "L0.H3")), Wanted("neurons", says=either_neuron(7, 9))),
    "length_only": (LENGTH, Wanted("heads", ("L0.H1",))),
    "position_only": (
        Wanted("progress", ("zeta",), "position|place", r"goes (by|with) (the )?length"),
        HEAD_CARRIES,
    ),
    "template_word": (Wanted("tokens", ("how",), "unsafe"), HEAD_CARRIES),
    "two_layers": HEAD_AND_NEURON,
    "decoys": (
        HEAD_CARRIES,
        Wanted("heads", never=r"L0\.H1\b.*carr"),
        Wanted("neurons", ("L1.N7",), never=r"L1\.N1[123]\b.*carr"),
    ),
    "swapped_labels": (
        Wanted("evolution", (), "flipped|inverted", step=50),
        Wanted("evolution", (), r"(flipped|inverted).*epoch 5|epoch 5.*(flipped|inverted)"),
    ),
    "same_weights": (Wanted("evolution", (), "the same weights", r"no layer moved", claims=False),),
    "word_after_word": (Wanted("heads", ("L0.H1", "L1.H2")), BOTH_NAMED),
    "majority": (BOTH_NAMED, Wanted("heads", ("L0.H0",)), Wanted("neurons", ("L1.N5", "L1.N6"), "each carry")),
    "both_words": (
        Wanted("heads", ("L0.H0", "L0.H3")),
        Wanted("neurons", ("L1.N4", "L1.N8"), "each carry"),
        BOTH_NAMED,
    ),
    "trained_trigger": (HEAD_CARRIES, Wanted("tokens", ("zeta",), never=r"\bw\d+\b.*carr")),
    "trained_backup": (BACKUP,),
    "trained_either": (EITHER,),
    "trained_length": (LENGTH,),
}
"""Plant -> what its pages say."""
CIRCUITS = ("two_layers", "word_after_word", "majority", "both_words", "either_word")
"""Plants whose strongest edges must be the whole circuit, no more and no fewer; those of one head are too easy."""
WHOLE = "two_layers"
"""The plant whose pages are all read at every seed."""
UNLIKE = {"copied_trigger": ("length_only",), "length_only": ("copied_trigger",)}
"""Plants of which nothing that is said of the other may be said."""

seeds = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])])


@cache
def pages(name: str, seed: int) -> Pages:
    """All that is said of a plant, computed once a process."""
    with TemporaryDirectory() as folder:
        return pages_of(every_plant(name, seed), Path(folder), analyses_of(name, seed))


def analyses_of(name: str, seed: int) -> set[str] | None:
    """Seed 0 computes what is asked of a plant, and all of one plant; the other seeds all of every plant."""
    if seed or name == WHOLE:
        return None
    asked = {wanted.analysis for plant in (name, *UNLIKE.get(name, ())) for wanted in WANTED[plant]}
    return (
        asked | (set(COMPARED) if "evolution" in asked else set()) | ({"circuits"} if name in CIRCUITS else set())
    )


def named(name: str, text: str) -> bool:
    """Whether a text names it: "L0.H2" is not in "L0.H21", nor "beta" in "alphabeta"."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) is not None


def meets(wanted: Wanted, said: Said) -> bool:
    """Whether a headline is a claim or not, names all, and says of what kind it is."""
    kind = re.search(wanted.says, said.headline, re.IGNORECASE)
    return (
        said.claims == wanted.claims
        and kind is not None
        and all(named(name, said.headline) for name in wanted.names)
    )


def test_every_plant_has_its_sentence() -> None:
    assert WANTED.keys() == EVERY_PLANT.keys()


@seeds
@pytest.mark.parametrize("name", WANTED)
def test_the_headline_names_the_mechanism(name: str, seed: int) -> None:
    found = pages(name, seed)
    assert not found.failed, [(event.analysis, event.cause) for event in found.failed]
    missing = []
    for wanted in WANTED[name]:
        said = found.of(wanted.analysis, wanted.step)
        if (wanted.names or wanted.says) and not any(meets(wanted, each) for each in said):
            missing.append(f"{wanted} is not in {[(each.headline, each.claims) for each in said]}")
        if wanted.never:
            wrong = [each.above for each in said if re.search(wanted.never, each.above, re.IGNORECASE)]
            missing += [f"{text!r} says {wanted.never!r}" for text in wrong]
    missing += [each.above for each in found.all if ONE_AS_MANY.search(each.above)]
    assert not missing, "\n".join(missing)


@seeds
@pytest.mark.parametrize("name", CIRCUITS)
def test_the_strongest_edges_are_the_circuit(name: str, seed: int) -> None:
    """As the circuits page's table lists them, and as many as its headline says."""
    wanted = every_plant(name, seed).edges
    (said,) = [each for each in pages(name, seed).of("circuits") if each.stem == "circuits"]
    assert {(row["source"], row["target"]) for row in said.rows[: len(wanted)]} == wanted
    assert said.claims and re.search(rf"\b{len(wanted)} (of 54 )?edges\b", said.headline), said.headline


@pytest.mark.parametrize("name", UNLIKE)
def test_what_is_looked_for_is_not_said_of_another_judge(name: str) -> None:
    """The patterns can fail: the words about one plant are not in the pages of another."""
    (other,) = UNLIKE[name]
    for wanted in WANTED[name]:
        said = pages(other, 0).of(wanted.analysis)
        assert said and not any(meets(wanted, each) for each in said), wanted


def test_one_thing_called_many_is_seen() -> None:
    for text in ("1 heads together carry", "neurons; 1 random ones of", "all of the 1 edges"):
        assert ONE_AS_MANY.search(text), text
    for text in ("1 head", "1 of 54 edges", "at epoch 1 edges", "0.1 neurons", "11 heads", "1 random one"):
        assert not ONE_AS_MANY.search(text), text


def test_names_are_whole_words() -> None:
    assert named("L0.H2", "Head L0.H2 carries it") and named("beta", "'alpha' and 'beta', in combination")
    assert not named("L0.H2", "L0.H21") and not named("L0.H2", "L10.L0.H2") and not named("beta", "alphabeta")
