"""Forward passes over the probe set: one hooked pass feeds every analysis that reads activations.

The hooks reduce on the device, in float32, as each layer finishes; nothing of size (batch x tokens x d_model)
outlives its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.jobs.messages import BATCH_TOKENS
from analyzer.model.batches import Batch, Encoded, Side, collate
from analyzer.model.load_errors import in_one_sentence
from analyzer.model.partial_pass import hidden_argument, hidden_of
from analyzer.model.reported_states import over_its_tokens, reported_states
from analyzer.model.scoring import answers_in, inputs_of, pool, read_early, score, score_of, token_norms
from analyzer.model.unit_recording import ROLES, UnitMeans, UnitRecording, units_recorded
from shared.errors import ScoresNotFinite
from shared.prompts.conversation import as_judged

if TYPE_CHECKING:
    from analyzer.model.capture import Capture
    from analyzer.model.judge import Judge
    from shared.records import Probe


Progress = Callable[[int, int], None]
"""Called with (done, total) after each batch."""


def unwatched(done: int, total: int) -> None:
    """The default: nobody watches."""


class Beginning(Protocol):
    """What is known of the layers below some boundary, so that a pass can begin there (`session/frozen_prefix`)."""

    @property
    def boundary(self) -> int:
        """The first layer that runs."""
        ...

    def fed(self, judge: Judge, rows: Sequence[int], batch: Batch) -> AbstractContextManager[None]:
        """Inside, calls of the judge on this batch of the prompts `rows` begin at the boundary."""
        ...

    def arrays(self, judge: Judge) -> dict[str, np.ndarray]:
        """The reductions of the points 0 to `boundary` and the layers below it, named as this module names them."""
        ...


@dataclass(frozen=True)
class ForwardPass:
    """What one pass over n prompts left. Point 0 is the embeddings, point p the residual after layer p - 1."""

    encoded: list[Encoded]
    scores: np.ndarray
    """(n,) as `scoring.score_of` reads it, nats."""
    pooled: np.ndarray
    """(points, n, d_model) residual stream as the head pools it, before the final norm."""
    norms: np.ndarray
    """(n, points) mean over real tokens of the L2 norm of the residual stream."""
    attention_writes: np.ndarray | None
    """(n, layers) the same of what attention adds; None where the parts are unknown."""
    mlp_writes: np.ndarray | None
    lens: np.ndarray | None
    """(n, points) score read early through the judge's own final norm, pooling and head, nats."""
    unit_means: UnitMeans | None = None
    """Mean activations over all prompts by token role; None unless asked for."""
    taken_over: int = 0
    """Layers that were not computed again, because an earlier checkpoint has the same bytes below there."""

    @property
    def layers(self) -> int:
        return self.norms.shape[1] - 1


@dataclass
class _Recording:
    """Reductions of one batch: points from `first_point` on, layers from `first_layer` on."""

    judge: Judge
    batch: Batch
    first_point: int = 0
    first_layer: int = 0
    units: UnitRecording | None = None
    capture: Capture | None = None
    rows: Sequence[int] = ()
    pooled: list[Tensor] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)
    lens: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)
    mlp: list[Tensor] = field(default_factory=list)

    def residual(self, point: int, hidden: Tensor) -> None:
        batch = over_its_tokens(self.batch, hidden)
        self.pooled.append(pool(self.judge.anatomy, hidden, batch))
        self.norms.append(token_norms(hidden, batch.mask))
        if self.judge.anatomy.head is not None:
            self.lens.append(read_early(self.judge, hidden, self.batch))
        if self.units is not None and point == 0:
            self.units.input(hidden)
        if self.capture is not None and self.capture.point == point:
            self.capture.take(self.rows, hidden, self.batch.mask)

    def write(self, into: list[Tensor], hidden: Tensor) -> None:
        into.append(token_norms(hidden, self.batch.mask) * abs(self.judge.anatomy.residual_scale))

    def reduced(self, scores: Tensor) -> dict[str, Tensor]:
        """One batch's numbers: points or layers first, then prompts."""
        lists = {
            "pooled": self.pooled,
            "norms": self.norms,
            "lens": self.lens,
            "attention": self.attention,
            "mlp": self.mlp,
        }
        return {"scores": scores[None]} | {name: torch.stack(values) for name, values in lists.items() if values}


