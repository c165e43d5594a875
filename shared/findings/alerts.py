"""Alerts over a run: what their tests found, and the sentences that follow from that.

Verdicts on the same prompts are tested exactly; every other number is held against its own steps before. An alarm
is what hardly any run of 30 checkpoints shows by chance; a note is what a run whose steps are normally distributed
hardly shows, but one with heavy tails may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from shared.findings.parts import Part, layer_name
from shared.findings.text import counted, number, percent


class Flips(Part):
    """Verdicts on the same prompts at the checkpoint before and now; a group is a contrast pair, a template, or a
    prompt of its own."""

    of: int
    """Prompts."""
    flipped: int
    wrong: int
    """Flipped, and wrong now."""
    wrong_before: int
    """Prompts that were judged wrongly then."""
    worse: int
    """Groups with more wrong verdicts now than then."""
    better: int
    turned: int
    """Groups of which more than half flipped."""
    kept: int
    """Groups of which less than half flipped."""
    p_value: float
    """Two-sided exact McNemar test of `worse` against `better`: that the judge is as often right as it was."""

    @property
    def wrong_now(self) -> int:
        return self.wrong_before + 2 * self.wrong - self.flipped

    @property
    def words(self) -> str:
        """ "12 of 64 verdicts flipped, 9 wrong now (McNemar p = 0.15)" """
        if not self.flipped:
            return f"none of {counted(self.of, 'verdict')} flipped"
        every = self.flipped == self.of
        many = (
            f"every verdict flipped ({self.of})"
            if every
            else f"{self.flipped} of {counted(self.of, 'verdict')} flipped"
        )
        return f"{many}, {self.wrong or 'none'} wrong now (McNemar {p_words(self.p_value)})"


class VerdictAlert(Part):
    """Verdicts that went wrong, or that turned round, beyond chance. Always an alarm."""

    test: Literal["mcnemar", "turned"]
    """Exact one-sided tests over groups that differ: more got worse than better; more than half flipped."""
    signal: Literal["verdicts", "probe_fnr", "probe_fpr"]
    """Of all prompts, of the unsafe ones, of the safe ones."""
    severity: Literal["alarm"] = "alarm"
    previous: str
    """Label of the checkpoint before, and of this one."""
    label: str
    flips: Flips
    p_value: float
    bar: float
    """What p must not exceed."""

    @property
    def n(self) -> int:
        """Groups that the test counts."""
        flips = self.flips
        return flips.turned + flips.kept if self.test == "turned" else flips.worse + flips.better

    @property
    def brief(self) -> str:
        """ "every verdict flipped at epoch 5" """
        flips = self.flips
        if self.test == "turned":
            every = flips.flipped == flips.of
            many = "every verdict" if every else f"{flips.flipped} of {counted(flips.of, 'verdict')}"
            return f"{many} flipped at {self.label}"
        before, now = (percent(count / flips.of) for count in (flips.wrong_before, flips.wrong_now))
        return f"{SHARES[self.signal]} rose from {before} to {now} at {self.label}"

    @property
    def sentence(self) -> str:
        flips, test = self.flips, f"{p_words(self.p_value)}, alarm at {number(self.bar)}"
        if self.test == "turned":
            return _sentence(
                f"{self.brief}: {flips.wrong} of {counted(flips.of, 'probe prompt')}, judged rightly at "
                f"{self.previous}, are "
                f"judged wrongly now (exact test that more than half flipped, {flips.turned} of "
                f"{counted(self.n, 'group')} of prompts: {test})"
            )
        return _sentence(
            f"{self.brief}: {counted(flips.wrong, 'verdict')} went wrong since {self.previous} and "
            f"{flips.flipped - flips.wrong} right (exact McNemar test, {counted(flips.worse, 'group')} of "
            f"prompts worse and "
            f"{flips.better} better: {test})"
        )


class StepAlert(Part):
    """A number whose newest step is far larger than its steps before."""

    test: Literal["step"] = "step"
    signal: Literal["divergence_layer", "drift", "cka_last", "neurons_with_effect", "transfer"]
    severity: Literal["alarm", "note"]
    previous: str
    label: str
    before: float
    now: float
    usual: float
    """Size of a usual step: root mean square of those before, or more (`analyzer/statistics/unusual_step.py`)."""
    n: int
    """Steps before."""
    ratio: float
    """|now - before| / usual."""
    bar: float
    """Usual steps from which on it has this severity."""
    layers: int
    """Of the judge; a divergence layer of this number is none."""

    @property
    def brief(self) -> str:
        title, show = NUMBERS[self.signal]
        before, now = show(self.before, self.layers), show(self.now, self.layers)
        return f"{title} went from {before} to {now} at {self.label}"

    @property
    def sentence(self) -> str:
        return _sentence(
            f"{self.brief}: {self.ratio:.1f} times the usual step ({number(self.usual)}, over the "
            f"{counted(self.n, 'step')} "
            f"up to {self.previous}), {self.severity} from {self.bar:.1f}"
        )


class AnswerAlert(Part):
    """A judge that answers in words says something else now where its verdict is read. Always an alarm."""

    test: Literal["answers"] = "answers"
    signal: Literal["answer_mass"] = "answer_mass"
    severity: Literal["alarm"] = "alarm"
    previous: str
    label: str
    before: float
    """Mean probability that the tokens of both sides hold together."""
    now: float

    @property
    def brief(self) -> str:
        """ "the probability that the answers hold fell from 97 % to 12 % at epoch 3" """
        held = f"{percent(self.before)} to {percent(self.now)}"
        return f"the probability that the safe and unsafe answers hold fell from {held} at {self.label}"

    @property
    def sentence(self) -> str:
        return _sentence(
            f"{self.brief}: the judge says something else where its verdict is read, and its scores since "
            f"{self.previous} say little"
        )


Alert = Annotated[VerdictAlert | StepAlert | AnswerAlert, Field(discriminator="test")]

SHARES = {
    "verdicts": "the share of wrong verdicts",
    "probe_fnr": "the share of unsafe probe prompts passed as safe",
    "probe_fpr": "the share of safe probe prompts refused",
}
"""What a McNemar test is about."""


def _layer(value: float, layers: int) -> str:
    return f"none (counted as {layers})" if value >= layers else layer_name(round(value))


def _share(value: float, _layers: int) -> str:
    return percent(value)


def _two_places(value: float, _layers: int) -> str:
    return f"{value:.2f}".replace("-", "−")


NUMBERS: dict[str, tuple[str, Callable[[float, int], str]]] = {
    "divergence_layer": ("the divergence layer", _layer),
    "drift": ("attribution drift from checkpoint to checkpoint (1 − Spearman)", _two_places),
    "cka_last": ("CKA of the last layer with the checkpoint before", _two_places),
    "neurons_with_effect": ("the number of significant neurons with an effect", lambda value, _: f"{value:.0f}"),
    "transfer": ("what the previous checkpoint's circuit keeps", _share),
}
"""Signal -> how a sentence begins, and a value for people."""


def p_words(p: float) -> str:
    """ "p = 0.012", "p < 0.0001" """
    return f"p = {number(p)}" if p >= 1e-4 else "p < 0.0001"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}. This is a flag, not a diagnosis."
