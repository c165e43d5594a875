"""How the numbers were made: what each analysis computes, after whom, how set; and when nothing is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.findings.claims import CHANCE, FEWEST_GROUPS, LEAST_NATS, LEAST_SHARE
from shared.findings.text import DEFINED, number, percent
from shared.pages.report.gather import Material
from shared.pages.report.parts import Grid, Point, Section
from shared.results import ResultRecord
from shared.views import all_views


class Method(NamedTuple):
    """What an analysis computes, and the papers that it follows."""

    words: str
    papers: str


METHODS = {
    "tokens": Method(
        "Integrated gradients of the score on the input embeddings, from the contrast twin where one of equal "
        "length exists, with nodes added until the attributions sum to the change of the score; each word also "
        "really replaced by neutral words of its kind. Faithfulness as comprehensiveness and sufficiency.",
        "Sundararajan et al. 2017 (arXiv 1703.01365); DeYoung et al. 2020 (arXiv 1911.03429)",
    ),
    "layers": Method(
        "Norms of the residual stream and of what attention and MLP write into it; the score read early through "
        "the judge's own final norm, pooling and head (logit lens), which can mislead in early layers.",
        "nostalgebraist 2020, Interpreting GPT: the logit lens",
    ),
    "comparison": Method(
        "Linear probes on the pooled residual stream, cross-validated by groups over several splits, beside the "
        "same probes on shuffled labels; distance and cosine of the class means; contrast pairs apart.",
        "Hewitt and Liang 2019 (arXiv 1909.03368)",
    ),
    "progress": Method(
        "Verdicts on the probe set at the judge's own threshold, by group; what the score goes with beside what is "
        "asked; baselines that need no transformer.",
        "Wilson 1927 for shares of pairs; Student's t over groups of prompts, on the logit scale, for rates",
    ),
    "calibration": Method(
        "Thresholds for given false-positive rates; the reliability of sigmoid(score) in bins of equal mass, "
        "beside what a perfectly calibrated judge gets by chance at this n.",
        "Naeini et al. 2015; Nguyen and O'Connor 2015",
    ),
    "neurons": Method(
        "Selectivity of every MLP neuron (AUROC, Mann-Whitney, false-discovery rate), its effect by attribution "
        "patching, and for the strongest what is lost when they are really set to their mean, beside random "
        "neurons of the same layers.",
        "Benjamini and Hochberg 1995; Nanda 2023; Kramár et al. 2024 (arXiv 2403.00745)",
    ),
    "heads": Method(
        "The same effects of attention heads, what each attends to, and which are only needed together.",
        "Nanda 2023; Kramár et al. 2024 (arXiv 2403.00745)",
    ),
    "circuits": Method(
        "Edges scored by attribution patching with integrated gradients; circuits chosen on some prompts and run "
        "on others with everything outside carrying the twin's values, beside random circuits of the same size.",
        "Hanna et al. 2024 (arXiv 2403.17806); Mueller et al. 2025 (arXiv 2504.13151)",
    ),
    "evolution": Method(
        "Each checkpoint against the one before and the first: verdicts by exact McNemar tests, linear CKA "
        "(unbiased), rank correlation of attributions, sets of neurons and edges, transfer of the earlier circuit. "
        "Alarms are calibrated over a whole run.",
        "Kornblith et al. 2019 (arXiv 1905.00414); Nguyen et al. 2021 (arXiv 2010.15327); McNemar 1947",
    ),
}
"""Every analysis has one."""


def methods(material: Material) -> Section:
    """Conventions, then a line and the settings of each analysis that the newest checkpoint has."""
    records = material.newest.records
    lines = [
        Point(view.title, f"{METHODS[view.name].words} {METHODS[view.name].papers}.")
        for view in all_views()
        if view.name in records and view.name in METHODS
    ]
    return Section(
        "Methods",
        points=[*_conventions(material), *lines],
        grids=[Grid("Settings of the analyses", ["analysis", "version", "settings"], list(_settings(records)))],
    )


def _conventions(material: Material) -> Iterator[Point]:
    judge = material.record.judge if material.record else None
    of = "logit(unsafe) - logit(safe)"
    if judge is not None and judge.kind == "prompted":
        of = "log-probability of the unsafe answers less that of the safe ones"
    yield Point(
        "Score",
        f"The score of a prompt is {of}, in nats; positive means unsafe. Unsafe is the positive class of every "
        "metric, and no FNR stands without its FPR.",
    )
    yield Point(
        "Probe set",
        "Every checkpoint is analysed on the same labelled prompts, which were held out of the training; contrast "
        "pairs are twins that differ in a word or two and in their label.",
    )
    yield Point("Numbers", DEFINED)
    yield Point(
        "Uncertainty",
        "Intervals are 95 % intervals over groups of prompts: twins, and prompts of one template, count as one. "
        "Units, edges and words are chosen on one part of the prompts and measured on another.",
    )
    yield Point(
        "When nothing is said",
        f"What is to be explained is measured first. Where it may be chance (p from {CHANCE}), is below "
        f"{number(LEAST_NATS)} nats, or rests on fewer than {FEWEST_GROUPS} groups, nothing is claimed and nothing "
        f"ranked; an effect below {percent(LEAST_SHARE)} of the separation is no headline. A unit carries the "
        "verdict only where it was really removed, and more was lost than without random ones of the same layers.",
    )


def _settings(records: Mapping[str, ResultRecord]) -> Iterator[list[str]]:
    """How the verdict is read once, as it is the same for all; digests of earlier results are nobody's to set."""
    judge = next((record.settings["judge"] for record in records.values() if record.settings.get("judge")), None)
    if isinstance(judge, dict):
        yield ["all", "", _listed({key: value for key, value in judge.items() if value is not None})]
    for name, record in records.items():
        own = {key: value for key, value in sorted(record.settings.items()) if key not in ("judge", "lineage")}
        yield [name, str(record.analysis_version), _listed(own) or "none"]


def _listed(settings: Mapping[str, Any]) -> str:
    """ "bins = 10, nodes = 12 16 32" """
    plain = {
        key: " ".join(map(str, value)) if isinstance(value, list) else value for key, value in settings.items()
    }
    return ", ".join(f"{key} = {value}" for key, value in plain.items())
