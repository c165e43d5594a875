"""Everything about verdicts that a page or a command says of two checkpoints, put together once."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.findings.alerts import Flips
from shared.views.compare.pairing import Pairing, coverage, pair
from shared.views.compare.side import Side, same_judge, unlike
from shared.views.compare.verdicts import Flip, exact_tests, flipped, sentence


@dataclass(frozen=True, eq=False)
class Compared:
    """Two checkpoints' verdicts on the prompts of both."""

    there: Side
    here: Side
    paired: Pairing | None
    """None where one of the two has no verdicts to compare."""
    tests: dict[str, Flips] = field(default_factory=dict)
    """By the keys of `verdicts.OF`; empty without a prompt of both."""
    flips: tuple[Flip, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """There, here."""
        return self.there.name, self.here.name

    @property
    def headline(self) -> str:
        """The first sentence of all, without a full stop."""
        if self.paired is None:
            return (self.here.why_not or self.there.why_not).rstrip(".")
        return sentence(self.paired, self.tests, same_judge(self.there, self.here))

    @property
    def notes(self) -> list[str]:
        """Which prompts it is about, and what cannot be compared: a sentence each."""
        about = coverage(self.paired) if self.paired is not None else ""
        return [*filter(None, [about]), *unlike(self.there, self.here)]

    @property
    def of_the_rates(self) -> dict[str, Flips]:
        """The tests, where they are about the very prompts that each side's rates are of; else none."""
        return self.tests if self.paired is not None and self.paired.whole else {}


def compare(there: Side, here: Side) -> Compared:
    """Pair and test two sides."""
    if there.judged is None or here.judged is None:
        return Compared(there, here, None)
    paired = pair(there.judged, here.judged)
    return Compared(there, here, paired, exact_tests(paired), tuple(flipped(paired)))
