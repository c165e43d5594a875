"""Layer activations: how each display sample moves through the layers, and where the verdict forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from shared.figures.kit.style import clean, escape, signed
from shared.figures.layers import layers_figure
from shared.findings.badge import badge
from shared.findings.parts import Interval, Part, layer_names, require_length, typed_result
from shared.records import Label
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


class SampleLayers(Part):
    """One prompt's way through the layers. "Residual" lists have layers + 1 entries: embeddings first."""

    probe_id: str
    text: str
    label: Label
    score: float
    residual_norm: list[float]
    """Mean over real tokens of the L2 norm of the residual stream."""
    attention_write: list[float] | None
    """The same of what each layer's attention adds; one entry a layer. None where the parts are unknown."""
    mlp_write: list[float] | None
    lens: list[float] | None
    """Score read early: the judge's own final norm, pooling and head on the residual stream, nats."""


class LensBand(Part):
    """The logit lens over all probe prompts of one class: mean and 95 % interval of the mean by layer."""

    label: Label
    count: int
    score: list[Interval]


class LayersResult(Part):
    """Result of the analysis `layers`."""

    layers: int
    frozen_boundary: int
    """Index of the first layer that trains; 0 when nothing is frozen, `layers` when every layer is."""
    frozen_from: Literal["bytes", "declared", "unknown"]
    """bytes: tensors identical to another checkpoint of the run; declared: run.json; unknown: neither yet."""
    embeddings_frozen: bool | None
    pooling: str
    """What the head reads: "cls", "last_token", "mean"."""
    norm_position: Literal["pre", "post", "sandwich", "unknown"]
    samples: list[SampleLayers]
    bands: list[LensBand]
    frozen_check: Literal["pass", "fail", "not_possible"]
    """Whether activations below the boundary equal those of the run's first analysed checkpoint."""
    frozen_check_detail: str = ""
    notes: list[str]
    """What could not be computed, and why."""

    @model_validator(mode="after")
    def _one_entry_a_layer(self) -> LayersResult:
        for sample in self.samples:
            for values in (sample.attention_write, sample.mlp_write):
                require_length("writes", values, self.layers)
            for values in (sample.residual_norm, sample.lens):
                require_length("norms and lens", values, self.layers + 1)
        for band in self.bands:
            require_length("bands", band.score, self.layers + 1)
        return self


def panels(record: ResultRecord) -> list[Panel]:
    """One figure a display sample: the score read early, and the norms of the residual stream and its writes."""
    result = typed_result(record, LayersResult)
    return [
        Panel(
            stem=f"sample_{index}_{sample.label}_layers",
            title=f"Layers, sample {index} ({sample.label}), {record.label}",
            figure=layers_figure(sample, result, _headline(index, sample), escape(clean(sample.text, 110))),
            caption=_caption(result),
            alt=_alt(index, sample, result),
            rows=_rows(sample, result),
            badge=badge(record, _facts(result)),
        )
        for index, sample in enumerate(result.samples)
    ]


def _headline(index: int, sample: SampleLayers) -> str:
    verdict = "unsafe" if sample.score > 0 else "safe"
    right = "right" if verdict == sample.label else "WRONG"
    return (
        f"Sample {index}: judged {verdict.upper()}, labelled {sample.label} ({right}), "
        f"score {signed(sample.score)} nats"
    )


def _caption(result: LayersResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    return (
        "What it shows: top, the score the judge's own final norm, pooling and head would give if it stopped after "
        "each layer (logit lens), in front of the mean of each class over the probe set; middle, the mean "
        "length of "
        "the residual stream over this prompt's tokens; bottom, how much attention and MLP of each layer add. Grey "
        "layers are frozen.\n"
        "How to read: the classes should part in layers that train, and this prompt should follow its class. The "
        "lens uses the final head, so it can mislead in early layers. All samples share one scale.\n"
        "Worrying: no split of the bands, a jump in one layer only, the prompt on the other class's side, or a "
        f"failed frozen check.{notes}"
    )


def _alt(index: int, sample: SampleLayers, result: LayersResult) -> str:
    lens = "no logit lens"
    if sample.lens:
        lens = (
            f"score read early goes from {signed(sample.lens[0])} nats at the embeddings to "
            f"{signed(sample.lens[-1])} after the last layer"
        )
    norms = sample.residual_norm
    return (
        f"Sample {index}, labelled {sample.label}: {lens}. Residual norm {norms[0]:.2f} at the embeddings, "
        f"{norms[-1]:.2f} after the last of {result.layers} layers. {frozen_sentence(result)}"
    )


def frozen_sentence(result: LayersResult) -> str:
    """Which layers are frozen, by which evidence, and whether the activations below the boundary agree."""
    if result.frozen_from == "unknown":
        return "It is not yet known which layers are frozen."
    evidence = "identical bytes" if result.frozen_from == "bytes" else "as declared"
    part = f"{result.frozen_boundary} of {result.layers} layers are frozen ({evidence})"
    check = {"pass": "passed", "fail": "FAILED", "not_possible": "not possible"}[result.frozen_check]
    return f"{part}; frozen check {check}."


def _facts(result: LayersResult) -> list[str]:
    counts = ", ".join(f"{band.count} {band.label}" for band in result.bands) or "no"
    detail = f" ({result.frozen_check_detail})" if result.frozen_check_detail else ""
    return [
        f"this prompt, n = 1; bands over {counts} prompts, 95 % interval of the mean",
        f"norms: mean L2 over real tokens; lens: own head, {result.pooling} pooling, {result.norm_position}-norm",
        frozen_sentence(result).rstrip(".") + detail,
    ]


def _rows(sample: SampleLayers, result: LayersResult) -> list[dict[str, Any]]:
    def part(values: list[float] | None, point: int) -> float | None:
        return values[point] if values is not None and 0 <= point < len(values) else None

    rows = []
    for point, name in enumerate(layer_names(result.layers)):
        row: dict[str, Any] = {
            "layer": name,
            "frozen": point - 1 < result.frozen_boundary if point else result.embeddings_frozen,
            "lens_nats": part(sample.lens, point),
            "residual_norm": part(sample.residual_norm, point),
            "attention_write": part(sample.attention_write, point - 1),
            "mlp_write": part(sample.mlp_write, point - 1),
        }
        row |= {f"lens_mean_{band.label}": band.score[point].value for band in result.bands}
        rows.append(row)
    return rows


register(View(name="layers", title="Layers", suite="basic", order=20, result=LayersResult, panels=panels))