@contextmanager
def _recorded(recording: _Recording) -> Iterator[None]:
    """Hooks on every layer's input, the last layer's output, and every write."""
    anatomy, first = recording.judge.anatomy, recording.first_layer

    def before_layer(point: int) -> Callable[..., None]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            recording.residual(point, hidden_argument(args, kwargs))

        return hook

    def after_last(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        recording.residual(anatomy.depth, hidden_of(output))

    def written(into: list[Tensor]) -> Callable[..., None]:
        return lambda _module, _args, output: recording.write(into, hidden_of(output))

    with ExitStack() as stack:
        for point, layer in enumerate(anatomy.layers):
            if point >= recording.first_point:
                hook = layer.register_forward_pre_hook(before_layer(point), with_kwargs=True)
                stack.callback(hook.remove)
        if anatomy.depth >= recording.first_point:
            stack.callback(anatomy.layers[-1].register_forward_hook(after_last).remove)
        for module in (anatomy.attention_writes or ())[first:]:
            stack.callback(module.register_forward_hook(written(recording.attention)).remove)
        for module in (anatomy.mlp_writes or ())[first:]:
            stack.callback(module.register_forward_hook(written(recording.mlp)).remove)
        if recording.units is not None and anatomy.wiring is not None:
            stack.enter_context(units_recorded(recording.units, anatomy.wiring.layers[first:]))
        yield


def _pass_one(recording: _Recording) -> Tensor:
    """Run one batch, hooked; returns the scores."""
    judge, batch = recording.judge, recording.batch
    if judge.anatomy.layers:
        with _recorded(recording):
            return score(judge, batch)
    output = judge.model(**inputs_of(batch), output_hidden_states=True)
    for point, hidden in enumerate(reported_states(judge, output, batch.ids)):
        recording.residual(point, hidden)
    return score_of(judge, answers_in(judge, output.logits, batch))


@torch.inference_mode()
def forward_pass(
    judge: Judge,
    probes: Sequence[Probe],
    batch_tokens: int = BATCH_TOKENS,
    *,
    side: Side = "right",
    means: bool = False,
    progress: Progress = unwatched,
) -> ForwardPass:
    """Run all probes once with hooks; results are in the order of `probes`.

    `side` is where batches are padded (only a decoder can be padded left); `means` asks for `unit_means`, which a
    judge without known wiring has not; `progress` gets the prompts done and all prompts after each batch. Raises
    ScoresNotFinite when a score or an activation is not finite.
    """
    encoded = judge.encode([probe.text for probe in as_judged(probes, judge.template)])
    return record(judge, encoded, batch_tokens, side=side, means=means, progress=progress)


@torch.inference_mode()
def record(
    judge: Judge,
    encoded: list[Encoded],
    batch_tokens: int,
    *,
    side: Side = "right",
    means: bool = False,
    prefix: Beginning | None = None,
    capture: Capture | None = None,
    progress: Progress = unwatched,
) -> ForwardPass:
    """`forward_pass` of prompts that are tokenised already.

    With `prefix` the pass begins where it ends and takes what lies below from it; `capture` keeps the residual
    stream of one point.
    """
    total = _Total(len(encoded))
    means = means and judge.anatomy.wiring is not None
    done = 0
    for rows in judge.batches(encoded, batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device, side)
        recording = _Recording(judge, batch, capture=capture, rows=rows)
        if means:
            recording.units = UnitRecording(batch.mask)
        with ExitStack() as stack:
            if prefix is not None:
                recording.first_point, recording.first_layer = prefix.boundary + 1, prefix.boundary
                stack.enter_context(prefix.fed(judge, rows, batch))
            lengths = sorted(len(encoded[row].ids) for row in rows)
            cannot = f"cannot be run on prompts of {lengths[0]} to {lengths[-1]} tokens"
            with in_one_sentence(f"This {judge.anatomy.family}", cannot):
                scores = _pass_one(recording)
        total.add(rows, recording, scores)
        done += len(rows)
        progress(done, len(encoded))
    arrays = total.arrays()
    if prefix is not None:
        arrays = joined(prefix.arrays(judge), arrays)
    found = _forward_pass(encoded, arrays, means)
    _check_finite(judge, found)
    return found


class _Total:
    """What the batches of one pass leave, put in the order of the prompts."""

    def __init__(self, prompts: int) -> None:
        self._prompts = prompts
        self._arrays: dict[str, np.ndarray] = {}
        self._sums: dict[str, np.ndarray] = {}
        self._counts = np.zeros(ROLES)

    def add(self, rows: Sequence[int], recording: _Recording, scores: Tensor) -> None:
        for name, value in recording.reduced(scores).items():
            found = value.cpu().numpy()
            if name not in self._arrays:
                self._arrays[name] = np.empty((len(found), self._prompts, *found.shape[2:]), dtype=found.dtype)
            self._arrays[name][:, rows] = found
        if recording.units is not None:
            self._counts += recording.units.counts.cpu().numpy()
            for name, value in recording.units.sums().items():
                self._sums[name] = self._sums.get(name, 0.0) + value.double().cpu().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """Name -> (points or layers, n, ...), and of unit means (1 or layers, 3, units); float32."""
        counts = np.maximum(self._counts, 1)[:, None]
        return self._arrays | {name: (sums / counts).astype(np.float32) for name, sums in self._sums.items()}


def joined(below: dict[str, np.ndarray], above: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Points and layers of two parts of a pass in a row; what only one of them has is taken from it."""
    both = below.keys() & above.keys()
    return below | above | {name: np.concatenate([below[name], above[name]]) for name in both}


def _forward_pass(encoded: list[Encoded], arrays: dict[str, np.ndarray], means: bool) -> ForwardPass:
    def prompts_first(name: str) -> np.ndarray | None:
        return np.ascontiguousarray(arrays[name].T) if name in arrays else None

    norms = prompts_first("norms")
    assert norms is not None  # noqa: S101 (a pass records at least the embeddings)
    return ForwardPass(
        encoded=encoded,
        scores=arrays["scores"][0],
        pooled=arrays["pooled"],
        norms=norms,
        attention_writes=prompts_first("attention"),
        mlp_writes=prompts_first("mlp"),
        lens=prompts_first("lens"),
        unit_means=UnitMeans(arrays["input"][0], arrays["heads"], arrays["neurons"]) if means else None,
    )


def _check_finite(judge: Judge, found: ForwardPass) -> None:
    """Raises ScoresNotFinite naming the first place where NaN or infinity appears."""
    finite = np.column_stack([np.isfinite(found.norms), np.isfinite(found.scores)])  # (n, points + the score)
    if finite.all():
        return
    point = int((~finite).any(0).argmax())
    place = "the head" if point > found.layers else f"layer {point - 1}" if point else "the embedding block"
    cause = "training has diverged, or the weights are damaged; look at an earlier checkpoint."
    if judge.dtype == "float16":
        cause = "float16 ends at 65504; save the checkpoint in bfloat16 or float32, or look at an earlier one."
    rows = np.flatnonzero(~finite.all(1)).tolist()
    raise ScoresNotFinite(
        f"The output of {place} is not finite (NaN or infinity) on {(~finite[:, point]).sum()} of {len(finite)} "
        f"prompts: {cause}",
        rows,
    )
