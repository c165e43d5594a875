"""Layer activations: residual norms, what attention and MLP write, and the score read early at every layer.

The norm of a prompt at a point is the mean over its real tokens of the L2 norm of the residual stream; a write's
likewise. The logit lens puts the residual stream through the judge's own final norm, pooling and head: it is the
lens of the final head, and can mislead in early layers.

Whether frozen layers give what they gave at the run's first checkpoint is checked by `evolution`, from these norms.

Summary: norm_last (mean norm after the last layer), and with a lens and both classes lens_gap_last and
lens_gap_before_last (mean lens score of unsafe prompts - that of safe ones, after the last layer, where it is the
score's own, and before it; nats). Tensors, rows in probe order: "residual_norms" (n, layers + 1), and where the
parts are known "attention_writes", "mlp_writes" (n, layers), "lens" (n, layers + 1).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.session.context import Context
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import separation, unit_of
from shared.errors import CannotCompute
from shared.findings.claims import ToExplain
from shared.findings.layers import LayersResult, LensBand, SampleLayers
from shared.prompts.display import display_indices
from shared.records import Label
from shared.settings import Settings

LABELS: tuple[Label, Label] = ("safe", "unsafe")


class LayersSettings(Settings):
    """How layers are summarised."""

    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of each interval of a mean."""


@computes("layers", LayersSettings, version=3)
def layers(context: Context, settings: LayersSettings) -> Outcome:
    """Norms, writes and logit lens of every probe prompt; the display samples one by one."""
    if not context.probes:
        raise CannotCompute(
            "The probe set is empty, so there are no activations to show; write probes.jsonl first."
        )
    forward, anatomy = context.forward, context.judge.anatomy
    result = LayersResult(
        to_explain=_to_explain(context, settings),
        layers=forward.layers,
        frozen_boundary=context.frozen_boundary,
        frozen_from=context.frozen_from,  # type: ignore[arg-type]
        embeddings_frozen=context.embeddings_frozen,
        pooling=anatomy.pooling,
        norm_position=anatomy.norm_position,
        samples=[_sample(context, index) for index in display_indices(context.probes)],
        bands=_bands(context, settings),
        notes=[*anatomy.notes, *_truncation(context), *_taken_over(context)],
    )
    return Outcome(result, _summary(context), _tensors(context))


def _sample(context: Context, index: int) -> SampleLayers:
    probe, forward = context.probes[index], context.forward
    return SampleLayers(
        probe_id=probe.id,
        text=probe.text,
        label=probe.label,
        score=float(forward.scores[index]),
        residual_norm=forward.norms[index].tolist(),
        attention_write=_row(forward.attention_writes, index),
        mlp_write=_row(forward.mlp_writes, index),
        lens=_row(forward.lens, index),
    )


def _row(values: np.ndarray | None, index: int) -> list[float] | None:
    return None if values is None else values[index].tolist()


def _bands(context: Context, settings: LayersSettings) -> list[LensBand]:
    """The lens over all prompts of each class that has any; empty without a lens."""
    lens = context.forward.lens
    if lens is None:
        return []
    unit = independent_groups(context.probes)
    bands = []
    for label in LABELS:
        rows = [index for index, probe in enumerate(context.probes) if probe.label == label]
        if rows:
            clusters = Clusters(unit[rows].tolist(), settings.bootstraps, context.seed)
            scores = [clusters.mean(column.astype(float)) for column in lens[rows].T]
            bands.append(LensBand(label=label, count=len(rows), score=scores))
    return bands


def _to_explain(context: Context, settings: LayersSettings) -> ToExplain | None:
    """The judge's separation; None without prompts of both classes."""
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    if unsafe.all() or not unsafe.any():
        return None
    groups = independent_groups(context.probes)
    clusters = Clusters(groups.tolist(), settings.bootstraps, context.seed)
    return separation(context.forward.scores.astype(float), unsafe, clusters, unit_of(context.probes, groups))


def _taken_over(context: Context) -> list[str]:
    if not context.forward.taken_over:
        return []
    return [
        f"Layers below {context.forward.taken_over} have the same bytes as at an earlier checkpoint, so their "
        "activations were taken over from it, after one prompt was computed anew and gave the same."
    ]


def _truncation(context: Context) -> list[str]:
    cut = sum(prompt.truncated for prompt in context.forward.encoded)
    if not cut:
        return []
    return [f"{cut} of {len(context.probes)} probe prompts were cut to {context.judge.max_length} tokens."]


def _summary(context: Context) -> dict[str, float]:
    forward = context.forward
    summary = {"norm_last": float(forward.norms[:, -1].mean())}
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    if forward.lens is not None and unsafe.any() and not unsafe.all():
        gaps = forward.lens[unsafe].mean(0) - forward.lens[~unsafe].mean(0)
        summary |= {"lens_gap_last": float(gaps[-1]), "lens_gap_before_last": float(gaps[-2])}
    return summary


def _tensors(context: Context) -> dict[str, np.ndarray]:
    forward = context.forward
    tensors = {
        "residual_norms": forward.norms,
        "attention_writes": forward.attention_writes,
        "mlp_writes": forward.mlp_writes,
        "lens": forward.lens,
    }
    known = {name: value for name, value in tensors.items() if value is not None}
    return {name: context.in_probe_set(value).astype(np.float32) for name, value in known.items()}
