"""Layer activations: how each display sample moves through the layers, and where the verdict forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.layers import layers_figure
from shared.figures.layers_together import together_figure
from shared.findings.badge import badge
from shared.findings.claims import SEPARATION, measured, nothing_to_explain
from shared.findings.layers import LayersResult, SampleLayers
from shared.findings.parts import layer_names, typed_result
from shared.findings.text import clean, counted, escape, signed
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One figure a display sample: the score read early, and the norms of the residual stream and its writes."""
    result = typed_result(record, LayersResult)
    return [
        Panel(
            stem=f"sample_{index}_{sample.label}_layers",
            title=f"Layers, sample {index} ({sample.label}), {record.label}",
            figure=layers_figure(sample, result, _headline(index, sample, result), escape(clean(sample.text, 110))),
            caption=_caption(result),
            alt=_alt(index, sample, result),
            rows=_rows(sample, result),
            badge=badge(record, _facts(result)),
            claims=result.to_explain is not None and result.to_explain.claimable,
        )
        for index, sample in enumerate(result.samples)
    ]


def together(record: ResultRecord) -> list[Panel]:
    """The same prompts in one figure, a line each."""
    result = typed_result(record, LayersResult)
    if not result.samples:
        return []
    return [
        Panel(
            stem="layers",
            title=f"Layers, every display prompt, {record.label}",
            figure=together_figure(result, escape(_outcomes(result)), "; ".join(_names(result))),
            caption=_caption(result).replace(
                " in front of the mean", " a line for each display prompt, in front of the mean"
            ),
            alt=" ".join(_alt(index, sample, result) for index, sample in enumerate(result.samples)),
            rows=[
                {"sample": index, "label": sample.label, **row}
                for index, sample in enumerate(result.samples)
                for row in _rows(sample, result)
            ],
            badge=badge(record, [f"n = {len(result.samples)} display prompts", *_facts(result)[1:]]),
            claims=result.to_explain is not None and result.to_explain.claimable,
        )
    ]


def _outcomes(result: LayersResult) -> str:
    """How many of the display prompts end on their own side, where there is something to explain."""
    nothing = result.to_explain and nothing_to_explain(result.to_explain, SEPARATION)
    if nothing:
        return nothing
    right = sum((sample.score > 0) == (sample.label == "unsafe") for sample in result.samples)
    return f"{right} of {counted(len(result.samples), 'display prompt')} end on their own class's side"


def _names(result: LayersResult) -> list[str]:
    return [f"{index}: {escape(clean(sample.text, 60))}" for index, sample in enumerate(result.samples)]


def _headline(index: int, sample: SampleLayers, result: LayersResult) -> str:
    """The verdict that forms here, where the judge's verdicts tell the classes apart."""
    explained = result.to_explain
    nothing = explained and nothing_to_explain(explained, SEPARATION)
    if nothing:
        return f"Sample {index}: {nothing[0].lower()}{nothing[1:]}"
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
        "Worrying: no split of the bands, a jump in one layer only, the prompt on the other class's side."
        f"{notes}"
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
        f"{_headline(index, sample, result)}. Labelled {sample.label}, score {signed(sample.score)} nats: {lens}. "
        f"Residual norm {norms[0]:.2f} at the embeddings, "
        f"{norms[-1]:.2f} after the last of {counted(result.layers, 'layer')}. {frozen_sentence(result)}"
    )


def frozen_sentence(result: LayersResult) -> str:
    """Which layers are frozen, and by which evidence."""
    if result.frozen_from == "unknown":
        return "It is not yet known which layers are frozen."
    evidence = "identical bytes" if result.frozen_from == "bytes" else "as declared"
    verb = "is" if result.frozen_boundary == 1 else "are"
    return f"{result.frozen_boundary} of {counted(result.layers, 'layer')} {verb} frozen ({evidence})."


def _facts(result: LayersResult) -> list[str]:
    counts = ", ".join(f"{band.count} {band.label}" for band in result.bands) or "no"
    return [
        f"this prompt, n = 1; bands over {counts} prompts, 95 % interval of the mean",
        f"norms: mean L2 over real tokens; lens: own head, {result.pooling} pooling, {result.norm_position}-norm",
        frozen_sentence(result).rstrip("."),
        *([] if result.to_explain is None else [measured(result.to_explain)]),
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
